// Federated learning: the round that runs, the rounds before it, the clients, and what it costs in privacy.
//
//   GET /api/fl/… ─────────────┐
//                              ├──► screen
//   /ws fl_progress, fl_client ┘     a round or client is replaced by a newer version of itself; what a message does not
//                                    say (what an ended round changed, the privacy spent) is asked for again

import { keepPreviousData, queryOptions, type QueryClient } from "@tanstack/react-query";

import type { Answer } from "./answer";
import { api, ask } from "./api-client";
import { isMessage, newer, Reloads, upsert, type Message } from "./live";
import type { components } from "./schema";

export type Round = components["schemas"]["Round"];
export type Client = components["schemas"]["FLClient"];
export type EndedRound = components["schemas"]["EndedRound"];
export type PrivacyMetrics = Answer<"/api/fl/privacy-metrics">;

export const roundStatuses = ["in-progress", "completed", "failed"] as const satisfies readonly Round["status"][];
export const phases = ["distributing", "training", "aggregating", "complete"] as const satisfies readonly Round["phase"][];

const keys = {
  all: ["fl"] as const,
  current: ["fl", "current"] as const,
  clients: ["fl", "clients"] as const,
  recent: ["fl", "recent"] as const,
  round: (id: number) => ["fl", "round", id] as const,
  history: ["fl", "history"] as const,
  privacy: ["fl", "privacy"] as const,
};

const models = ["models"] as const; // which a round makes

/** currentRound is the round in progress, else the last one; null where there never was one. */
export const currentRound = queryOptions({
  queryKey: keys.current,
  queryFn: ({ signal }): Promise<Round | null> => ask(api.GET("/api/fl/rounds/current", { signal })),
});

/** clients is every client of the federation, by id. */
export const clients = queryOptions({
  queryKey: keys.clients,
  queryFn: ({ signal }): Promise<Client[]> => ask(api.GET("/api/fl/clients", { signal })),
});

const recentKept = 200;

/** recentRounds is the newest rounds, newest first, also those that wait for their turn. */
export const recentRounds = queryOptions({
  queryKey: keys.recent,
  queryFn: async ({ signal }): Promise<Round[]> => (await ask(api.GET("/api/fl/rounds", { params: { query: { limit: recentKept } }, signal }))).rounds,
});

/** oneRound is a round with its clients as they stood at its end. */
export const oneRound = (id: number) =>
  queryOptions({
    queryKey: keys.round(id),
    queryFn: ({ signal }): Promise<Round> => ask(api.GET("/api/fl/rounds/{id}", { params: { path: { id } }, signal })),
  });

/** roundHistory is what became of the rounds that have ended, newest first. */
export const roundHistory = queryOptions({
  queryKey: keys.history,
  queryFn: ({ signal }): Promise<EndedRound[]> => ask(api.GET("/api/fl/rounds/history", { params: { query: { limit: 1_000 } }, signal })),
  placeholderData: keepPreviousData,
});

export const privacyMetrics = queryOptions({
  queryKey: keys.privacy,
  queryFn: ({ signal }): Promise<PrivacyMetrics> => ask(api.GET("/api/fl/privacy-metrics", { signal })),
});

/** triggerRound asks for a round among all clients; where others run or wait, it waits for its turn. */
export async function triggerRound(cache: QueryClient): Promise<Round> {
  const round = await ask(api.POST("/api/fl/rounds/trigger", { body: {} }));
  putRound(cache, round);
  return round;
}

export type RoundMessage = Message<"fl_progress", Round> | Message<"fl_client", Client>;

export const isRoundMessage = (m: unknown): m is RoundMessage => isMessage(m, ["fl_progress", "fl_client"]);

/** LiveRounds brings the channel's messages into a query cache. */
export class LiveRounds {
  #reloads: Reloads;

  static readonly reloadEvery = 400; // ms

  constructor(private readonly cache: QueryClient) {
    this.#reloads = new Reloads(cache, LiveRounds.reloadEvery);
  }

  apply({ type, data }: RoundMessage): void {
    // An answer on its way may be older than this message.
    if (this.cache.isFetching({ queryKey: keys.all })) this.#reloads.soon(keys.all);
    if (type === "fl_client") {
      putClients(this.cache, [data]);
      this.cache.setQueryData(currentRound.queryKey, (old) => old && withClient(old, data));
      return;
    }
    putRound(this.cache, data);
    putClients(this.cache, data.clients);
    this.#reloads.soon(keys.privacy);
    // Only the server knows what an ended round changed, which round is next, and which models came of it.
    if (data.status !== "in-progress") this.#reloads.soon(keys.history, keys.current, keys.recent, models);
  }

  /** reload asks again for everything: messages were missed. */
  reload(): void {
    for (const queryKey of [keys.all, models]) void this.cache.invalidateQueries({ queryKey });
  }

  stop(): void {
    this.#reloads.stop();
  }
}

function putRound(cache: QueryClient, round: Round): void {
  cache.setQueryData(currentRound.queryKey, (old) => (old === undefined ? undefined : current(old, round)));
  cache.setQueryData(oneRound(round.id).queryKey, (old) => old && (newer(round, old) ? round : old));
  cache.setQueryData(recentRounds.queryKey, (old) =>
    old && upsert(old, round, (r) => r.id).toSorted((a, b) => b.round_number - a.round_number).slice(0, recentKept),
  );
}

/** current is which of two rounds is the one to show: a round in progress before one that has ended, of several in progress the first. */
function current(known: Round | null, round: Round): Round {
  if (!known) return round;
  if (known.id === round.id) return newer(round, known) ? round : known;
  const runs = (r: Round) => r.status === "in-progress";
  if (runs(known) && runs(round)) return round.round_number < known.round_number ? round : known;
  if (runs(known) !== runs(round)) return runs(known) ? known : round;
  return round.round_number > known.round_number ? round : known;
}

function putClients(cache: QueryClient, fresh: readonly Client[]): void {
  cache.setQueryData(clients.queryKey, (old) => old && fresh.reduce((all, c) => upsert(all, c, (other) => other.id), old).toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}

/** withClient is a round in progress with what one of its clients reported; an ended round keeps its clients as they were. */
function withClient(round: Round, client: Client): Round {
  if (round.status !== "in-progress" || !round.clients.some((c) => c.id === client.id)) return round;
  return { ...round, clients: upsert(round.clients, client, (c) => c.id) };
}
