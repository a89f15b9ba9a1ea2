// Alerts as the web app knows them: how they are asked for, and how a live message changes what was answered.
//
//   GET /api/alerts ──► list cache ─┐
//                                   ├──► screen
//   /ws alert message ──► apply ────┘        apply changes what it can place for certain; where it cannot, the list is asked for again

import { keepPreviousData, queryOptions, type Query, type QueryClient, type QueryKey } from "@tanstack/react-query";

import { api, ApiError, ask } from "./api-client";
import type { paths } from "./schema";

type Answer<P extends keyof paths> = paths[P] extends { get: { responses: { 200: { content: { "application/json": infer T } } } } } ? T : never;

// relative_time ("3 minutes ago") is true at the time of asking only, and a message has none: it is left out.
export type Alert = Omit<NonNullable<Answer<"/api/alerts">["alerts"]>[number], "relative_time">;
export type AlertList = Omit<Answer<"/api/alerts">, "alerts"> & { alerts: Alert[] | null };
export type AlertDetail = Omit<Answer<"/api/alerts/{id}">, "relative_time">;
export type Severity = Alert["severity"];
export type Status = Alert["status"];

export const severities = ["critical", "high", "medium", "low"] as const satisfies readonly Severity[];
export const statuses = ["new", "acknowledged", "resolved", "false-positive"] as const satisfies readonly Status[];

/** Filters are what the URL of the alerts page holds; an empty list filters nothing out. */
export interface Filters {
  severity: Severity[];
  status: Status[];
  facility: string[];
  page: number;
}

export const pageSize = 50;

const keys = {
  all: ["alerts"] as const,
  lists: ["alerts", "list"] as const,
  list: (f: Filters) => ["alerts", "list", f] as const,
  detail: (id: string) => ["alerts", "detail", id] as const,
  arrivals: ["alerts-arrived"] as const,
};

/** alertList is one page of alerts. While another page or filter loads, the one before stays on the screen. */
export const alertList = (f: Filters) =>
  queryOptions({
    queryKey: keys.list(f),
    queryFn: ({ signal }): Promise<AlertList> =>
      ask(api.GET("/api/alerts", { params: { query: { ...nonEmpty(f), page: f.page, limit: pageSize } }, signal })),
    placeholderData: keepPreviousData,
  });

/** nonEmpty is the filters that filter something out. */
function nonEmpty({ severity, status, facility }: Filters) {
  return { ...(severity.length && { severity }), ...(status.length && { status }), ...(facility.length && { facility }) };
}

export const isFiltered = (f: Filters) => Object.keys(nonEmpty(f)).length > 0;

/** alertDetail is one alert with its history. One that does not exist is not asked for again. */
export const alertDetail = (id: string) =>
  queryOptions({
    queryKey: keys.detail(id),
    queryFn: ({ signal }): Promise<AlertDetail> => ask(api.GET("/api/alerts/{id}", { params: { path: { id } }, signal })),
    retry: (failures, error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500) && failures < 2,
  });

/** Arrival is an alert that was raised while the page was open, and when (the browser's clock, ms) it was heard of. */
export interface Arrival {
  alert: Alert;
  at: number;
}

/** alertArrivals is the newest arrivals, newest first. Only live messages fill it. */
export const alertArrivals = queryOptions({ queryKey: keys.arrivals, queryFn: (): Arrival[] => [], staleTime: Infinity, gcTime: Infinity, initialData: [] });

const arrivalsKept = 20;

/** AlertMessage is the data of a publication on the channel `alerts`. */
export interface AlertMessage {
  channel: "alerts";
  type: "alert_created" | "alert_updated";
  data: Alert;
}

export function isAlertMessage(m: unknown): m is AlertMessage {
  if (typeof m !== "object" || m === null || !("type" in m) || !("data" in m)) return false;
  const { type, data } = m;
  return (
    (type === "alert_created" || type === "alert_updated") &&
    typeof data === "object" && data !== null && "id" in data && typeof data.id === "string" && "version" in data && typeof data.version === "number"
  );
}

/**
 * LiveAlerts brings live messages into a query cache. Messages may come twice and late: a version that was seen, by
 * message or in an answer, is dropped. What cannot be changed for certain (an alert's page, a filtered total, an answer
 * on its way that may be older than the message) is asked for again, at most once in `reloadEvery`, however many
 * messages come.
 */
