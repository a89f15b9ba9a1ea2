"use client";

import { useSearchParams } from "next/navigation";
import { useCallback, useMemo } from "react";

import { filterSearch, parseFilters, type Filters } from "@/lib/alert-filters";

/** What the URL of the alerts page says, and how it is changed: `/alerts?severity=high,critical&status=new&id=…`, `/alerts?view=incidents&incident=…`. */
export interface AlertsUrl {
  filters: Filters;
  id: string | null; // of the alert whose details are open
  incidents: boolean; // whether incidents are listed, not alerts
  incident: string | null; // the id of the incident that is open
  href: (to: To) => string;
  /** go changes the URL: a step that Back undoes, or none where `replace` is set. Nothing is asked of the server. */
  go: (to: To, replace?: boolean) => void;
}

type To = Partial<Filters> & Partial<Pick<AlertsUrl, "id" | "incidents" | "incident">>;

export function useAlertsUrl(): AlertsUrl {
  const search = useSearchParams().toString();
  const now = useMemo(() => parse(search), [search]);
  const href = useCallback<AlertsUrl["href"]>(
    ({ id = now.id, incidents = now.incidents, incident = now.incident, ...filters }) => format({ filters: { ...now.filters, ...filters }, id, incidents, incident }),
    [now],
  );
  const go = useCallback<AlertsUrl["go"]>(
    (to, replace) => window.history[replace ? "replaceState" : "pushState"](null, "", href(to)),
    [href],
  );
  return { ...now, href, go };
}

type Place = Pick<AlertsUrl, "filters" | "id" | "incidents" | "incident">;

export function parse(search: string): Place {
  const params = new URLSearchParams(search);
  const incidents = params.get("view") === "incidents";
  return { filters: parseFilters(params), id: params.get("id"), incidents, incident: incidents ? params.get("incident") : null };
}

export function format({ filters, id, incidents, incident }: Place): string {
  const query = [
    incidents && "view=incidents",
    incidents && incident && `incident=${encodeURIComponent(incident)}`,
    filterSearch(filters),
    id && `id=${encodeURIComponent(id)}`,
  ].filter(Boolean);
  return `/alerts${query.length ? `?${query.join("&")}` : ""}`;
}
