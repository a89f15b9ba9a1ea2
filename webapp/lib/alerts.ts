// Alerts as the web app knows them: how they are asked for and changed, and how a live message changes what was answered.
//
//   GET /api/alerts ──► list cache ─┐
//                                   ├──► screen
//   /ws alert message ──► apply ────┘        apply changes what it can place for certain; where it cannot, the list is asked for again
//
// A list holds its first pages. While somebody points at it or has scrolled, it is *held*: no row moves; what comes waits.

import { keepPreviousData, queryOptions, type QueryClient } from "@tanstack/react-query";

import { asQuery, inOrder, isFiltered, matches, type Filters } from "./alert-filters";
import type { Answer } from "./answer";
import { api, ApiError, ask, unlessRefused } from "./api-client";
import { isMessage, newer, Reloads } from "./live";
import type { components } from "./schema";

// relative_time ("3 minutes ago") is true at the time of asking only, and a message has none: it is left out.
export type Alert = Omit<NonNullable<Answer<"/api/alerts">["alerts"]>[number], "relative_time">;
export type AlertPage = Omit<Answer<"/api/alerts">, "alerts"> & { alerts: Alert[] | null };
export type AlertDetail = Omit<Answer<"/api/alerts/{id}">, "relative_time">;
export type Source = NonNullable<Alert["sources"]>[number];
export type Severity = Alert["severity"];
export type Status = Alert["status"];
export type StatusChange = components["schemas"]["StatusChange"];
export type BulkResult = components["schemas"]["BulkResult"];
export type AlertStats = Answer<"/api/alerts/stats">;

/** conversationOf is whose packets a source speaks of; what is not known is "" or 0. */
export function conversationOf({ conversation: c }: Source): { client: string; server: string; protocol: string; port: number } {
  const text = (address: unknown) => (typeof address === "string" ? address : ""); // the schema's word for an address has no type
  return { client: text(c?.client), server: text(c?.server), protocol: c?.protocol ?? "", port: c?.port ?? 0 };
}

/** AlertList is what is known of a filter's alerts. */
export interface AlertList {
  alerts: Alert[]; // the first ones, in the filter's order
  total: number; // on the server
  /** next is the cursor of what comes behind `alerts`: null where nothing does, undefined where it has to be found from the top. */
  next: string | null | undefined;
  held: boolean; // whether rows stay where they are
  waiting: Alert[]; // what would stand among the rows, was the list not held: the newest of them, at most a page
  waitingCount: number; // and how many they are
  behind: boolean; // messages were missed, so any row may be out of date
  renew: boolean; // the next answer takes the place of all rows, also of held ones
}

export const pageSize = 100;
const liveRows = 3 * pageSize; // as many as live messages may make of a list
const reloadRows = 2_000; // as many of a held list as are asked for again after messages were missed

const keys = {
  all: ["alerts"] as const,
  lists: ["alerts", "list"] as const,
  list: (f: Filters) => ["alerts", "list", f] as const,
  detail: (id: string) => ["alerts", "detail", id] as const,
  stats: (f: Filters) => ["alerts-stats", f] as const,
  arrivals: ["alerts-arrived"] as const,
  alarms: ["alerts-critical"] as const,
};

/** alertList is the first alerts of a filter. While another filter loads, the one before stays on the screen. */
export const alertList = (f: Filters) =>
  queryOptions({
    queryKey: keys.list(f),
    queryFn: async ({ signal, client }): Promise<AlertList> => {
      const known = () => client.getQueryData<AlertList>(keys.list(f));
      const before = known();
      const answered = await load(f, before?.held && before.behind ? Math.min(before.alerts.length, reloadRows) : pageSize, signal);
      const now = known();
      return now?.held && !now.renew ? keepRows(now, answered, f) : { ...answered, held: now?.held ?? false };
    },
    placeholderData: keepPreviousData,
  });

/** load is the first alerts of a filter, at least as many as asked for where there are as many. */
async function load(f: Filters, rows: number, signal?: AbortSignal): Promise<AlertList> {
  let list: AlertList | undefined;
  do {
    list = append(list, await page(f, list?.next ?? undefined, signal), f);
  } while (list.next && list.alerts.length < rows);
  return list;
}

