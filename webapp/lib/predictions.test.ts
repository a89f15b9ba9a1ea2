import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { predicted, prediction } from "@/test/factories/prediction";
import type { Message } from "./live";
import { isPredictionMessage, latestPrediction, LivePredictions } from "./predictions";

let cache: QueryClient;
let live: LivePredictions;
let asked: string[];

beforeEach(() => {
  vi.useFakeTimers();
  cache = new QueryClient();
  live = new LivePredictions(cache);
  asked = [];
  vi.spyOn(cache, "invalidateQueries").mockImplementation(async (f) => void asked.push((f?.queryKey ?? []).join(" ")));
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

const hear = (m: Message) => isPredictionMessage(m) && live.apply(m);
const latest = () => cache.getQueryData(latestPrediction.queryKey);

test("the newest prediction is the newest by its data time", () => {
  const [a, b, c] = [prediction(), prediction(), prediction()];
  cache.setQueryData(latestPrediction.queryKey, null);
  for (const [p, newest] of [[b, b], [a, b], [c, c]] as const) {
    hear(predicted(p));
    expect(latest()?.id).toBe(newest.id);
  }
});

test("a prediction that came true says so, and stays so", () => {
  const p = prediction();
  cache.setQueryData(latestPrediction.queryKey, p);
  hear(predicted({ ...p, status: "validated", validated: true, version: 2 }, "validated"));
  hear(predicted(p));
  expect(latest()?.status).toBe("validated");
});

test("before the first answer nothing is known of the newest", () => {
  hear(predicted(prediction()));
  expect(latest()).toBeUndefined();
});

test("lists and graphs of predictions are asked for again, once for many messages", () => {
  for (let i = 0; i < 9; i++) hear(predicted(prediction()));
  vi.advanceTimersByTime(LivePredictions.reloadEvery);
  expect(asked).toEqual(["predictions list", "mitre"]);
});
