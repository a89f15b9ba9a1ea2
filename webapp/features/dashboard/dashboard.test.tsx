import { act, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { alert, created, page } from "@/test/factories/alert";
import { client, noPrivacy, progressed, round } from "@/test/factories/round";
import { predicted, prediction } from "@/test/factories/prediction";
import { stats } from "@/test/factories/stats";
import { facility, facilityIs, system, systemIs } from "@/test/factories/system";
import { show } from "@/test/page";
import { asked, serve } from "@/test/server";
import { hoursOf } from "./alerts-of-the-day";
import { Dashboard } from "./dashboard";

const second = (time: string, packets_per_sec: number) => ({ time, packets_per_sec, unique_dest_ips: 4, protocol_distribution: 0.5, status: "normal" });
const minuteOf = (...packets: number[]) => ({ timeline: packets.map((p, i) => second(new Date(Date.UTC(2026, 2, 4, 11, 59, 0) + i * 1_000).toISOString(), p)) });

let answers: Record<string, object | number | null>;

beforeEach(() => {
  answers = {
    "/api/system/status": system([facility("north"), facility("south", { status: "silent", packets_per_sec: 0 })]),
    "/api/alerts": page([alert().critical().titled("Program download to PLC 10.0.0.11").build(), alert().build()]),
    "/api/alerts/stats?status=new,acknowledged": stats({ critical: 1, high: 2 }, { south: 3 }),
    "/api/alerts/stats?severity=critical&time_range=24h": stats({ critical: 1 }),
    "/api/alerts/stats?severity=high&time_range=24h": stats({ high: 4 }),
    "/api/alerts/stats?severity=medium&time_range=24h": stats({}),
    "/api/alerts/stats?severity=low&time_range=24h": stats({}),
    "/api/context/north/current": minuteOf(40, 41, 42),
    "/api/context/south/current": minuteOf(),
    "/api/predictions/latest": prediction(),
    "/api/fl/rounds/current": round(7).training(42).among(client("north"), client("south").delayed()).build(),
    "/api/fl/privacy-metrics": { ...noPrivacy, epsilon: 1.2, delta: 1e-5, privacy_budget_remaining: 6.8 },
    "/health": { status: "degraded", service: "breakwater", version: "1.2.3", services: { database: "connected", redis: "unreachable", kafka: "embedded", neo4j: "embedded" }, warnings: ["Live messages of node b are not heard here."] },
  };
});

function open() {
  serve(answers);
  return show(<Dashboard demo={<p>the demo</p>} />, "/");
}
const card = (name: string) => within(screen.getByRole("region", { name }));
const figure = (within_: ReturnType<typeof card>, name: string) => within_.getByText(name, { selector: "dt" }).parentElement!;
const link = (within_: ReturnType<typeof card>, name: RegExp | string) => within_.getByRole("link", { name }).getAttribute("href");

test("one sentence says how everything stands", async () => {
  open();
  await waitFor(() => expect(screen.getByTestId("verdict").textContent).toBe("1 critical alert is open. 1 of 2 facilities is silent."));
});

test("every figure is the server's, and leads to its reason", async () => {
  open();
  await screen.findByTestId("verdict");
  const sys = card("System");
  expect(figure(sys, "Open alerts").textContent).toContain("3");
  expect(link(sys, "3")).toBe("/alerts?status=new,acknowledged");
  expect(figure(sys, "Packets per second").textContent).toContain("42");
  expect(figure(sys, "Events per second").textContent).toContain("13");
  expect(within(figure(sys, "Known to be lost")).getByRole("link").getAttribute("href"), "which sensor lost it").toBe("/facilities");
  expect(figure(sys, "Predictions that came true").textContent).toContain("None is over yet");
  expect(figure(sys, "Running for").textContent).toContain("1 h 1 min");
  await waitFor(() => expect(figure(sys, "Live messages").textContent).toContain("Redis cannot be reached"));
  sys.getByText("Live messages of node b are not heard here.");
  expect(figure(sys, "Database").textContent).toContain("PostgreSQL, connected");
  expect(figure(sys, "Queue").textContent).toContain("built in");
});

test("an engine that goes away under an open page shows", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  open();
  const sys = () => card("System");
  await waitFor(() => expect(figure(sys(), "Database").textContent).toContain("PostgreSQL, connected"));
  answers["/health"] = { status: "unhealthy", service: "breakwater", version: "1.2.3", services: { database: "unreachable", redis: "connected", kafka: "embedded", neo4j: "embedded" }, warnings: [] };
  await act(() => vi.advanceTimersByTimeAsync(11_000));
  await waitFor(() => expect(figure(sys(), "Database").textContent).toContain("cannot be reached"));
  vi.useRealTimers();
});

