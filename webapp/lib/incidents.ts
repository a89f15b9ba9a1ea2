// Incidents: alerts of one attacker, or of one who goes on from asset to asset, as one story. They have no messages of
// their own: they are asked for again when alerts change.

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import type { Filters } from "./alert-filters";
import type { Alert } from "./alerts";
import type { Answer } from "./answer";
import { api, ask, unlessRefused } from "./api-client";

export type Incident = NonNullable<Answer<"/api/incidents">["incidents"]>[number];
export type IncidentDetail = Omit<Answer<"/api/incidents/{id}">, "alerts"> & { alerts: Alert[] | null };

/** Scope is which incidents are asked for: those that went on in that time at those facilities. */
export type Scope = Pick<Filters, "facility" | "range" | "from" | "to">;

const perPage = 20;

/** incidentList is the incidents, those last seen first, page by page. */
export const incidentList = ({ facility, range, from, to }: Scope) =>
  infiniteQueryOptions({
    queryKey: ["incidents", "list", { facility, range, from, to }] as const,
    queryFn: ({ pageParam, signal }) =>
      ask(
        api.GET("/api/incidents", {
          params: {
            query: {
              ...(facility.length && { facility }),
              ...(range ? { time_range: range } : { ...(from && { from }), ...(to && { to }) }),
              limit: perPage,
              ...(pageParam && { cursor: pageParam }),
            },
          },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });

/** incident is one of them with its alerts, in order of time. */
export const incident = (id: string) =>
  queryOptions({
    queryKey: ["incidents", "detail", id] as const,
    queryFn: ({ signal }): Promise<IncidentDetail> => ask(api.GET("/api/incidents/{id}", { params: { path: { id } }, signal })),
    retry: unlessRefused,
  });

/** attacked is what an incident's alerts are about, but for the attackers themselves: a scan's alert is about who scans. */
export const attacked = ({ assets, attackers }: Pick<Incident, "assets" | "attackers">): string[] => (assets ?? []).filter((a) => !attackers?.includes(a));
