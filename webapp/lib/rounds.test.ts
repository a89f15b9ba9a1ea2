import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { client, progressed, reported, round } from "@/test/factories/round";
import type { Message } from "./live";
import { clients, currentRound, isRoundMessage, LiveRounds, recentRounds, type Client, type Round } from "./rounds";

let cache: QueryClient;
let live: LiveRounds;
let asked: string[]; // which queries were asked for again

beforeEach(() => {
  vi.useFakeTimers();
  cache = new QueryClient();
  live = new LiveRounds(cache);
  asked = [];
  vi.spyOn(cache, "invalidateQueries").mockImplementation(async (f) => void asked.push((f?.queryKey ?? []).join(" ")));
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

const hear = (m: Message) => isRoundMessage(m) && live.apply(m);
const settle = () => vi.advanceTimersByTime(LiveRounds.reloadEvery);

function known(current: Round | null, others: Round[] = [], all: Client[] = []) {
  cache.setQueryData(currentRound.queryKey, current);
  cache.setQueryData(recentRounds.queryKey, current ? [current, ...others] : others);
  cache.setQueryData(clients.queryKey, all);
}
const current = () => cache.getQueryData(currentRound.queryKey);

describe("the current round", () => {
  test("goes on with its messages", () => {
    known(round(1).build());
    hear(progressed(round(1).training(42).build()));
    expect(current()).toMatchObject({ phase: "training", progress: 42 });
    expect(cache.getQueryData(recentRounds.queryKey)).toMatchObject([{ progress: 42 }]);
    settle();
    expect(asked).toEqual(["fl privacy"]);
  });

  test("does not go back with a message that comes late", () => {
    known(round(1).training(42).build());
    hear(progressed(round(1).build()));
    expect(current()).toMatchObject({ progress: 42 });
  });

  test("is the first that there ever was", () => {
    known(null);
    hear(progressed(round(1).build()));
    expect(current()?.id).toBe(1);
  });

  test("is the one that runs, not the one that has ended", () => {
    known(round(1).completed(0.9).build());
    hear(progressed(round(2).build()));
    expect(current()?.id).toBe(2);
    hear(progressed(round(1).completed(0.9).with({ version: 9 }).build()));
    expect(current()?.id).toBe(2);
  });

  test("is the first of those in progress: the others wait for it", () => {
    known(round(2).training(10).build());
    hear(progressed(round(3).build()));
    expect(current()?.id).toBe(2);
    expect(cache.getQueryData(recentRounds.queryKey)!.map((r) => r.id)).toEqual([3, 2]);
    hear(progressed(round(1).build()));
    expect(current()?.id).toBe(1);
  });

  test("of two that have ended is the later one", () => {
    known(round(2).completed(0.9).build());
    hear(progressed(round(1).failed("too few clients").build()));
    expect(current()?.id).toBe(2);
    hear(progressed(round(3).failed("too few clients").build()));
    expect(current()?.id).toBe(3);
  });

  test("at its end: what only the server knows is asked for, once", () => {
    known(round(1).build());
    hear(progressed(round(1).completed(0.9).build()));
    hear(progressed(round(1).completed(0.9).build()));
    settle();
    expect(asked.toSorted()).toEqual(["fl current", "fl history", "fl privacy", "fl recent", "models"]);
  });

  test("is asked for again where an answer on its way may be older than the message", () => {
    known(round(1).build());
    void cache.fetchQuery({ ...currentRound, queryFn: () => new Promise<Round>(() => undefined), staleTime: 0 });
    hear(progressed(round(1).training(42).build()));
    expect(current()).toMatchObject({ progress: 42 });
    settle();
    expect(asked).not.toContain("fl"); // not while it is on its way
    void cache.cancelQueries({ queryKey: ["fl"] });
    return vi.advanceTimersByTimeAsync(LiveRounds.reloadEvery).then(() => expect(asked).toContain("fl"));
  });
});

describe("a client", () => {
  test("that reports is shown among all and in the round that runs", () => {
    known(round(1).among(client("north"), client("south")).build(), [], [client("north").build(), client("south").build()]);
    hear(reported(client("south").with({ progress: 80, version: 2 }).build()));
    expect(cache.getQueryData(clients.queryKey)!.map((c) => c.progress)).toEqual([40, 80]);
    expect(current()!.clients.map((c) => c.progress)).toEqual([40, 80]);
  });

  test("that reports for the first time is added, in order", () => {
    known(round(1).build(), [], [client("south").build()]);
    hear(reported(client("north").build()));
    expect(cache.getQueryData(clients.queryKey)!.map((c) => c.id)).toEqual(["north", "south"]);
  });

  test("stays in an ended round as it was at its end", () => {
    known(round(1).among(client("north")).completed(0.9).build());
    hear(reported(client("north").delayed().with({ version: 2 }).build()));
    expect(current()!.clients[0]!.status).toBe("active");
  });

  test("does not go back", () => {
    known(null, [], [client("north").with({ progress: 80, version: 2 }).build()]);
    hear(reported(client("north").build()));
    expect(cache.getQueryData(clients.queryKey)![0]!.progress).toBe(80);
  });
});
