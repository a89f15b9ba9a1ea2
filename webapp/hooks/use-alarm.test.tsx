import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { alarm } from "@/lib/alarm";
import { LiveAlerts } from "@/lib/alerts";
import { alert, created } from "@/test/factories/alert";
import { useAlarm } from "./use-alarm";

const shown: { title: string; body?: string; click: () => void }[] = [];
let tones = 0;

beforeEach(() => {
  shown.length = tones = 0;
  vi.stubGlobal(
    "Notification",
    class {
      static permission = "granted";
      onclick = () => {};
      close() {}
      constructor(title: string, options: NotificationOptions) {
        shown.push({ title, body: options.body, click: () => this.onclick() });
      }
    },
  );
  const node = { connect: (next: unknown) => next, start: () => void tones++, stop() {}, frequency: {}, gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} } };
  vi.stubGlobal(
    "AudioContext",
    class {
      state = "running";
      currentTime = 0;
      createOscillator = () => ({ ...node });
      createGain = () => ({ ...node });
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

function listen() {
  const cache = new QueryClient();
  const live = new LiveAlerts(cache);
  const opened = vi.fn();
  renderHook(() => useAlarm(opened), { wrapper: ({ children }) => <QueryClientProvider client={cache}>{children}</QueryClientProvider> });
  const hear = (...alerts: ReturnType<typeof alert>[]) =>
    act(async () => {
      for (const a of alerts) live.apply(created(a.build()));
      await new Promise((done) => setTimeout(done, LiveAlerts.batchEvery + 20));
    });
  return { hear, opened };
}

test("a critical alert notifies and sounds, as was chosen; clicking it opens the alert", async () => {
  alarm.write({ notify: true, sound: true });
  const { hear, opened } = listen();
  const worst = alert().critical().titled("Firmware changed").at("10.0.0.11");
  await hear(worst);
  expect(shown).toMatchObject([{ title: "Critical alert", body: "Firmware changed, 10.0.0.11 (default)" }]);
  expect(tones).toBe(2);
  shown[0]!.click();
  expect(opened).toHaveBeenCalledWith(`/alerts?id=${worst.build().id}`);
});

test("a storm is one notification and one sound at a time", async () => {
  alarm.write({ notify: true, sound: true });
  const { hear } = listen();
  await hear(...Array.from({ length: 5 }, () => alert().critical()));
  expect(shown.length).toBeLessThanOrEqual(2); // the first, and those that came closely behind it
  expect(shown.at(-1)!.title).toMatch(/^(4|5) critical alerts/);
  expect(tones).toBe(2);
});

test("less than critical is quiet, and so is everything where nothing was chosen", async () => {
  alarm.write({ notify: true, sound: true });
  await listen().hear(alert(), alert().low());
  alarm.write({ notify: false, sound: false });
  await listen().hear(alert().critical());
  expect([shown.length, tones]).toEqual([0, 0]);
});
