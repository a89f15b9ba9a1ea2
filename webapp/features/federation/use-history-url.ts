"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { ranges, type Range } from "@/lib/alert-filters";

export const endings = ["completed", "failed"] as const;

/** HistoryFilters is what the URL of the page says of its history: `/fl-status?status=failed&time_range=7d&page=2`. */
export interface HistoryFilters {
  status: (typeof endings)[number][];
  range: Range | "";
  page: number;
}

export function useHistoryUrl(): { filters: HistoryFilters; go: (to: Partial<HistoryFilters>) => void } {
  const search = useSearchParams().toString();
  const filters = useMemo(() => parse(search), [search]);
  // The router's own push would ask the server for a page that is already here.
  const go = useCallback((to: Partial<HistoryFilters>) => window.history.pushState(null, "", format({ ...filters, page: 1, ...to })), [filters]);
  return { filters, go };
}

/** parse takes what it understands and lets the rest be. */
export function parse(search: string): HistoryFilters {
  const params = new URLSearchParams(search);
  const status = (params.get("status") ?? "").split(",");
  const page = Number(params.get("page"));
  return {
    status: endings.filter((e) => status.includes(e)),
    range: ranges.find((r) => r === params.get("time_range")) ?? "",
    page: Number.isSafeInteger(page) && page > 1 ? page : 1,
  };
}

export function format({ status, range, page }: HistoryFilters): string {
  const parts = [status.length && `status=${status.join(",")}`, range && `time_range=${range}`, page > 1 && `page=${page}`].filter(Boolean);
  return `/fl-status${parts.length ? `?${parts.join("&")}` : ""}`;
}