test("the last day's alerts are counted by severity", async () => {
  open();
  await waitFor(() => expect(screen.getByTestId("day-high").textContent).toBe("4"));
  expect(screen.getByTestId("day-low").textContent).toBe("0");
  const day = card("Alerts of the last 24 hours");
  expect(link(day, "High 4")).toBe("/alerts?severity=high&time_range=24h");
  expect(day.getByRole("slider").getAttribute("aria-valuetext")).toMatch(/^From \d\d:00: 5 alerts \(1 critical, 4 high\)$/);
});

test("hours of several severities are put together, the least severe lowest", () => {
  const at = (time: string, count: number) => ({ ...stats({}), timeline: [{ time, count }] });
  expect(hoursOf([at("2026-03-04T06:00:00Z", 1), at("2026-03-04T05:00:00Z", 2)])).toEqual([
    { name: "2026-03-04T05:00:00Z", parts: [2, 0] },
    { name: "2026-03-04T06:00:00Z", parts: [0, 1] },
  ]);
});

test("the newest alerts lead to their details, and a new one comes first by itself", async () => {
  const { hear } = open();
  const newest = () => within(card("Newest alerts").getByRole("list")).getAllByRole("link").map((a) => a.textContent);
  await waitFor(() => expect(newest()).toHaveLength(2));
  const young = alert().titled("Port scan").build();
  await hear(created(young));
  expect(newest()[0]).toBe("Port scan");
  expect(link(card("Newest alerts"), "Port scan")).toBe(`/alerts?id=${young.id}`);
});

describe("facilities", () => {
  test("stand there with what they say, those with open alerts first", async () => {
    open();
    await waitFor(() => expect(card("Facilities").getAllByRole("listitem").map((li) => li.dataset.facility)).toEqual(["south", "north"]));
    const [south, north] = card("Facilities").getAllByRole("listitem");
    expect(south!.textContent).toContain("Silent");
    expect(within(south!).getByRole("link", { name: "3 open alerts" }).getAttribute("href")).toBe("/alerts?status=new,acknowledged&facility=south");
    expect(north!.textContent).toMatch(/Active.*42 packets\/s.*No open alert/);
  });

  test("go on with each message", async () => {
    const { hear } = open();
    await screen.findByTestId("verdict");
    const north = () => card("Facilities").getAllByRole("listitem").find((li) => li.dataset.facility === "north")!;
    const drawn = () => within(north()).getByRole("img").querySelectorAll("path")[2]?.getAttribute("d")?.match(/[ML]/g)?.length;
    await waitFor(() => expect(drawn()).toBe(3));
    await hear(systemIs(system([facility("north", { last_seen: "2026-03-04T12:00:02Z", packets_per_sec: 77 }), facility("south")])));
    expect(within(north()).getByTestId("rate").textContent).toBe("77");
    expect(drawn()).toBe(2); // the seconds of the minute before have left
    await hear(facilityIs(facility("north", { status: "silent", version: 2 })));
    expect(north().textContent).toContain("Silent");
  });

  test("of which there is none: it says how the first one comes to be", async () => {
    answers["/api/system/status"] = system([]);
    open();
    await screen.findByRole("heading", { name: "Nothing is being watched yet" });
    screen.getByText("the demo");
    expect(asked).not.toContain("/api/predictions/latest");
  });
});

describe("the prediction", () => {
  test("says what may come next, and changes when it came true", async () => {
    const p = prediction();
    answers["/api/predictions/latest"] = p;
    const { hear } = open();
    await screen.findByText(/Unauthorized Command Message/);
    const there = card("Newest prediction");
    expect(link(there, "The alert")).toBe(`/alerts?id=${p.alert_id}`);
    expect(there.getByText("42 %")).toBeTruthy();
    expect(there.getByRole("timer").textContent).toBe("Its time is over");
    await hear(predicted({ ...p, status: "validated", version: 2, predicted_techniques: p.predicted_techniques.map((x) => ({ ...x, observed_at: p.timestamp })) }, "validated"));
    expect(there.queryByRole("timer")).toBeNull();
    expect(there.getByText("Came true")).toBeTruthy();
  });

  test("that is not there yet says so", async () => {
    answers["/api/predictions/latest"] = null;
    open();
    await screen.findByText(/No prediction yet/);
  });
});

test("the round goes on live", async () => {
  const { hear } = open();
  await screen.findByText("Round 7");
  const there = card("Federated learning");
  expect(there.getByText("42 %")).toBeTruthy();
  expect(there.getByText("Delayed")).toBeTruthy();
  await waitFor(() => expect(figure(there, "Privacy spent (ε)").textContent).toContain("1.2"));
  await hear(progressed(round(7).training(42).with({ progress: 60, version: 3 }).build()));
  expect(there.getByText("60 %")).toBeTruthy();
});

test("what could not be loaded says why, and can be tried again", async () => {
  answers["/api/system/status"] = 503;
  const { user } = open();
  await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("the reason for 503"));
  answers["/api/system/status"] = system([facility("north")]);
  await user.click(screen.getByRole("button", { name: "Try again" }));
  await screen.findByTestId("verdict");
});
