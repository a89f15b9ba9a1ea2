import { act, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";

import type { AlertMessage, LiveAlerts } from "@/lib/alerts";
import { alert, created, list, updated } from "@/test/factories/alert";
import { show, where } from "@/test/page";
import { asked, serve } from "@/test/server";
import { AlertsView } from "./alerts-view";

const rows = () => within(screen.getByRole("list", { name: "Alerts, newest first" })).getAllByRole("listitem");
const titles = () => rows().map((row) => within(row).getByRole("link").textContent);

/** open shows the page with these alerts on the server, each of which can be opened. */
function open(alerts: ReturnType<typeof alert>[], url = "/alerts") {
  const built = alerts.map((a) => a.build());
  serve({
    "/api/alerts": list(built),
    ...Object.fromEntries(
      alerts.map((a) => [`/api/alerts/${a.build().id}`, a.detail({ time: a.build().timestamp, kind: "detection", by: "write-from-new-host", text: "as it began" })]),
    ),
  });
  return { ...show(<AlertsView />, url), alerts: built };
}

/** arrives brings a message in and waits until the screen has it, which is a task later. */
const arrives = (live: LiveAlerts, message: AlertMessage) =>
  act(async () => {
    live.apply(message);
    await new Promise((done) => setTimeout(done));
  });

describe("the list", () => {
  test("says of each alert what happened, to what, and how often", async () => {
    const { alerts } = open([alert().critical().at("10.0.0.12").with({ count: 3, status: "acknowledged" })]);
    const row = await screen.findByRole("listitem");
    for (const words of [
      "Critical",
      "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before.",
      "10.0.0.12",
      "T0855",
      "Unauthorized Command Message",
      "3×",
      "Acknowledged",
      "default",
    ]) {
      expect(within(row).getAllByText(words).length, words).toBeGreaterThan(0);
    }
    expect(within(row).getByRole("link", { name: "Write from a host that never wrote" }).getAttribute("href")).toBe(`/alerts?id=${alerts[0]!.id}`);
    expect(row.querySelector("time")!.title).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
    expect(screen.getByTestId("total").textContent).toBe("1 alert");
  });

  test("takes filters and page from the URL", async () => {
    open([alert()], "/alerts?severity=critical,high,foo&status=new&facility=north,NO!&page=3");
    await screen.findByRole("listitem");
    expect(asked).toEqual(["/api/alerts?severity=critical,high&status=new&facility=north&page=3&limit=50"]);
    expect(screen.getByRole("button", { name: "High" }).getAttribute("aria-pressed")).toBe("true");
    expect(screen.getByRole("button", { name: "Low" }).getAttribute("aria-pressed")).toBe("false");
  });

  test("puts filters into the URL, and begins at the first page again", async () => {
    const { user } = open([alert()], "/alerts?page=2");
    await screen.findByRole("listitem");
    await user.click(screen.getByRole("button", { name: "Low" }));
    await user.click(screen.getByRole("button", { name: "Critical" }));
    await user.click(screen.getByRole("button", { name: "New" }));
    expect(where()).toBe("/alerts?severity=critical,low&status=new");
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(where()).toBe("/alerts");
  });

  test("pages", async () => {
    serve({ "/api/alerts": list([alert().build()], { total: 120, pages: 3 }) });
    const { user } = show(<AlertsView />, "/alerts");
    await user.click(await screen.findByRole("button", { name: "Older" }));
    expect(where()).toBe("/alerts?page=2");
    expect(screen.getByTestId("total").textContent).toBe("120 alerts");
  });
});

describe("where there is nothing to list", () => {
  test("it says that it is loading", () => {
    serve({ "/api/alerts": new Promise<object>(() => {}) });
    show(<AlertsView />, "/alerts");
    expect(screen.getByRole("status", { name: "Loading alerts" })).toBeTruthy();
  });

  test("it says what to do next", async () => {
    open([]);
    await screen.findByRole("heading", { name: "No alerts yet" });
    expect(screen.getByText("make demo-capture")).toBeTruthy();
    expect(screen.getByText("breakwater replay FILE --learn 300s")).toBeTruthy();
  });

  test("it says that the filter lets nothing through, and clears it", async () => {
    const { user } = open([], "/alerts?severity=low");
    await screen.findByRole("heading", { name: "No alert matches these filters" });
    await user.click(screen.getAllByRole("button", { name: "Clear filters" })[0]!);
    expect(where()).toBe("/alerts");
  });

  test("it leads back from beyond the last page", async () => {
    serve({ "/api/alerts": list([], { total: 60, pages: 2, page: 9 }) });
    const { user } = show(<AlertsView />, "/alerts?page=9");
    await user.click(await screen.findByRole("button", { name: "Go to the first page" }));
    expect(where()).toBe("/alerts");
  });

  test.each([
    [500, "the reason for 500"],
    [0, "The server cannot be reached. Is Breakwater running?"],
  ])("it says why it failed (%i), and tries again", async (status, words) => {
    serve({ "/api/alerts": status });
    const { user } = show(<AlertsView />, "/alerts");
    expect((await screen.findByRole("alert")).textContent).toContain(words);
    serve({ "/api/alerts": list([alert().build()]) });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("listitem")).toBeTruthy();
  });
});

