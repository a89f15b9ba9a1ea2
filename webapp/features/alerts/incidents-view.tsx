"use client";

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import type { Status } from "@/lib/alerts";
import { span } from "@/lib/format";
import { attacked, incidentList, type Incident } from "@/lib/incidents";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { FailureNotice } from "@/ui/failure-notice";
import { Notice } from "@/ui/notice";
import { goUnlessMarked, RowLink } from "@/ui/place-link";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { TimeFilter } from "@/ui/time-filter";
import { FacilityFilter, times } from "./alert-filters";
import { IncidentStory } from "./incident-story";
import { SeverityBadge } from "./severity";
import type { AlertsUrl } from "./use-alerts-url";

const t = texts.incidents;

/** IncidentsView is the incidents, or the one of them that the URL names. onChoose gives alerts of one a status. */
export function IncidentsView({ url, busy, onChoose }: { url: AlertsUrl; busy: boolean; onChoose: (status: Status, ids: readonly string[]) => void }) {
  if (url.incident) return <IncidentStory key={url.incident} id={url.incident} url={url} busy={busy} onChoose={onChoose} />;
  return <Incidents url={url} />;
}

function Incidents({ url }: { url: AlertsUrl }) {
  const { filters, go } = url;
  const { data, error, refetch, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery(incidentList(filters));
  const incidents = data?.pages.flatMap((p) => p.incidents ?? []);
  return (
    <div className="flex-1 border-t border-line bg-surface">
      <div className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-2.5">
        <FacilityFilter chosen={filters.facility} onChange={(facility) => go({ facility })} />
        <TimeFilter times={filters} ranges={times} onChange={go} />
        {data && <p className="text-sm text-muted">{t.total(data.pages[0]?.total ?? 0)}</p>}
      </div>
      {!incidents && !error && <Skeleton label={t.loading} rows={5} />}
      {!incidents && error && <FailureNotice title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {incidents?.length === 0 && (
        <Notice title={t.emptyTitle}>
          <p>{t.emptyBody}</p>
        </Notice>
      )}
      {incidents && incidents.length > 0 && (
        <ul aria-label={t.list} className="divide-y divide-line">
          {incidents.map((one) => (
            <IncidentRow key={one.id} incident={one} url={url} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <div className="border-t border-line p-4">
          <Button disabled={isFetching} onClick={() => void fetchNextPage()}>
            {t.more}
          </Button>
        </div>
      )}
    </div>
  );
}

function IncidentRow({ incident: one, url }: { incident: Incident; url: AlertsUrl }) {
  const { data: names } = useQuery(techniqueNames);
  return (
    <li
      className="grid cursor-pointer grid-cols-[1fr_auto] items-start gap-x-4 gap-y-1.5 px-4 py-3 text-sm hover:bg-hover @3xl:grid-cols-[5.75rem_minmax(0,1fr)_auto]"
      onClick={goUnlessMarked(() => url.go({ incident: one.id }))}
    >
      <SeverityBadge severity={one.severity} />
      <div className="order-3 col-span-full min-w-0 @3xl:order-none @3xl:col-span-1">
        <RowLink href={url.href({ incident: one.id })} onGo={() => url.go({ incident: one.id })} data-incident={one.id} className="text-base font-semibold break-words">
          {t.name(one.attackers ?? [], attacked(one))}
        </RowLink>
        <p className="mt-1 text-muted">
          <span className="sr-only">{t.techniques}: </span>
          {one.techniques?.length ? one.techniques.map((id) => names?.get(id) ?? id).join(" → ") : t.noTechnique}
        </p>
        <p className="mt-1 flex flex-wrap gap-x-4 text-muted">
          <span>{one.facility_id}</span>
          <span>{t.alerts(one.alert_count)}</span>
          <span className={one.unresolved ? "font-medium text-text" : undefined}>{t.open(one.unresolved)}</span>
        </p>
      </div>
      <div className="text-right">
        <Time at={one.last_seen} />
        <span className="block text-xs text-muted">{t.during(span((Date.parse(one.last_seen) - Date.parse(one.first_seen)) / 1_000))}</span>
      </div>
    </li>
  );
}
