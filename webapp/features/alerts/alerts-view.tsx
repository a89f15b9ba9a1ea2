"use client";

import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";

import { alertList, isFiltered } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";
import { Pager } from "@/ui/pager";
import { Skeleton } from "@/ui/skeleton";
import { AlertFilters } from "./alert-filters";
import { AlertPanel } from "./alert-panel";
import { AlertRows } from "./alert-rows";
import { ArrivalNotice } from "./arrival-notice";
import { EmptyList } from "./empty-list";
import { useAlertKeys } from "./use-alert-keys";
import { useAlertsUrl } from "./use-alerts-url";
import { useArrivals } from "./use-arrivals";

const t = texts.alerts;

/** AlertsView is the page: the list, and beside it (on a phone: over it) the alert that the URL names. */
export function AlertsView() {
  const url = useAlertsUrl();
  const { filters, id, go } = url;
  const { data: list, error, isPlaceholderData, refetch, isFetching } = useQuery(alertList(filters));
  const arrivals = useArrivals();
  const rows = useRef<HTMLOListElement>(null);
  const alerts = list?.alerts ?? [];
  useAlertKeys(rows, alerts, id, (next) => go({ id: next }, true));

  const filtered = isFiltered(filters);
  const missed = arrivals.latest && arrivals.fresh.has(arrivals.latest.id) && !alerts.some((a) => a.id === arrivals.latest?.id) ? arrivals.latest : undefined;

  return (
    <div className="flex flex-1 items-start">
      <main id="content" tabIndex={-1} className="@container flex min-h-[calc(100dvh-3rem)] min-w-0 flex-1 flex-col outline-none">
        <div className="flex flex-wrap items-center gap-x-6 gap-y-2 px-4 pt-4 pb-3">
          <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
          {list && (
            <p className="text-sm text-muted" data-testid="total">
              {t.total(list.total, filtered)}
            </p>
          )}
          <AlertFilters filters={filters} onChange={(to) => go({ ...to, page: 1 })} />
          <KeyHints />
        </div>
        <p role="status" aria-live="polite" className="sr-only">
          {arrivals.announcement}
        </p>
        {missed && <ArrivalNotice alert={missed} onShow={() => go({ id: missed.id })} />}
        {error && list && (
          <p role="alert" className="flex items-center gap-3 border-t border-line bg-surface px-4 py-2 text-sm text-warn">
            {t.refreshFailed(error.message)}
            <Button onClick={() => void refetch()} disabled={isFetching}>
              {texts.errors.retry}
            </Button>
          </p>
        )}
        <div className="flex-1 border-t border-line bg-surface" aria-busy={isPlaceholderData}>
          {!list && !error && <Skeleton label={t.loading} rows={8} />}
          {!list && error && (
            <Notice title={texts.errors.title} role="alert">
              <p>{error.message}</p>
              <Button className="mt-4" onClick={() => void refetch()} disabled={isFetching}>
                {texts.errors.retry}
              </Button>
            </Notice>
          )}
          {list && alerts.length > 0 && (
            <div className={isPlaceholderData ? "opacity-60" : undefined}>
              <AlertRows ref={rows} alerts={alerts} url={url} fresh={arrivals.fresh} />
              <Pager page={list.page} pages={list.pages} words={texts.pager} onPage={(page) => go({ page })} />
            </div>
          )}
          {list && alerts.length === 0 && (
            <EmptyList filtered={filtered} pages={list.total > 0 ? list.pages : 0} onFirstPage={() => go({ page: 1 })} onClear={() => go({ severity: [], status: [], facility: [], page: 1 })} />
          )}
        </div>
      </main>
      <AlertPanel
        id={id}
        onClose={() => go({ id: null })}
        onClosed={(was) => {
          const row = rows.current?.querySelector<HTMLElement>(`[data-alert="${CSS.escape(was)}"]`);
          (row ?? document.getElementById("content"))?.focus();
        }}
      />
    </div>
  );
}

function KeyHints() {
  return (
    <p aria-label={t.keysLabel} className="ml-auto hidden gap-3 text-xs text-muted @6xl:flex">
      {t.keys.map(({ key, does }) => (
        <span key={key}>
          <kbd className="rounded border border-line-strong px-1 font-mono">{key}</kbd> {does}
        </span>
      ))}
    </p>
  );
}