describe("the panel", () => {
  test("tells all of one alert", async () => {
    const { user } = open([alert().with({ context_analysis: "42 packets/s, usually 21", techniques: ["T0855"] })]);
    await user.click(await screen.findByRole("link"));
    const panel = await screen.findByRole("dialog", { name: "Write from a host that never wrote" });
    for (const words of ["Ask who works at 10.0.0.57.", "1 detection by 1 model in 1s: write-from-new-host (1)", "42 packets/s, usually 21", "10.0.0.57 → 10.0.0.11:502", "Sources (1)", "History (1)", "as it began"]) {
      expect(within(panel).getByText(words), words).toBeTruthy();
    }
  });

  test("opens with Enter and closes with Escape, and the focus is where it was", async () => {
    const { user, alerts } = open([alert(), alert()]);
    await screen.findAllByRole("listitem");
    await user.keyboard("jj");
    const second = screen.getAllByRole("link")[1]!;
    expect(document.activeElement).toBe(second);
    await user.keyboard("{Enter}");
    expect(where()).toBe(`/alerts?id=${alerts[1]!.id}`);
    const panel = await screen.findByRole("dialog");
    expect(panel.contains(document.activeElement)).toBe(true);
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(where()).toBe("/alerts");
    await waitFor(() => expect(document.activeElement).toBe(second));
  });

  test("goes from alert to alert with j and k, and stops at the ends", async () => {
    const { user, alerts } = open([alert().titled("one"), alert().titled("two")]);
    await user.click(await screen.findByRole("link", { name: "one" }));
    await screen.findByRole("dialog", { name: "one" });
    await user.keyboard("jj");
    await screen.findByRole("dialog", { name: "two" });
    await user.keyboard("k");
    await screen.findByRole("dialog", { name: "one" });
    expect(where()).toBe(`/alerts?id=${alerts[0]!.id}`);
  });

  test("keeps the filters of the list", async () => {
    const { user, alerts } = open([alert()], "/alerts?severity=high");
    await user.click(await screen.findByRole("link"));
    expect(where()).toBe(`/alerts?severity=high&id=${alerts[0]!.id}`);
  });

  test("says that there is no such alert", async () => {
    open([alert()], "/alerts?id=01930a7e-3c00-7abc-8def-ffffffffffff");
    await screen.findByRole("dialog", { name: "There is no such alert" });
    await screen.findByRole("listitem");
  });
});

describe("live", () => {
  test("a new alert comes first, is highlighted for a while and said aloud once", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { live } = open([alert().titled("old")]);
    await screen.findByRole("listitem");
    await arrives(live, created(alert().critical().titled("Port scan").at("10.0.0.9").build()));
    expect(titles()).toEqual(["Port scan", "old"]);
    expect(rows().map((row) => row.dataset.fresh)).toEqual(["true", undefined]);
    await act(() => vi.advanceTimersByTimeAsync(2_100));
    expect(screen.getByText("New critical alert: Port scan, 10.0.0.9")).toBeTruthy();
    await act(() => vi.advanceTimersByTimeAsync(6_000));
    expect(rows().map((row) => row.dataset.fresh)).toEqual([undefined, undefined]);
    vi.useRealTimers();
  });

  test("many at once are said in one sentence", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { live } = open([alert()]);
    await screen.findByRole("listitem");
    for (let i = 0; i < 5; i++) {
      await arrives(live, created(alert().titled(`scan ${i}`).build()));
      await act(() => vi.advanceTimersByTimeAsync(100));
    }
    await act(() => vi.advanceTimersByTimeAsync(2_100));
    expect(screen.getByText("5 new alerts, the latest high: scan 4, 10.0.0.11")).toBeTruthy();
    vi.useRealTimers();
  });

  test("a new alert that the filter hides is told of, and can be opened", async () => {
    const { live, user } = open([alert().critical()], "/alerts?severity=critical");
    await screen.findByRole("listitem");
    const hidden = alert().low().titled("New device").build();
    await arrives(live, created(hidden));
    expect(rows()).toHaveLength(1);
    await user.click(screen.getByRole("button", { name: "Show" }));
    expect(where()).toBe(`/alerts?severity=critical&id=${hidden.id}`);
  });

  test("a change shows in the row and in the open panel", async () => {
    const { live, user, alerts } = open([alert()]);
    await user.click(await screen.findByRole("link"));
    const panel = await screen.findByRole("dialog", { name: alerts[0]!.title });
    await arrives(live, updated(alerts[0]!, { count: 1_234, severity: "critical" }));
    expect(within(panel).getByText("1,234×")).toBeTruthy();
    expect(within(rows()[0]!).getAllByText("Critical")).toHaveLength(1);
    expect(within(rows()[0]!).getAllByText("1,234×").length).toBeGreaterThan(0);
    live.stop();
  });
});
