import type { Message } from "@/lib/live";
import type { Client, EndedRound, PrivacyMetrics, Round } from "@/lib/rounds";

const began = Date.UTC(2026, 2, 4, 5, 0, 0);
const minute = 60_000; // ms

/** client() is a client of the federation as the server sends it: `client("north").delayed().build()`. */
export function client(id: string) {
  return new ClientBuilder({
    id, name: id, facility_id: id, status: "active", progress: 40, current_epoch: 2, total_epochs: 5, loss: 0.21, accuracy: 0.9,
    last_update: new Date(began).toISOString(), version: 1,
  });
}

class ClientBuilder {
  constructor(private readonly client: Client) {}

  with = (change: Partial<Client>) => new ClientBuilder({ ...this.client, ...change });
  delayed = () => this.with({ status: "delayed" });
  build = (): Client => this.client;
}

/** round() is a round as the server sends it, by its number: `round(7).training(42).build()`. Round 1 began first, each a quarter of an hour after the one before. */
export function round(n: number) {
  const start = began + n * 15 * minute;
  return new RoundBuilder({
    id: n, round_number: n, status: "in-progress", phase: "distributing", progress: 0, epsilon: null, model_accuracy: null,
    clients_active: 2, total_clients: 2, clients: [], start_time: new Date(start).toISOString(), end_time: null,
    last_update: new Date(start).toISOString(), time_remaining: null, reason: "", version: 1,
  });
}

class RoundBuilder {
  constructor(private readonly round: Round) {}

  with = (change: Partial<Round>) => new RoundBuilder({ ...this.round, ...change });
  training = (progress: number) => this.with({ phase: "training", progress, time_remaining: 7.5, version: this.round.version + 1 });
  completed = (accuracy: number, epsilon: number | null = null) =>
    this.with({ status: "completed", phase: "complete", progress: 100, model_accuracy: accuracy, epsilon, time_remaining: 0, end_time: this.#end(), version: this.round.version + 1 });
  failed = (reason: string) => this.with({ status: "failed", phase: "training", reason, time_remaining: 0, end_time: this.#end(), version: this.round.version + 1 });
  among = (...clients: ClientBuilder[]) => this.with({ clients: clients.map((c) => c.build()), clients_active: clients.length, total_clients: clients.length });
  #end = () => new Date(Date.parse(this.round.start_time) + 12.5 * minute).toISOString();
  build = (): Round => this.round;

  /** ended is the round as the history has it. */
  ended(accuracyChange: number | null = null): EndedRound {
    const { round_number, status, epsilon, start_time, end_time, reason, clients_active, total_clients } = this.round;
    if (status === "in-progress" || !end_time) throw new Error("this round has not ended");
    return { round_number, status, epsilon, start_time, end_time, reason, duration: 12.5, clients: `${clients_active}/${total_clients}`, accuracy_change: accuracyChange };
  }
}

export const noPrivacy: PrivacyMetrics = { epsilon: null, delta: null, data_size: null, encryption: null, privacy_budget_remaining: null };

export const progressed = (data: Round): Message => ({ channel: "fl_status", type: "fl_progress", data });
export const reported = (data: Client): Message => ({ channel: "fl_status", type: "fl_client", data });
