import { QueryClient } from "@tanstack/react-query";
import { beforeEach, expect, test, vi } from "vitest";

import { demo, found, played, run } from "@/test/factories/demo";
import { demoStatus, isDemoMessage, LiveDemo, resetDemo, startScenario } from "./demo";
import type { Message } from "./live";
import { asked, serve } from "@/test/server";

let cache: QueryClient;
let live: LiveDemo;
let again: string[];

beforeEach(() => {
  cache = new QueryClient();
  live = new LiveDemo(cache);
  again = [];
  vi.spyOn(cache, "invalidateQueries").mockImplementation(async (f) => void again.push((f?.queryKey ?? ["everything"]).join(" ")));
});

const hear = (m: Message) => isDemoMessage(m) && live.apply(m);
const runs = () => cache.getQueryData(demoStatus.queryKey)!.scenarios;

test("a run goes on, and does not go back", () => {
  const begun = run();
  cache.setQueryData(demoStatus.queryKey, demo(begun));
  hear(played({ ...begun, progress: 60, version: 2 }));
  hear(played(begun));
  expect(runs()).toMatchObject([{ progress: 60 }]);
  expect(again).toEqual([]);
  hear(played({ ...found(begun), version: 3 }));
  expect(runs()).toMatchObject([{ status: "completed" }]);
  expect(again).toEqual(["demo"]); // what is played at each plant has changed too
});

test("a later run of a scenario takes the place of the one before, whatever its version", () => {
  const first = { ...found(run()), version: 9 };
  cache.setQueryData(demoStatus.queryKey, demo(first));
  const second = run({ scenario_id: "01930a7e-3c00-7abc-8def-3123456789ab", started_at: "2026-03-04T12:05:00Z" });
  hear(played(second));
  hear(played(first));
  expect(runs()).toEqual([second]);
});

test("a run of another scenario stands beside it", () => {
  cache.setQueryData(demoStatus.queryKey, demo(run()));
  hear(played(run({ scenario: "multi-stage", scenario_id: "01930a7e-3c00-7abc-8def-3123456789ab" })));
  expect(runs().map((r) => r.scenario)).toEqual(["multi-stage", "port-scan"]);
});

test("after a reset everything on the screen is asked for again, the facilities first", async () => {
  hear(played(run({ scenario: "reset" })));
  await expect.poll(() => again).toEqual(["system status", "facilities", "everything"]);
});

test("starting and resetting ask the server, then for what is there now", async () => {
  serve({ "POST /api/demo/scenarios/port-scan": { scenario_id: "x" }, "POST /api/demo/reset": { removed: [] } });
  await startScenario(cache, "port-scan");
  await resetDemo(cache);
  expect(asked).toEqual(["POST /api/demo/scenarios/port-scan", "POST /api/demo/reset"]);
  expect(again).toEqual(["demo", "system status", "facilities", "everything"]);
});

test("what the server refuses is said in its words", async () => {
  serve({ "POST /api/demo/scenarios/port-scan": 409 });
  await expect(startScenario(cache, "port-scan")).rejects.toThrow("the reason for 409");
});
