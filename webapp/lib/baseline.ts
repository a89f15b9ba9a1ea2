// What was learned of a facility's normal traffic, entry by entry, as the detectors keep it: to be read, taken out
// (forget) and added to (allow). A change is made to the version that was read.

import { queryOptions, type QueryClient } from "@tanstack/react-query";

import { api, ask } from "./api-client";

/** kinds are the sorts of entries, in the order in which they are listed. */
export const kinds = ["device", "link", "pair", "function", "writer", "addresses", "malformed", "rate", "traffic"] as const;
export type Kind = (typeof kinds)[number];

/** Entry is one thing that was learned, with the fields that its kind has. */
export interface Entry {
  kind: Kind;
  addr?: string;
  client?: string;
  server?: string;
  mac?: string;
  macs?: string[];
  protocol?: string;
  port?: number;
  function?: number;
  subfunction?: number;
  unit?: number;
  table?: string;
  written?: boolean;
  addresses?: [number, number][]; // first and last of each range
  rule?: string;
  max?: number;
  first_seen: string;
  last_seen: string;
  count: number;
}

export interface Baseline {
  etag: string; // of the version that was read
  entries: Entry[];
  rest: Record<string, unknown>; // what else it holds, which is given back as it was
}

/** nothing is what was learned where nothing was. */
export const nothing: Baseline = { etag: "", entries: [], rest: {} };

const key = (facility: string) => ["baseline", facility] as const;

/** baselineOf is what was learned at a facility; without entries where nothing was. */
export const baselineOf = (facility: string) =>
  queryOptions({
    queryKey: key(facility),
    queryFn: async ({ signal }): Promise<Baseline> => {
      let etag = "";
      const { entries, ...rest } = await ask(
        api.GET("/api/facilities/{id}/baseline", { params: { path: { id: facility } }, signal }).then((answer) => {
          etag = answer.response.headers.get("ETag") ?? "";
          return answer;
        }),
      );
      return { etag, entries: Array.isArray(entries) ? (entries as Entry[]) : [], rest };
    },
    staleTime: 0, // sensors learn too
  });

/** saveBaseline puts these entries in the place of those that were read. It fails with 412 where it was changed in between. */
export async function saveBaseline(cache: QueryClient, facility: string, read: Baseline, entries: Entry[]): Promise<void> {
  try {
    await ask(
      api.PUT("/api/facilities/{id}/baseline", {
        params: { path: { id: facility }, header: { ...(read.etag && { "If-Match": read.etag }) } },
        body: { version: 1, ...read.rest, entries },
      }),
    );
  } finally {
    await cache.invalidateQueries({ queryKey: key(facility) });
    void cache.invalidateQueries({ queryKey: ["facilities"] });
  }
}

/** subjectOf is whom or what an entry is about. */
export function subjectOf(e: Entry): string {
  if (e.kind === "traffic") return "";
  if (e.kind === "link") return e.mac ?? "";
  return e.client ? [e.client, e.server].filter(Boolean).join(" → ") : (e.addr ?? "");
}

/** rangesOf is the addresses of an entry in short: `0-9, 40`. */
export const rangesOf = (e: Entry) => (e.addresses ?? []).map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(", ");