export class LiveAlerts {
  #cache: QueryClient;
  #seen = new Map<string, number>(); // version by id, oldest first
  #stale = new Map<string, QueryKey>(); // by the query's hash
  #timer: ReturnType<typeof setTimeout> | undefined;

  static readonly seenKept = 5_000;
  static readonly reloadEvery = 400; // ms

  constructor(cache: QueryClient) {
    this.#cache = cache;
  }

  /** apply takes in one message, in the order of the channel. */
  apply({ type, data: alert }: AlertMessage): void {
    if (this.#knownVersion(alert.id) >= alert.version) return;
    this.#remember(alert);

    for (const query of this.#cache.getQueryCache().findAll({ queryKey: keys.lists })) {
      const list = query.state.data as AlertList | undefined;
      const next = list && place(list, alert, query.queryKey[2] as Filters, type === "alert_created");
      if (next === "unknown" || query.state.fetchStatus !== "idle") this.#reloadSoon(query);
      if (next && next !== "unknown" && next !== list) this.#cache.setQueryData(query.queryKey, next);
    }
    for (const query of this.#cache.getQueryCache().findAll({ queryKey: keys.detail(alert.id) })) {
      this.#cache.setQueryData<AlertDetail>(query.queryKey, (old) => old && { ...old, ...alert });
      this.#reloadSoon(query); // the message carries no history
    }
    if (type === "alert_created") {
      this.#cache.setQueryData<Arrival[]>(keys.arrivals, (old = []) => [{ alert, at: Date.now() }, ...old].slice(0, arrivalsKept));
    }
  }

  /** reload asks again for everything on the screen: messages were missed. */
  reload(): void {
    this.stop();
    void this.#cache.invalidateQueries({ queryKey: keys.all });
  }

  /** stop forgets the reloads that have not begun. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stale.clear();
  }

  #reloadSoon({ queryHash, queryKey }: Query): void {
    this.#stale.set(queryHash, queryKey);
    this.#timer ??= setTimeout(() => {
      const stale = [...this.#stale.values()];
      this.stop();
      for (const key of stale) void this.#cache.invalidateQueries({ queryKey: key, exact: true });
    }, LiveAlerts.reloadEvery);
  }

  #knownVersion(id: string): number {
    let version = this.#seen.get(id) ?? 0;
    for (const [, list] of this.#cache.getQueriesData<AlertList>({ queryKey: keys.lists })) {
      version = Math.max(version, list?.alerts?.find((a) => a.id === id)?.version ?? 0);
    }
    return version;
  }

  #remember({ id, version }: Alert): void {
    this.#seen.delete(id);
    this.#seen.set(id, version);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= LiveAlerts.seenKept) break;
      this.#seen.delete(oldest);
    }
  }
}

/** place is the list with the alert brought in, the list itself where that changes nothing, or "unknown". */
function place(list: AlertList, alert: Alert, filters: Filters, created: boolean): AlertList | "unknown" {
  const alerts = list.alerts ?? [];
  const at = alerts.findIndex((a) => a.id === alert.id);
  if (at >= 0) {
    // One that no longer matches leaves, and one of the next page moves up.
    return matches(alert, filters) ? { ...list, alerts: alerts.with(at, alert) } : "unknown";
  }
  if (!created) {
    const whole = list.total <= alerts.length; // nothing can be on another page, so it was missed
    return whole || isFiltered(filters) ? "unknown" : list;
  }
  if (!matches(alert, filters)) return list;
  if (filters.page !== 1) return "unknown"; // everything moves down by one
  const total = list.total + 1;
  return {
    ...list,
    alerts: [...alerts, alert].sort(newestFirst).slice(0, list.limit),
    total,
    pages: Math.max(1, Math.ceil(total / list.limit)),
  };
}

export function matches(alert: Alert, f: Filters): boolean {
  const lets = (chosen: readonly string[], value: string) => !chosen.length || chosen.includes(value);
  return lets(f.severity, alert.severity) && lets(f.status, alert.status) && lets(f.facility, alert.facility_id);
}

/** newestFirst is the server's order of a list: by the first detection, ids of one moment by their bytes. */
function newestFirst(a: Alert, b: Alert): number {
  return Date.parse(b.timestamp) - Date.parse(a.timestamp) || (a.id < b.id ? 1 : -1);
}
