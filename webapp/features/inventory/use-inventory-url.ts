"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { assetSearch, parseAssetFilters, type AssetFilters } from "@/lib/asset-filters";

/** Place is what the URL of the page says: `/facilities?facility=north&role=controller`, `…&asset=10.0.0.11`, `/facilities?view=map&facility=north&at=10.0.0.2`. */
export interface Place {
  filters: AssetFilters;
  map: boolean; // the communication map, not the list
  asset: string; // whose page is open; "": none is
  at: string; // what is chosen on the map: an address, or two with ~ between; "": nothing is
}

export interface InventoryUrl extends Place {
  href: (to: To) => string;
  /** go changes the URL: a step that Back undoes, or none where `replace` is set. */
  go: (to: To, replace?: boolean) => void;
}

type To = Partial<AssetFilters> & Partial<Omit<Place, "filters">>;

export function useInventoryUrl(): InventoryUrl {
  const search = useSearchParams().toString();
  const now = useMemo(() => parsePlace(search), [search]);
  const href = useCallback<InventoryUrl["href"]>(({ map = now.map, asset = now.asset, at = now.at, ...filters }) => formatPlace({ filters: { ...now.filters, ...filters }, map, asset, at }), [now]);
  const go = useCallback<InventoryUrl["go"]>((to, replace) => window.history[replace ? "replaceState" : "pushState"](null, "", href(to)), [href]);
  return { ...now, href, go };
}

export function parsePlace(search: string): Place {
  const params = new URLSearchParams(search);
  const filters = parseAssetFilters(params);
  const map = params.get("view") === "map";
  const text = (name: string) => (filters.facility ? (params.get(name) ?? "").slice(0, 128) : ""); // without a facility nothing is meant by it
  return { filters, map, asset: text("asset"), at: map ? text("at") : "" };
}

export function formatPlace({ filters, map, asset, at }: Place): string {
  const query = [map && "view=map", assetSearch(filters), filters.facility && asset && `asset=${encodeURIComponent(asset)}`, map && at && `at=${encodeURIComponent(at)}`].filter(Boolean);
  return `/facilities${query.length ? `?${query.join("&")}` : ""}`;
}