const page = (f: Filters, cursor: string | undefined, signal?: AbortSignal): Promise<AlertPage> =>
  ask(api.GET("/api/alerts", { params: { query: { ...asQuery(f), sort: f.sort, limit: pageSize, ...(cursor && { cursor }) } }, signal }));

function append(list: AlertList | undefined, page: AlertPage, f: Filters): AlertList {
  const answered = page.alerts ?? [];
  const more = { total: page.total, next: page.next_cursor };
  if (!list) return { alerts: answered, held: false, waiting: [], waitingCount: 0, behind: false, renew: false, ...more };
  const here = new Set(list.alerts.map((a) => a.id));
  const last = list.alerts.at(-1);
  const order = inOrder(f.sort);
  return { ...list, ...more, alerts: [...list.alerts, ...answered.filter((a) => !here.has(a.id) && (!last || order(last, a) < 0))] };
}

/** keepRows brings an answer into a held list: its rows stay, with what is new of them; the others wait. */
function keepRows(held: AlertList, answered: AlertList, f: Filters): AlertList {
  const fresh = new Map(answered.alerts.map((a) => [a.id, a]));
  const alerts = held.alerts.map((a) => newerOf(a, fresh.get(a.id)));
  for (const { id } of held.alerts) fresh.delete(id);
  const last = alerts.at(-1);
  const order = inOrder(f.sort);
  const waiting = [...fresh.values()].filter((a) => !last || order(a, last) < 0);
  // What comes behind the rows is not waiting: it is reached by going down.
  return {
    ...held, alerts, waiting, total: answered.total, behind: false,
    waitingCount: waiting.length < pageSize ? waiting.length : Math.max(held.waitingCount, waiting.length),
  };
}

const newerOf = (a: Alert, b: Alert | undefined) => (b && newer(b, a) ? b : a);

/** moreAlerts brings the next page of a list into the cache. */
export async function moreAlerts(cache: QueryClient, f: Filters): Promise<void> {
  const { queryKey } = alertList(f);
  const before = cache.getQueryData(queryKey);
  if (!before || before.next === null) return;
  const found =
    before.next === undefined
      ? await load(f, before.alerts.length + before.waitingCount + pageSize)
      : await page(f, before.next).then((p) => append(undefined, p, f));
  cache.setQueryData(queryKey, (now) =>
    now && now.next === before.next ? append(now, { alerts: found.alerts, total: found.total, next_cursor: found.next ?? null, page: 0, pages: 0, limit: pageSize }, f) : now,
  );
}

/** holdAlerts keeps the rows of a list where they are, or lets them go: what has waited comes in. */
export function holdAlerts(cache: QueryClient, f: Filters, held: boolean): void {
  const { queryKey } = alertList(f);
  const list = cache.getQueryData(queryKey);
  if (!list || list.held === held) return;
  const gone = !held && list.alerts.some((a) => matches(a, f) === false);
  const whole = list.waiting.length === list.waitingCount;
  const renew = list.renew || (!held && (gone || !whole || list.behind));
  cache.setQueryData(queryKey, {
    ...list, held, renew, waiting: [], waitingCount: 0,
    alerts: held || !whole ? list.alerts : [...list.waiting, ...list.alerts.filter((a) => matches(a, f) !== false)].sort(inOrder(f.sort)),
  });
  if (renew && !held) void cache.invalidateQueries({ queryKey, exact: true });
}

/** alertDetail is one alert with its history. One that does not exist is not asked for again. */
export const alertDetail = (id: string) =>
  queryOptions({
    queryKey: keys.detail(id),
    queryFn: ({ signal }): Promise<AlertDetail> => ask(api.GET("/api/alerts/{id}", { params: { path: { id } }, signal })),
    retry: unlessRefused,
  });

