import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { isMessage, newer, Reloads, upsert } from "./live";

describe("a message", () => {
  test.each([
    [{ channel: "c", type: "a", data: {} }, true],
    [{ channel: "c", type: "b", data: {} }, true],
    [{ channel: "c", type: "other", data: {} }, false],
    [{ channel: "c", type: "a", data: null }, false],
    [{ channel: "c", type: "a" }, false],
    ["a", false],
    [null, false],
  ])("%j: %s", (m, want) => expect(isMessage(m, ["a", "b"])).toBe(want));
});

test("of two versions the greater is newer, and anything is newer than nothing", () => {
  expect(newer({ version: 2 }, { version: 1 })).toBe(true);
  expect(newer({ version: 1 }, { version: 1 })).toBe(false);
  expect(newer({ version: 1 }, null)).toBe(true);
});

describe("upsert", () => {
  const key = (x: { id: string; version: number }) => x.id;
  const list = [{ id: "a", version: 2 }, { id: "b", version: 1 }];

  test("puts a newer version in its place", () => expect(upsert(list, { id: "a", version: 3 }, key)).toEqual([{ id: "a", version: 3 }, list[1]]));
  test("leaves the list as it is where the version is known", () => expect(upsert(list, { id: "a", version: 2 }, key)).toBe(list));
  test("adds what is new", () => expect(upsert(list, { id: "c", version: 1 }, key)).toHaveLength(3));
});

describe("Reloads", () => {
  let cache: QueryClient;
  let answers: ((value: number) => void)[]; // of the questions that are on their way, oldest first
  let stop: () => void;
  let asked: number;

  beforeEach(async () => {
    vi.useFakeTimers();
    cache = new QueryClient();
    answers = [];
    asked = 0;
    const queryFn = () => new Promise<number>((done) => (asked++, answers.push(done)));
    stop = new QueryObserver(cache, { queryKey: ["things", "one"], queryFn, initialData: 0, staleTime: Infinity }).subscribe(() => undefined);
  });
  afterEach(() => {
    stop();
    cache.clear();
    vi.useRealTimers();
  });

  test("asks once for many messages", async () => {
    const reloads = new Reloads(cache, 400);
    for (let i = 0; i < 100; i++) reloads.soon(["things"]);
    await vi.advanceTimersByTimeAsync(399);
    expect(asked).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toBe(1);
    reloads.stop();
  });

  test("asks soon the first time, and then seldom", async () => {
    const reloads = new Reloads(cache, 2_000);
    reloads.soon(["things"]);
    await vi.advanceTimersByTimeAsync(400);
    expect(asked).toBe(1);
    answers[0]!(1);
    await vi.advanceTimersByTimeAsync(100);
    reloads.soon(["things"]);
    await vi.advanceTimersByTimeAsync(1_800);
    expect(asked).toBe(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toBe(2);
    reloads.stop();
  });

  test("waits for an answer that is on its way, and asks again then", async () => {
    const reloads = new Reloads(cache, 400);
    reloads.soon(["things"]);
    await vi.advanceTimersByTimeAsync(400);
    reloads.soon(["things"]); // while the server is slow
    await vi.advanceTimersByTimeAsync(4_000);
    expect(asked).toBe(1);
    answers[0]!(1);
    await vi.advanceTimersByTimeAsync(400);
    expect(asked).toBe(2);
    answers[1]!(2);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(asked).toBe(2);
    expect(cache.getQueryData(["things", "one"])).toBe(2);
  });

  test("forgets what has not begun", async () => {
    const reloads = new Reloads(cache, 400);
    reloads.soon(["things"]);
    reloads.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toBe(0);
  });
});
