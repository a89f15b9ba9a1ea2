import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { alertArrivals } from "@/lib/alerts";
import { demoStatus } from "@/lib/demo";
import { latestPrediction } from "@/lib/predictions";
import { currentRound } from "@/lib/rounds";
import { systemStatus } from "@/lib/system";
import { alert, created } from "@/test/factories/alert";
import { demo, played, run } from "@/test/factories/demo";
import { predicted, prediction } from "@/test/factories/prediction";
import { progressed, round } from "@/test/factories/round";
import { facility, facilityIs, system, systemIs } from "@/test/factories/system";
import { comeBack, FakeSocket, leave, newServer, publish } from "@/test/socket";
import { useConnection, useWebSocket } from "./use-websocket";

function Page() {
  useWebSocket();
  return <p data-testid="state">{useConnection().state}</p>;
}

let cache: QueryClient;
let again: string[]; // what was asked for again
const state = () => screen.getByTestId("state").textContent;
const wait = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  newServer();
  cache = new QueryClient();
  again = [];
  vi.spyOn(cache, "invalidateQueries").mockImplementation(async (f) => void again.push((f?.queryKey ?? ["everything"]).join(" ")));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const open = () => render(<QueryClientProvider client={cache}><Page /></QueryClientProvider>);

describe("the connection", () => {
  test("is live when every channel is there, and what was answered before is asked for again", async () => {
    open();
    expect(state()).toBe("connecting");
    await wait(100);
    expect(state()).toBe("live");
    expect(again).toEqual(expect.arrayContaining(["alerts", "fl", "predictions", "system status", "demo", "health"]));
  });

  test("that is lost is sought again, and after five seconds the page is offline", async () => {
    open();
    await wait(100);
    leave();
    await wait(10);
    expect(state()).toBe("reconnecting");
    await wait(4_980);
    expect(state()).toBe("reconnecting");
    await wait(20);
    expect(state()).toBe("offline");
    comeBack();
    await wait(10_000);
    expect(state()).toBe("live");
  });

  test("that never comes about is offline too", async () => {
    leave();
    open();
    await wait(5_100);
    expect(state()).toBe("offline");
  });

  test("is closed with the page", async () => {
    const { unmount } = open();
    await wait(100);
    unmount();
    open();
    expect(state()).toBe("connecting");
  });
});

describe("messages", () => {
  test("of every channel reach the cache", async () => {
    cache.setQueryData(currentRound.queryKey, null);
    cache.setQueryData(latestPrediction.queryKey, null);
    cache.setQueryData(demoStatus.queryKey, demo());
    open();
    await wait(100);
    publish(created(alert().build()));
    publish(progressed(round(7).training(42).build()));
    publish(predicted(prediction({ facility_id: "south" })));
    publish(systemIs(system([facility("north")])));
    publish(facilityIs(facility("north", { status: "silent", version: 2 })));
    publish(played(run()));
    await wait(100);
    expect(cache.getQueryData(alertArrivals.queryKey)).toHaveLength(1);
    expect(cache.getQueryData(currentRound.queryKey)).toMatchObject({ id: 7, progress: 42 });
    expect(cache.getQueryData(latestPrediction.queryKey)).toMatchObject({ facility_id: "south" });
    expect(cache.getQueryData(systemStatus.queryKey)!.facilities[0]!.status).toBe("silent");
    expect(cache.getQueryData(demoStatus.queryKey)!.scenarios).toHaveLength(1);
  });

  test("of which some are missing, says the server, are asked for again", async () => {
    open();
    await wait(100);
    for (const [channel, key] of [["alerts", "alerts"], ["fl_status", "fl"], ["predictions", "predictions"], ["system", "system status"]] as const) {
      again = [];
      publish({ channel, type: `${channel}_reload`, data: {} } as { channel: string });
      await wait(5_000);
      expect(again).toContain(key);
    }
  });

  test("that are none of ours are let be", async () => {
    open();
    await wait(100);
    publish({ channel: "system", type: "something_new", data: {} } as { channel: string });
    publish({ channel: "fl_status" });
    await wait(100);
    expect(state()).toBe("live");
  });

  test("of alerts let figures be counted again, once for many", async () => {
    open();
    await wait(100);
    again = [];
    for (let i = 0; i < 50; i++) publish(created(alert().build()));
    await wait(5_000);
    expect(again.filter((key) => key === "alerts-stats")).toHaveLength(1);
    expect(again.filter((key) => key === "mitre")).toHaveLength(1);
  });
});

describe("what was missed", () => {
  const missed = async (forgetful: boolean) => {
    cache.setQueryData(currentRound.queryKey, round(7).build());
    open();
    await wait(100);
    leave();
    await wait(2_000);
    publish(progressed(round(7).training(42).build()));
    again = [];
    comeBack(forgetful);
    await wait(10_000);
    expect(state()).toBe("live");
  };

  test("comes by itself, and nothing is asked for", async () => {
    await missed(false);
    expect(cache.getQueryData(currentRound.queryKey)).toMatchObject({ progress: 42 });
    expect(again.filter((key) => !["health", "fl privacy"].includes(key))).toEqual([]);
  });

  test("is asked for where the server cannot tell it", async () => {
    await missed(true);
    expect(again).toEqual(expect.arrayContaining(["alerts", "fl", "predictions", "system status", "system minute", "demo", "models"]));
  });
});