/** alertStats is how many alerts of each kind a filter lets through. */
export const alertStats = (f: Filters) =>
  queryOptions({
    queryKey: keys.stats(f),
    queryFn: ({ signal }): Promise<AlertStats> => ask(api.GET("/api/alerts/stats", { params: { query: asQuery(f) }, signal })),
  });

/** exportHref is where a filter's alerts are downloaded. */
export function exportHref(f: Filters, format: "csv" | "json" | "stix"): string {
  const query = Object.entries({ ...asQuery(f), format }).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return `/api/alerts/export?${query.join("&")}`;
}

/** Overtaken is what a change fails with where a colleague was quicker; now is the alert as they left it. */
export class Overtaken extends Error {
  constructor(readonly now: AlertDetail) {
    super("a colleague was quicker");
    this.name = "Overtaken";
  }
}

export const setAlertStatus = (cache: QueryClient, seen: Alert, body: StatusChange) =>
  change(cache, seen, (version) => api.PUT("/api/alerts/{id}/status", { params: { path: { id: seen.id }, header: { "If-Match": version } }, body }));

export const assignAlert = (cache: QueryClient, seen: Alert, assignee: string) =>
  change(cache, seen, (version) => api.PUT("/api/alerts/{id}/assignee", { params: { path: { id: seen.id }, header: { "If-Match": version } }, body: { assignee } }));

/** commentAlert says something of an alert; what others say or do meanwhile does not hinder it. */
export const commentAlert = async (cache: QueryClient, { id }: Alert, text: string): Promise<AlertDetail> =>
  known(cache, await ask(api.POST("/api/alerts/{id}/comments", { params: { path: { id } }, body: { text } })));

/**
 * change makes a change to the alert as it was seen. The version also grows with each detection, which is no reason to
 * ask a person again: only where somebody moved or assigned it in between is it Overtaken.
 */
async function change(cache: QueryClient, seen: Alert, send: (version: string) => Promise<{ data?: AlertDetail; error?: unknown; response: Response }>): Promise<AlertDetail> {
  let version = seen.version;
  for (let tries = 0; ; tries++) {
    try {
      return known(cache, await ask(send(`"${version}"`)));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 412) throw error;
      const now = known(cache, await ask(api.GET("/api/alerts/{id}", { params: { path: { id: seen.id } } })));
      if (now.status !== seen.status || now.assignee !== seen.assignee) throw new Overtaken(now);
      if (tries === 4) throw error;
      version = now.version;
    }
  }
}

/** known brings an answered alert into everything that shows it, as its message would. */
function known(cache: QueryClient, detail: AlertDetail): AlertDetail {
  cache.setQueryData<AlertDetail>(keys.detail(detail.id), (old) => (old && old.version > detail.version ? old : detail));
  const alert: Alert & { history?: unknown; relative_time?: unknown } = { ...detail };
  delete alert.history;
  delete alert.relative_time;
  liveOf.get(cache)?.apply({ channel: "alerts", type: "alert_updated", data: alert });
  return detail;
}

/** setAlertsStatus moves many alerts; what could not be moved is in `errors`. Their messages change what is on the screen. */
export async function setAlertsStatus(ids: readonly string[], change: StatusChange): Promise<Pick<BulkResult, "changed"> & { errors: NonNullable<BulkResult["errors"]> }> {
  const sum: Awaited<ReturnType<typeof setAlertsStatus>> = { changed: 0, errors: [] };
  for (let from = 0; from < ids.length; from += 1_000) {
    const { changed, errors } = await ask(api.POST("/api/alerts/status", { body: { ids: ids.slice(from, from + 1_000), ...change } }));
    sum.changed += changed;
    sum.errors.push(...(errors ?? []));
  }
  return sum;
}

/** Arrival is an alert that was raised while the page was open, and when (the browser's clock, ms) it was heard of. */
export interface Arrival {
  alert: Alert;
  at: number;
}

/** alertArrivals is the newest arrivals, newest first. Only live messages fill it. */
export const alertArrivals = queryOptions({ queryKey: keys.arrivals, queryFn: (): Arrival[] => [], staleTime: Infinity, gcTime: Infinity, initialData: [] });

