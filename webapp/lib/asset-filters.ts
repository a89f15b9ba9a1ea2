// What the inventory can be asked for, and how its URL says so: `/facilities?facility=north&role=controller&sort=name`.
// A link from anywhere to a facility or an asset is made here.

import { asSearch } from "./search";

export const roles = ["controller", "master", "engineering-workstation", "server", "gateway", "unknown"] as const;
export const levels = ["5", "4", "3.5", "3", "2", "1", "0", "unknown"] as const; // as they stand: the process at the bottom
export const assetSorts = ["address", "-last_seen", "-first_seen", "name", "level"] as const;

export type Role = (typeof roles)[number];
export type Level = (typeof levels)[number];
export type AssetSort = (typeof assetSorts)[number];

/** AssetFilters are what a list of assets lets through, and in which order. What is empty filters nothing out. */
export interface AssetFilters {
  facility: string;
  role: Role[];
  level: Level[];
  protocol: string[];
  zone: string[];
  vendor: string[];
  search: string;
  sort: AssetSort;
}

export const allAssets: AssetFilters = { facility: "", role: [], level: [], protocol: [], zone: [], vendor: [], search: "", sort: "address" };

/** asAssetQuery is the filters as the API takes them, without those that filter nothing out. */
export function asAssetQuery(f: AssetFilters) {
  return {
    ...(f.facility && { facility: [f.facility] }),
    ...(f.role.length && { role: f.role }),
    ...(f.level.length && { level: f.level }),
    ...(f.protocol.length && { protocol: f.protocol }),
    ...(f.zone.length && { zone: f.zone }),
    ...(f.vendor.length && { vendor: f.vendor }),
    ...(f.search && { search: f.search }),
    ...(f.sort !== allAssets.sort && { sort: f.sort }),
  };
}

/** isNarrowed is whether the filters leave out any asset of the facility. */
export const isNarrowed = (f: AssetFilters) => Object.keys(asAssetQuery({ ...f, facility: "", sort: allAssets.sort })).length > 0;

/** assetSearch is the filters as a URL's query. */
export const assetSearch = (f: AssetFilters) => asSearch(asAssetQuery(f));

/** parseAssetFilters takes what it understands of a URL's query and lets the rest be. */
export function parseAssetFilters(params: URLSearchParams): AssetFilters {
  const list = (name: string) => [...new Set((params.get(name) ?? "").split(",").filter((v) => v && v.length <= 128))].slice(0, 50);
  const known = <T extends string>(name: string, values: readonly T[]) => values.filter((v) => list(name).includes(v));
  const facility = params.get("facility") ?? "";
  return {
    facility: /^[a-z0-9_-]{1,64}$/.test(facility) ? facility : "",
    role: known("role", roles),
    level: known("level", levels),
    protocol: list("protocol").filter((p) => /^[a-z0-9_-]{1,32}$/.test(p)),
    zone: list("zone"),
    vendor: list("vendor"),
    search: (params.get("search") ?? "").slice(0, 100),
    sort: assetSorts.find((s) => s === params.get("sort")) ?? allAssets.sort,
  };
}

/** facilityHref is the address of a facility's inventory, or of its communication map. */
export const facilityHref = (facility: string, map = false) => `/facilities?${map ? "view=map&" : ""}facility=${encodeURIComponent(facility)}`;

/** assetHref is the address of one asset. */
export const assetHref = (facility: string, asset: string) => `${facilityHref(facility)}&asset=${encodeURIComponent(asset)}`;
