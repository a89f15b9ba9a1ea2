import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, test } from "vitest";

import { facility, facilityIs, system, systemIs } from "@/test/factories/system";
import { facilityMinute, isSystemMessage, LiveSystem, systemStatus } from "./system";
import type { Message } from "./live";

let cache: QueryClient;
let live: LiveSystem;

beforeEach(() => {
  cache = new QueryClient();
  live = new LiveSystem(cache);
});

const hear = (m: Message) => isSystemMessage(m) && live.apply(m);
const status = () => cache.getQueryData(systemStatus.queryKey);

describe("a status of the system", () => {
  test("replaces the one before", () => {
    cache.setQueryData(systemStatus.queryKey, system([facility("north")]));
    hear(systemIs(system([facility("north"), facility("south")], { active_alerts: 9 })));
    expect(status()).toMatchObject({ active_alerts: 9, facilities: [{ id: "north" }, { id: "south" }] });
  });

  test("does not take back what a facility said of itself later", () => {
    cache.setQueryData(systemStatus.queryKey, system([facility("north", { status: "active" })]));
    hear(facilityIs(facility("north", { status: "silent", version: 2 })));
    hear(systemIs(system([facility("north", { status: "active", version: 1 })])));
    expect(status()!.facilities[0]!.status).toBe("silent");
  });
});

describe("a facility's own message", () => {
  test("changes that facility, once", () => {
    cache.setQueryData(systemStatus.queryKey, system([facility("north"), facility("south")]));
    hear(facilityIs(facility("south", { status: "silent", version: 2 })));
    hear(facilityIs(facility("south", { status: "active", version: 1 })));
    expect(status()!.facilities.map((f) => f.status)).toEqual(["active", "silent"]);
  });

  test("adds one that was not known, in order", () => {
    cache.setQueryData(systemStatus.queryKey, system([facility("south")]));
    hear(facilityIs(facility("north")));
    expect(status()!.facilities.map((f) => f.id)).toEqual(["north", "south"]);
  });

  test("before the first answer changes nothing", () => {
    hear(facilityIs(facility("north")));
    expect(status()).toBeUndefined();
  });
});

describe("a facility's minute", () => {
  const { queryKey } = facilityMinute("north");
  const noon = Date.parse("2026-03-04T12:00:00Z");
  const at = (ms: number, packets: number) => facility("north", { last_seen: new Date(ms).toISOString(), packets_per_sec: packets });

  test("goes on with each status, and forgets what is older than a minute", () => {
    cache.setQueryData(queryKey, [{ end: noon - 59_000, packets: 1 }, { end: noon, packets: 2 }]);
    hear(systemIs(system([at(noon + 2_000, 3)])));
    expect(cache.getQueryData(queryKey)).toEqual([{ end: noon, packets: 2 }, { end: noon + 2_000, packets: 3 }]);
  });

  test("does not go back, and has each second once", () => {
    cache.setQueryData(queryKey, [{ end: noon, packets: 2 }]);
    hear(systemIs(system([at(noon, 3)])));
    hear(systemIs(system([at(noon - 5_000, 3)])));
    expect(cache.getQueryData(queryKey)).toEqual([{ end: noon, packets: 2 }]);
  });

  test("stands still while the facility is silent", () => {
    cache.setQueryData(queryKey, [{ end: noon, packets: 2 }]);
    hear(systemIs(system([{ ...at(noon + 9_000, 0), status: "silent" }])));
    expect(cache.getQueryData(queryKey)).toHaveLength(1);
  });
});