/** alertAlarms is the newest alerts that began as critical, or became so, while the page was open. Muted ones are none. */
export const alertAlarms = queryOptions({ queryKey: keys.alarms, queryFn: (): Arrival[] => [], staleTime: Infinity, gcTime: Infinity, initialData: [] });

const arrivalsKept = 20;

/** AlertMessage is the data of a publication on the channel `alerts`. */
export interface AlertMessage {
  channel: "alerts";
  type: "alert_created" | "alert_updated";
  data: Alert;
}

export function isAlertMessage(m: unknown): m is AlertMessage {
  if (!isMessage(m, ["alert_created", "alert_updated"])) return false;
  return "id" in m.data && typeof m.data.id === "string" && "version" in m.data && typeof m.data.version === "number";
}

const liveOf = new WeakMap<QueryClient, LiveAlerts>();

/**
 * LiveAlerts brings live messages into a query cache. Messages may come twice and late: a version that was seen by
 * message is dropped, and what an answer already has as new or newer stays as it is. In a storm they are brought in by
 * the batch. What cannot be changed for certain (a filtered total, an answer on its way that may be older than the
 * message, one that may have counted what stands below its rows) is asked for again, at most once in `reloadEvery`, however many messages come.
 */
export class LiveAlerts {
  #cache: QueryClient;
  #queue: AlertMessage[] = [];
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #flushedAt = -Infinity;
  #seen = new Map<string, Pick<Alert, "version" | "severity">>(); // by id, oldest first
  #reloads: Reloads;

  static readonly seenKept = 5_000;
  static readonly batchEvery = 250; // ms
  static readonly reloadEvery = 500; // ms

  constructor(cache: QueryClient) {
    this.#cache = cache;
    this.#reloads = new Reloads(cache, LiveAlerts.reloadEvery);
    liveOf.set(cache, this);
  }

  /** apply takes in one message, in the order of the channel: at once, or with those that follow it closely. */
  apply(message: AlertMessage): void {
    this.#queue.push(message);
    const wait = this.#flushedAt + LiveAlerts.batchEvery - Date.now();
    if (wait > 0) this.#flushTimer ??= setTimeout(() => this.#flush(), wait);
    else this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#flushedAt = Date.now();
    const queue = this.#queue;
    this.#queue = [];
    const alarms: Alert[] = [];
    const messages = queue.filter(({ type, data }) => {
      if (!newer(data, this.#seen.get(data.id))) return false;
      if (data.severity === "critical" && !data.muted && (type === "alert_created" || this.#wasLess(data))) alarms.push(data);
      this.#remember(data);
      return true;
    });
    if (!messages.length) return;

    for (const query of this.#cache.getQueryCache().findAll({ queryKey: keys.lists })) {
      const list = query.state.data as AlertList | undefined;
      let next = list;
      let sure = query.state.fetchStatus === "idle";
      for (const { type, data } of messages) {
        const placed = next && place(next, data, query.queryKey[2] as Filters, type === "alert_created");
        next = placed?.list;
        sure &&= placed?.sure ?? true;
      }
      if (!sure) this.#reloads.soon(query.queryKey);
      if (next !== list) this.#cache.setQueryData(query.queryKey, next);
    }
    for (const { data: alert } of messages) {
      for (const query of this.#cache.getQueryCache().findAll({ queryKey: keys.detail(alert.id) })) {
        if (!newer(alert, query.state.data as AlertDetail | undefined)) continue;
        this.#cache.setQueryData<AlertDetail>(query.queryKey, (old) => old && { ...old, ...alert });
        this.#reloads.soon(query.queryKey); // the message carries no history
      }
    }
    this.#arrived(keys.arrivals, messages.filter((m) => m.type === "alert_created").map((m) => m.data));
    this.#arrived(keys.alarms, alarms);
  }

  #arrived(key: typeof keys.arrivals | typeof keys.alarms, alerts: Alert[]): void {
    if (!alerts.length) return;
    const at = Date.now();
    this.#cache.setQueryData<Arrival[]>(key, (old = []) => [...alerts.reverse().map((alert) => ({ alert, at })), ...old].slice(0, arrivalsKept));
  }

  /** reload asks again for everything on the screen: messages were missed. */
  reload(): void {
    if (this.#queue.length) this.#flush(); // no answer tells what to ring for
    this.stop();
    this.#cache.setQueriesData<AlertList>({ queryKey: keys.lists }, (list) => list && { ...list, behind: true });
    void this.#cache.invalidateQueries({ queryKey: keys.all });
  }

  /** stop forgets the reloads that have not begun. */
  stop(): void {
    this.#reloads.stop();
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#queue = [];
  }

  /** wasLess is whether an alert is known, by message or in a list, and was less than critical before this version of it. */
  #wasLess({ id, version }: Alert): boolean {
    let before: Pick<Alert, "version" | "severity"> | undefined = this.#seen.get(id);
    for (const [, list] of this.#cache.getQueriesData<AlertList>({ queryKey: keys.lists })) {
      const listed = list?.alerts.find((a) => a.id === id);
      if (listed && listed.version < version && newer(listed, before)) before = listed;
    }
    return before !== undefined && before.severity !== "critical";
  }

  #remember({ id, version, severity }: Alert): void {
    this.#seen.delete(id);
    this.#seen.set(id, { version, severity });
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= LiveAlerts.seenKept) break;
      this.#seen.delete(oldest);
    }
  }
}

