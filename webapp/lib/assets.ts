// The inventory: what is on the networks of the facilities, and who asks whom there for what. There are no messages of
// it: sensors tell of what is new at once and of all else each minute, so it is asked for again now and then.

import { infiniteQueryOptions, queryOptions, type QueryClient } from "@tanstack/react-query";

import type { Answer } from "./answer";
import { api, ask, unlessRefused } from "./api-client";
import { asAssetQuery, type AssetFilters } from "./asset-filters";
import type { components } from "./schema";

export type Asset = components["schemas"]["AssetItem"];
export type AssetDetail = Answer<"/api/facilities/{id}/assets/{asset}">;
export type Talk = components["schemas"]["Talk"];
export type Use = NonNullable<Talk["functions"]>[number];
export type Facility = Answer<"/api/facilities">["facilities"][number];
export type Imported = components["schemas"]["Tally"];

const soon = 10_000; // ms between two looks
const seldom = 120_000; // where many pages are loaded, each of which is asked for again
const perPage = 200;

/** facilityList is every facility, with its sensor and what it has learned. */
export const facilityList = queryOptions({
  queryKey: ["facilities", "list"] as const,
  queryFn: async ({ signal }): Promise<Facility[]> => {
    const all: Facility[] = [];
    for (let page = 1; ; page++) {
      const answer = await ask(api.GET("/api/facilities", { params: { query: { page, limit: 200 } }, signal }));
      all.push(...answer.facilities);
      if (page >= answer.pages) return all;
    }
  },
  refetchInterval: soon,
});

/** assetList is the assets under a filter, page by page as they are scrolled to. */
export const assetList = (filters: AssetFilters) =>
  infiniteQueryOptions({
    queryKey: ["assets", "list", filters] as const,
    queryFn: ({ pageParam, signal }) => ask(api.GET("/api/assets", { params: { query: { ...asAssetQuery(filters), page: pageParam, limit: perPage } }, signal })),
    initialPageParam: 1,
    getNextPageParam: (last) => (last.page < last.pages ? last.page + 1 : undefined),
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) > 3 ? seldom : soon),
  });

/** assetValues is what assets can be filtered by, at one facility or ("") at all. */
export const assetValues = (facility: string) =>
  queryOptions({
    queryKey: ["assets", "values", facility] as const,
    queryFn: ({ signal }) => ask(api.GET("/api/assets/values", { params: { query: { ...(facility && { facility: [facility] }) } }, signal })),
    refetchInterval: seldom,
  });

/** assetDetail is one asset, with what it was seen talking about and its newest alerts. */
export const assetDetail = (facility: string, asset: string) =>
  queryOptions({
    queryKey: ["assets", "detail", facility, asset] as const,
    queryFn: ({ signal }) => ask(api.GET("/api/facilities/{id}/assets/{asset}", { params: { path: { id: facility, asset } }, signal })),
    retry: unlessRefused,
    refetchInterval: soon,
  });

/** talksAtOnce is how many conversations the map takes in. */
export const talksAtOnce = 2_000;

/** conversations are those of a facility with the most messages, and the assets that talk in them. */
export const conversations = (facility: string) =>
  queryOptions({
    queryKey: ["assets", "conversations", facility] as const,
    queryFn: ({ signal }) => ask(api.GET("/api/facilities/{id}/conversations", { params: { path: { id: facility }, query: { limit: talksAtOnce } }, signal })),
    refetchInterval: soon,
  });

/** idOf is what alerts and links call an asset: its IP address, else its MAC. */
export const idOf = (a: Pick<Asset, "ip" | "mac">) => a.ip ?? a.mac ?? "";

/** nameOf is what people call it, else its address. */
export const nameOf = (a: Pick<Asset, "ip" | "mac" | "name">) => a.name || idOf(a);

/** importNames gives assets of a facility names and zones: a table as CSV, whose first line names its columns. */
export async function importNames(cache: QueryClient, facility: string, table: string): Promise<Imported> {
  try {
    return await ask(
      api.POST("/api/facilities/{id}/assets/import", { params: { path: { id: facility } }, body: table, bodySerializer: (text: string) => text, headers: { "Content-Type": "text/csv" } }),
    );
  } finally {
    void cache.invalidateQueries({ queryKey: ["assets"] });
    void cache.invalidateQueries({ queryKey: ["facilities"] });
  }
}

/** nameTable is the table that names one asset. What is empty stays as it was. */
export const nameTable = (a: Pick<Asset, "ip" | "mac">, name: string, zone: string) => {
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`;
  return `${a.ip ? "ip" : "mac"},name,zone\n${[idOf(a), name, zone].map(cell).join(",")}\n`;
};

/** What a conversation does to its server, from the least to the most: nothing that is industrial, reads, writes, or programs and controls. */
export const deeds = ["talks", "reads", "writes", "programs"] as const;
export type Deed = (typeof deeds)[number];

/** deedOf is the most that a conversation did. Functions that were only refused count: somebody tried. */
export function deedOf(functions: Talk["functions"]): Deed {
  const most = Math.max(0, ...(functions ?? []).map((u) => deeds.indexOf(deedOfClass(u.class))));
  return deeds[most]!;
}

export const deedOfClass = (c: Use["class"]): Deed => (c === "write" ? "writes" : c === "program" || c === "control" ? "programs" : "reads");

/** serviceOf is what is spoken, and at which port where there is one: `modbus 502`. */
export const serviceOf = (t: Pick<Talk, "protocol" | "port">) => [t.protocol, t.port].filter(Boolean).join(" ");

/** numberOf is a function as its protocol numbers it: `3`, with what of it `43/14`. */
export const numberOf = (u: Pick<Use, "function" | "subfunction">) => [u.function, u.subfunction].filter((n) => n !== undefined).join("/");

/** usesOf adds up the functions of conversations, by protocol and function, the most used first. */
export function usesOf(talks: readonly Talk[]): (Use & { protocol: string; peers: number })[] {
  const all = new Map<string, Use & { protocol: string; peers: number }>();
  for (const t of talks) {
    for (const u of t.functions ?? []) {
      const key = `${t.protocol} ${numberOf(u)}`;
      const known = all.get(key);
      all.set(
        key,
        known
          ? { ...known, count: known.count + u.count, exceptions: known.exceptions + u.exceptions, peers: known.peers + 1 }
          : { ...u, protocol: t.protocol ?? "", peers: 1 },
      );
    }
  }
  return [...all.values()].sort((a, b) => b.count - a.count || a.function - b.function);
}
