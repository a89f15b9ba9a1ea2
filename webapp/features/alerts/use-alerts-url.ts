"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { severities, statuses, type Filters } from "@/lib/alerts";

/** What the URL of the alerts page says, and how it is changed: `/alerts?severity=high,critical&status=new&page=2&id=…`. */
export interface AlertsUrl {
  filters: Filters;
  id: string | null; // of the alert whose details are open
  href: (to: Partial<Filters> & { id?: string | null }) => string;
  /** go changes the URL: a step that Back undoes, or none where `replace` is set. Nothing is asked of the server. */
  go: (to: Partial<Filters> & { id?: string | null }, replace?: boolean) => void;
}

export function useAlertsUrl(): AlertsUrl {
  const search = useSearchParams().toString();
  const { filters, id } = useMemo(() => parse(search), [search]);
  const href = useCallback<AlertsUrl["href"]>((to) => format({ ...filters, ...to }, to.id === undefined ? id : to.id), [filters, id]);
  const go = useCallback<AlertsUrl["go"]>(
    (to, replace) => window.history[replace ? "replaceState" : "pushState"](null, "", href(to)),
    [href],
  );
  return { filters, id, href, go };
}

/** parse takes what it understands and lets the rest be: a mistyped filter filters nothing out. */
export function parse(search: string): { filters: Filters; id: string | null } {
  const params = new URLSearchParams(search);
  const known = <T extends string>(name: string, values: readonly T[]) => {
    const asked = (params.get(name) ?? "").split(",");
    return values.filter((v) => asked.includes(v));
  };
  const page = Number(params.get("page"));
  return {
    filters: {
      severity: known("severity", severities),
      status: known("status", statuses),
      facility: (params.get("facility") ?? "").split(",").filter((id) => /^[a-z0-9_-]{1,64}$/.test(id)),
      page: Number.isSafeInteger(page) && page > 1 ? page : 1,
    },
    id: params.get("id"),
  };
}

export function format({ severity, status, facility, page }: Filters, id: string | null): string {
  const parts = [
    severity.length && `severity=${severity.join(",")}`,
    status.length && `status=${status.join(",")}`,
    facility.length && `facility=${facility.join(",")}`,
    page > 1 && `page=${page}`,
    id && `id=${encodeURIComponent(id)}`,
  ].filter(Boolean);
  return `/alerts${parts.length ? `?${parts.join("&")}` : ""}`;
}