/** place is the list with the alert brought in, and whether that is sure to be what the server has. */
function place(list: AlertList, alert: Alert, f: Filters, created: boolean): { list: AlertList; sure: boolean } {
  const match = matches(alert, f);
  const at = list.alerts.findIndex((a) => a.id === alert.id);
  if (at >= 0) {
    if (!newer(alert, list.alerts[at])) return { list, sure: true };
    // One that no longer matches stays, shown as it is now, until the list is asked for again.
    const order = inOrder(f.sort);
    const [above, below] = [list.alerts[at - 1], list.alerts[at + 1]];
    const stays = list.held || ((!above || order(above, alert) < 0) && (!below || order(alert, below) < 0));
    return { list: { ...list, alerts: stays ? list.alerts.with(at, alert) : inserted(list.alerts.toSpliced(at, 1), alert, order) }, sure: match === true };
  }
  const waits = list.waiting.findIndex((a) => a.id === alert.id);
  if (waits >= 0) {
    if (!newer(alert, list.waiting[waits])) return { list, sure: true };
    return { list: { ...list, waiting: list.waiting.with(waits, alert) }, sure: match === true };
  }

  if (!created) {
    const whole = list.next === null; // nothing can be further down, so its beginning was missed
    const movesUp = f.sort === "-last_seen";
    return { list, sure: !whole && !movesUp && !isFiltered(f) };
  }
  if (match === false) return { list, sure: true };
  if (match === undefined) return { list, sure: false };

  const counted = { ...list, total: list.total + 1 };
  const order = inOrder(f.sort);
  const last = list.alerts.at(-1);
  // Where a row may stand that is not known, an answer may have counted it before its message came.
  if (list.next !== null && last && order(alert, last) > 0) return { list: counted, sure: false };
  if (list.held) {
    const oldest = list.waiting.length < pageSize ? undefined : list.waiting.at(-1);
    return {
      list: { ...counted, waiting: [alert, ...list.waiting].slice(0, pageSize), waitingCount: list.waitingCount + 1 },
      sure: !oldest || order(alert, oldest) < 0,
    };
  }
  const alerts = inserted(list.alerts, alert, order);
  if (alerts.length <= liveRows) return { list: { ...counted, alerts }, sure: true };
  return { list: { ...counted, alerts: alerts.slice(0, pageSize), next: undefined }, sure: true };
}

/** inserted is a list in order with one more in its place. */
function inserted(alerts: readonly Alert[], alert: Alert, order: (a: Alert, b: Alert) => number): Alert[] {
  let [low, high] = [0, alerts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(alerts[middle]!, alert) < 0) low = middle + 1;
    else high = middle;
  }
  return alerts.toSpliced(low, 0, alert);
}
