// Predictions: what may come next, and what became of it. Lists and graphs that are made of predictions are asked for
// again when one changes; the newest prediction is replaced at once.

import { queryOptions, type QueryClient } from "@tanstack/react-query";

import { api, ask } from "./api-client";
import { isMessage, newer, Reloads, type Message } from "./live";
import type { components } from "./schema";

export type Prediction = components["schemas"]["Prediction"];
export type PredictedTechnique = components["schemas"]["PredictedTechnique"];

const keys = {
  all: ["predictions"] as const,
  latest: ["predictions", "latest"] as const,
  lists: ["predictions", "list"] as const,
};

/** latestPrediction is the newest one by data time, of all facilities; null where there is none. */
export const latestPrediction = queryOptions({
  queryKey: keys.latest,
  queryFn: ({ signal }): Promise<Prediction | null> => ask(api.GET("/api/predictions/latest", { signal })),
});

/** facilityPredictions is the newest ones of a facility, newest first. */
export const facilityPredictions = (facility: string) =>
  queryOptions({
    queryKey: [...keys.lists, facility] as const,
    queryFn: async ({ signal }): Promise<Prediction[]> =>
      (await ask(api.GET("/api/predictions", { params: { query: { facility: [facility], limit: 50 } }, signal }))).predictions ?? [],
  });

/** predictionsOf is the newest ones that name a technique, by any of its ids, as what comes next. */
export const predictionsOf = (ids: readonly string[], facility: readonly string[]) =>
  queryOptions({
    queryKey: [...keys.lists, "of", ids, facility] as const,
    queryFn: async ({ signal }): Promise<Prediction[]> =>
      (await ask(api.GET("/api/predictions", { params: { query: { technique: [...ids], ...(facility.length && { facility: [...facility] }), limit: 20 } }, signal }))).predictions ?? [],
  });

const types = ["prediction_created", "prediction_updated", "prediction_validated", "prediction_expired"] as const;

export type PredictionMessage = Message<(typeof types)[number], Prediction>;

export const isPredictionMessage = (m: unknown): m is PredictionMessage => isMessage(m, types);

/** LivePredictions brings the channel's messages into a query cache. */
export class LivePredictions {
  #reloads: Reloads;

  static readonly reloadEvery = 1_000; // ms

  constructor(private readonly cache: QueryClient) {
    this.#reloads = new Reloads(cache, LivePredictions.reloadEvery);
  }

  apply({ data: prediction }: PredictionMessage): void {
    if (this.cache.isFetching({ queryKey: keys.latest })) this.#reloads.soon(keys.latest); // that answer may be older
    this.cache.setQueryData(latestPrediction.queryKey, (old) => (old === undefined ? undefined : latest(old, prediction)));
    this.#reloads.soon(keys.lists, ["mitre"]);
  }

  /** reload asks again for everything: messages were missed. */
  reload(): void {
    void this.cache.invalidateQueries({ queryKey: keys.all });
    void this.cache.invalidateQueries({ queryKey: ["mitre"] });
  }

  stop(): void {
    this.#reloads.stop();
  }
}

function latest(known: Prediction | null, next: Prediction): Prediction {
  if (!known) return next;
  if (known.id === next.id) return newer(next, known) ? next : known;
  return Date.parse(next.timestamp) >= Date.parse(known.timestamp) ? next : known;
}
