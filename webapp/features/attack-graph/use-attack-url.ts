"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { filterSearch, parseFilters } from "@/lib/alert-filters";
import type { Scope } from "@/lib/attack";

/** What the URL of the page says: `/attack-graph?view=matrix&facility=north&time_range=24h&search=command&technique=T0855`. */
export interface Place {
  scope: Scope;
  matrix: boolean; // whether the matrix is shown, not the graph
  marked: boolean; // whether the matrix leaves out what was neither seen nor predicted
  search: string;
  technique: string | null; // the id of the one that is chosen
}

type To = Partial<Omit<Place, "scope"> & Scope>;

export interface AttackUrl extends Place {
  href: (to: To) => string;
  /** go changes the URL: a step that Back undoes, or none where `replace` is set. */
  go: (to: To, replace?: boolean) => void;
}

export function useAttackUrl(): AttackUrl {
  const search = useSearchParams().toString();
  const now = useMemo(() => parse(search), [search]);
  const href = useCallback<AttackUrl["href"]>(
    ({ matrix = now.matrix, marked = now.marked, search = now.search, technique = now.technique, ...scope }) =>
      format({ scope: { ...now.scope, ...scope }, matrix, marked, search, technique }),
    [now],
  );
  const go = useCallback<AttackUrl["go"]>((to, replace) => window.history[replace ? "replaceState" : "pushState"](null, "", href(to)), [href]);
  return { ...now, href, go };
}

export function parse(query: string): Place {
  const params = new URLSearchParams(query);
  const { facility, range, from, to, search, technique } = parseFilters(params);
  const all = params.get("time_range") === "all";
  return {
    scope: { facility, range: all ? "all" : range, from: all || range ? "" : from, to: all || range ? "" : to },
    matrix: params.get("view") === "matrix",
    marked: params.get("cells") === "marked",
    search,
    technique: technique[0] ?? null,
  };
}

export function format({ scope: { range, ...scope }, matrix, marked, search, technique }: Place): string {
  const query = [
    matrix && "view=matrix",
    marked && "cells=marked",
    range === "all" && "time_range=all",
    filterSearch({ ...scope, range: range === "all" ? "" : range, search, technique: technique ? [technique] : [] }),
  ].filter(Boolean);
  return `/attack-graph${query.length ? `?${query.join("&")}` : ""}`;
}
