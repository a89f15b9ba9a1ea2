import { fireEvent, screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { show } from "@/test/page";
import { serve } from "@/test/server";
import { AlertMinute } from "./alert-minute";

const at = "2026-03-04T05:01:00.500Z";
const second = (before: number, packets: number, status = "normal") => ({
  time: new Date(Date.parse("2026-03-04T05:01:00Z") - before * 1_000).toISOString(), packets_per_sec: packets, unique_dest_ips: 3, protocol_distribution: 0.5, status,
});

test("the minute is drawn second by second, its states counted, the moment marked", async () => {
  serve({ "/api/context/a/evidence": { timeline: [second(60, 20), second(3, 300, "attack"), second(2, 40, "suspicious"), second(1, 21)] } });
  show(<AlertMinute id="a" at={at} />, "/");
  const chart = await screen.findByRole("slider", { name: "Packets a second in the minute before the alert: 21 at its end, at most 300" });
  fireEvent.keyDown(chart, { key: "Home" });
  expect(chart.getAttribute("aria-valuetext")).toBe("−61 s: 20, normal");
  fireEvent.keyDown(chart, { key: "ArrowRight" });
  expect(chart.getAttribute("aria-valuetext")).toBe("−4 s: 300, attack");
  expect(screen.getByRole("img", { name: "Of the minute before the alert 1 second of attack and 1 suspicious second" })).toBeTruthy();
  expect(chart.querySelector('path[stroke="var(--mark-critical)"]')?.getAttribute("d")).toBe("M100,0V100");
});

test("where no traffic was kept there is no chart", async () => {
  serve({ "/api/context/a/evidence": { timeline: [] } });
  show(<AlertMinute id="a" at={at} />, "/");
  await expect.poll(() => screen.queryByRole("status")).toBeNull();
  expect(screen.queryByRole("slider")).toBeNull();
});

test("where it fails it says so, and tries again", async () => {
  serve({ "/api/context/a/evidence": 500 });
  const { user } = show(<AlertMinute id="a" at={at} />, "/");
  await screen.findByText("The minute before could not be loaded");
  serve({ "/api/context/a/evidence": { timeline: [second(1, 5)] } });
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByRole("slider", { name: /^Packets a second/ });
});
