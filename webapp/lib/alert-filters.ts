// What the alerts page can be asked for, and how its URL says so: `/alerts?severity=high,critical&status=new&sort=-severity&id=…`.
// A link from anywhere to a list of alerts is made here.

import type { Alert, Severity, Status } from "./alerts";
import { asSearch } from "./search";

export const severities = ["critical", "high", "medium", "low"] as const satisfies readonly Severity[];
export const statuses = ["new", "acknowledged", "resolved", "false-positive"] as const satisfies readonly Status[];
export const ranges = ["24h", "7d", "30d"] as const;
export const sorts = ["-timestamp", "timestamp", "-last_seen", "-severity"] as const;

export type Range = (typeof ranges)[number];
export type Sort = (typeof sorts)[number];

/** Filters are what a list of alerts lets through, and in which order. What is empty filters nothing out. */
export interface Filters {
  severity: Severity[];
  status: Status[];
  facility: string[];
  technique: string[];
  assignee: string[]; // "unassigned" is nobody
  search: string;
  range: Range | ""; // up to now; in place of from and to
  from: string; // RFC 3339, data time
  to: string;
  muted: "" | "true" | "false";
  sort: Sort;
}

/** everything filters nothing out, newest first. */
export const everything: Filters = {
  severity: [], status: [], facility: [], technique: [], assignee: [], search: "", range: "", from: "", to: "", muted: "", sort: "-timestamp",
};

/** nobody is the assignee of an alert that has none, as the API asks for it. */
export const nobody = "unassigned";

/** asQuery is the filters as the API takes them, without those that filter nothing out. */
export function asQuery(f: Filters) {
  const searched = /[\p{L}\p{N}]/u.test(f.search) && f.search; // the server refuses a search without a word
  return {
    ...(f.severity.length && { severity: f.severity }),
    ...(f.status.length && { status: f.status }),
    ...(f.facility.length && { facility: f.facility }),
    ...(f.technique.length && { technique: f.technique }),
    ...(f.assignee.length && { assignee: f.assignee }),
    ...(searched && { search: searched }),
    ...(f.range ? { time_range: f.range } : { ...(f.from && { from: f.from }), ...(f.to && { to: f.to }) }),
    ...(f.muted && { muted: f.muted }),
  };
}

export const isFiltered = (f: Filters) => Object.keys(asQuery(f)).length > 0;

/** noFilters takes every filter away and leaves the order. */
export const noFilters = ({ sort }: Filters): Filters => ({ ...everything, sort });

/** filterSearch is the filters as a URL's query: only what differs from everything. */
export function filterSearch(f: Partial<Filters>): string {
  const { sort, ...rest } = { ...everything, ...f };
  return asSearch({ ...asQuery({ ...rest, sort }), ...(sort !== everything.sort && { sort }) });
}

/** alertsHref is the address of a list of alerts, or of one alert in it. */
export function alertsHref(f: Partial<Filters>, id?: string | null): string {
  const query = [filterSearch(f), id && `id=${encodeURIComponent(id)}`].filter(Boolean).join("&");
  return `/alerts${query && `?${query}`}`;
}

/** parseFilters takes what it understands of a URL's query and lets the rest be: a mistyped filter filters nothing out. */
export function parseFilters(params: URLSearchParams): Filters {
  const list = (name: string) => [...new Set((params.get(name) ?? "").split(",").filter(Boolean))];
  const known = <T extends string>(name: string, values: readonly T[]) => values.filter((v) => list(name).includes(v));
  const one = <T extends string>(name: string, values: readonly T[]): T | "" => values.find((v) => v === params.get(name)) ?? "";
  const time = (name: string) => {
    const at = new Date(params.get(name) ?? "");
    return Number.isNaN(at.getTime()) ? "" : at.toISOString();
  };
  return {
    severity: known("severity", severities),
    status: known("status", statuses),
    facility: list("facility").filter((id) => /^[a-z0-9_-]{1,64}$/.test(id)),
    technique: list("technique").filter((id) => /^T\d{4}(\.\d{3})?$/.test(id)),
    assignee: list("assignee"),
    search: (params.get("search") ?? "").slice(0, 200),
    range: one("time_range", ranges),
    from: time("from"),
    to: time("to"),
    muted: one("muted", ["true", "false"]),
    sort: one("sort", sorts) || everything.sort,
  };
}

const hour = 3_600_000; // ms
/** reach is how far back each range goes, ms. */
export const reach: Record<Range, number> = { "24h": 24 * hour, "7d": 7 * 24 * hour, "30d": 30 * 24 * hour };

/** matches is whether the filters let an alert through; undefined where only the server can say (a search, the edge of a time range). */
export function matches(alert: Alert, f: Filters, now = Date.now()): boolean | undefined {
  const lets = (chosen: readonly string[], ...values: string[]) => !chosen.length || values.some((v) => chosen.includes(v));
  const at = Date.parse(alert.timestamp);
  const age = now - at;
  const sure =
    lets(f.severity, alert.severity) &&
    lets(f.status, alert.status) &&
    lets(f.facility, alert.facility_id) &&
    lets(f.technique, ...(alert.techniques ?? [])) &&
    lets(f.assignee, alert.assignee || nobody) &&
    (!f.muted || alert.muted === (f.muted === "true")) &&
    (f.range ? age < reach[f.range] + hour : (!f.from || at >= Date.parse(f.from)) && (!f.to || at < Date.parse(f.to)));
  if (!sure) return false;
  return "search" in asQuery(f) || (f.range && (age < 0 || age > reach[f.range] - hour)) ? undefined : true;
}

/** rank is how severe, 4 the most. */
export const rank = { critical: 4, high: 3, medium: 2, low: 1 } as const satisfies Record<Severity, number>;

/** inOrder compares two alerts as the server orders them; those of one moment by their ids. */
export function inOrder(sort: Sort): (a: Alert, b: Alert) => number {
  const key = sort.endsWith("last_seen") ? "last_seen" : "timestamp";
  const way = sort.startsWith("-") ? -1 : 1;
  return (a, b) =>
    (sort === "-severity" ? rank[b.severity] - rank[a.severity] : 0) ||
    way * (Date.parse(a[key]) - Date.parse(b[key])) ||
    way * (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
