"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState, type RefObject } from "react";

import type { Rows } from "@/hooks/use-virtual-rows";
import { isFiltered, noFilters, type Filters } from "@/lib/alert-filters";
import { alertDetail, alertList, type Alert, type AlertDetail, type Status } from "@/lib/alerts";
import { incident } from "@/lib/incidents";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { FailureNotice } from "@/ui/failure-notice";
import { SearchBox } from "@/ui/search-box";
import { Skeleton } from "@/ui/skeleton";
import { Views } from "@/ui/views";
import { AlertFilters } from "./alert-filters";
import { AlertList } from "./alert-list";
import { AlertPanel } from "./alert-panel";
import { ArrivalNotice } from "./arrival-notice";
import { BulkBar } from "./bulk-bar";
import { EmptyList } from "./empty-list";
import { ExportMenu } from "./export-menu";
import { KeysHelp } from "./keys-help";
import { SaidNotice } from "./said-notice";
import { SavedViews } from "./saved-views";
import { TriageDialog } from "./triage-dialog";
import { useAlertKeys } from "./use-alert-keys";
import { useAlertsUrl, type AlertsUrl } from "./use-alerts-url";
import { useArrivals, type Arrivals } from "./use-arrivals";
import { useSelection } from "./use-selection";
import { sizeOf, useTriage, type Targets } from "./use-triage";

const t = texts.alerts;

const IncidentsView = lazy(async () => ({ default: (await import("./incidents-view")).IncidentsView }));
const none: readonly Alert[] = [];

/** AlertsView is the page: the alerts or the incidents, and beside them (on a phone: over them) the alert that the URL names. */
export function AlertsView() {
  const url = useAlertsUrl();
  const { filters, id, go } = url;
  const cache = useQueryClient();
  const query = useQuery({ ...alertList(filters), enabled: !url.incidents });
  const { data: story } = useQuery({ ...incident(url.incident ?? ""), enabled: url.incident !== null });
  const arrivals = useArrivals();
  const triage = useTriage();
  const alerts = (url.incidents ? story?.alerts : query.data?.alerts) ?? none;
  const { selected, toggle, toggleAll, clear } = useSelection(alerts);
  const assignees = useAssignees(alerts);
  const [asking, setAsking] = useState<{ status: Status; targets: Targets } | null>(null);
  const [help, setHelp] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const rows = useRef<Rows | null>(null);
  const { current, setCurrent, step, seeking } = useCurrent(alerts, id, list, rows, go);

  const targets = (): Targets | null => {
    if (selected.size > 1) return { ids: [...selected] };
    const at = [...selected][0] ?? id ?? current;
    const one = at === null ? undefined : (cache.getQueryData(alertDetail(at).queryKey) ?? alerts.find((a) => a.id === at));
    return one ? { one: newest(one, alerts) } : at === null ? null : { ids: [at] };
  };
  const choose = (status: Status, what = targets(), note = true) => {
    if (!what) triage.say({ text: texts.triage.nothing, problem: false });
    else if (note) setAsking({ status, targets: what });
    else void triage.move(what, { status }).then((done) => done && clear());
  };
  const focusRow = (was: string) => {
    const row = list.current?.querySelector<HTMLElement>(`[data-alert="${CSS.escape(was)}"]`);
    (row ?? document.getElementById("content"))?.focus();
  };

  useAlertKeys({
    j: () => step(1),
    k: () => step(-1),
    x: () => {
      const at = id ?? current;
      if (at && !url.incidents) toggle(at);
    },
    a: () => choose("acknowledged", targets(), false),
    r: () => choose("resolved"),
    f: () => choose("false-positive"),
    "/": () => {
      search.current?.focus();
      search.current?.select();
    },
    "?": () => setHelp(true),
    Enter: () => {
      if (current && !id && !url.incidents) go({ id: current });
    },
    Escape: clear,
  });

  const change = useCallback(
    (to: Partial<Filters>, replace?: boolean) => {
      clear();
      window.scrollTo({ top: 0 });
      go(to, replace);
    },
    [go, clear],
  );
  const onSearch = useCallback((to: string) => change({ search: to }, filters.search !== ""), [change, filters.search]);
  const { dismiss, missed } = useMissed(arrivals, [...alerts, ...(query.data?.waiting ?? [])], !url.incidents);

  return (
    <div className="flex flex-1 items-start">
      <main id="content" tabIndex={-1} className="@container flex min-h-[calc(100dvh-3rem)] min-w-0 flex-1 flex-col outline-none">
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2.5 px-4 pt-4 pb-3">
          <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
          <Tabs url={url} />
          {query.data && !url.incidents && (
            <p className="text-sm text-muted" data-testid="total">
              {t.total(query.data.total, isFiltered(filters))}
            </p>
          )}
          <div className="flex grow flex-wrap items-center justify-end gap-x-3 gap-y-2">
            {!url.incidents && (
              <>
                <SearchBox ref={search} label={texts.filters.search} hint={texts.filters.searchHint} search={filters.search} onSearch={onSearch} onLeave={() => step(0)} />
                <SavedViews filters={filters} onApply={change} />
                <ExportMenu filters={filters} total={query.data?.total ?? 0} />
              </>
            )}
            <button type="button" title={texts.keys.open} aria-label={texts.keys.open} onClick={() => setHelp(true)} className="hidden size-7 items-center justify-center rounded-md border border-line font-mono text-sm text-muted hover:bg-hover hover:text-text sm:inline-flex">
              ?
            </button>
          </div>
          {!url.incidents && <AlertFilters filters={filters} assignees={assignees} onChange={change} />}
        </div>
        <p role="status" aria-live="polite" className="sr-only">
          {arrivals.announcement}
        </p>
        {url.incidents ? (
          <Suspense fallback={<Skeleton label={texts.incidents.loading} rows={5} />}>
            <IncidentsView url={url} onChoose={(status, ids) => choose(status, { ids }, status !== "acknowledged")} busy={triage.busy} />
          </Suspense>
        ) : (
          <div className="flex-1 border-t border-line bg-surface" aria-busy={query.isPlaceholderData}>
            {!query.data && !query.error && <Skeleton label={t.loading} rows={8} />}
            {!query.data && query.error && <FailureNotice title={texts.errors.title} error={query.error} onRetry={() => void query.refetch()} busy={query.isFetching} />}
            {query.data && alerts.length > 0 && (
              <div className={query.isPlaceholderData ? "opacity-60" : undefined}>
                <AlertList
                  list={query.data}
                  filters={filters}
                  listRef={list}
                  rowsRef={rows}
                  url={url}
                  fresh={arrivals.fresh}
                  selected={selected}
                  current={current}
                  seeking={seeking}
                  onCurrent={setCurrent}
                  onSelect={toggle}
                  onSelectAll={toggleAll}
                />
              </div>
            )}
            {query.data && alerts.length === 0 && <EmptyList filtered={isFiltered(filters)} onClear={() => change(noFilters(filters))} />}
          </div>
        )}
        <div className="pointer-events-none sticky bottom-0 z-20 flex h-0 flex-col items-center justify-end gap-2 px-3 *:pointer-events-auto *:mb-3">
          {query.error && query.data && (
            <div role="alert" className="flex items-center gap-3 rounded-lg border border-warn bg-surface px-4 py-2 text-sm shadow-lg">
              {t.refreshFailed(query.error.message)}
              <Button onClick={() => void query.refetch()} disabled={query.isFetching}>
                {texts.errors.retry}
              </Button>
            </div>
          )}
          {missed && (
            <ArrivalNotice
              alert={missed}
              onShow={() => {
                dismiss();
                go({ id: missed.id });
              }}
            />
          )}
          {triage.said && <SaidNotice said={triage.said} onShow={(at) => go({ id: at })} onDismiss={() => triage.say(null)} />}
          {selected.size > 0 && <BulkBar count={selected.size} busy={triage.busy} onChoose={(status) => choose(status)} onClear={clear} />}
        </div>
      </main>
      <AlertPanel id={id} busy={triage.busy} onChoose={(status, one) => choose(status, { one }, status !== "acknowledged" && status !== "new")} onClose={() => go({ id: null })} onClosed={focusRow} />
      {asking && (
        <TriageDialog
          status={asking.status}
          count={sizeOf(asking.targets)}
          onClose={() => setAsking(null)}
          onDone={(what) => {
            setAsking(null);
            void triage.move(asking.targets, what).then((done) => done && clear());
          }}
        />
      )}
      {help && <KeysHelp onClose={() => setHelp(false)} />}
    </div>
  );
}

/** newest is the alert as it was seen: of the panel's copy and the list's the newer, for both are on the screen. */
function newest(one: Alert | AlertDetail, alerts: readonly Alert[]): Alert {
  const listed = alerts.find((a) => a.id === one.id);
  return listed && listed.version > one.version ? listed : one;
}

const stepAhead = 300; // ms that a step may take to show

/**
 * useCurrent is the row that keys act on. step goes down or up: while an alert is open it opens its neighbour, else the
 * focus goes from row to row; seeking is while it is on its way. Where the row has left the list, the one that took its
 * place is next.
 */
function useCurrent(alerts: readonly Alert[], open: string | null, list: RefObject<HTMLOListElement | null>, rows: RefObject<Rows | null>, go: AlertsUrl["go"]) {
  const [current, setCurrent] = useState<string | null>(null);
  const [seeking, setSeeking] = useState(false);
  const place = useRef(-1);
  const stepped = useRef({ to: "", at: -Infinity });
  const shown = alerts.findIndex((a) => a.id === (open ?? current));
  useEffect(() => {
    if (shown >= 0) place.current = shown;
  }, [shown]);
  const step = (by: 1 | -1 | 0) => {
    if (!alerts.length) return;
    // Keys may come faster than the screen follows: the next step begins where the last one led.
    const ahead = performance.now() - stepped.current.at < stepAhead ? alerts.findIndex((a) => a.id === stepped.current.to) : -1;
    const at = ahead >= 0 ? ahead : shown;
    const begin = rows.current && !rows.current.atTop ? rows.current.from + 8 : 0; // what is on the screen
    const from = at >= 0 ? at + by : place.current >= 0 && (open || current) ? place.current + Math.min(by, 0) : begin;
    const next = alerts[Math.max(0, Math.min(alerts.length - 1, from))];
    if (!next || (at >= 0 && by !== 0 && (at + by < 0 || at + by >= alerts.length))) return;
    stepped.current = { to: next.id, at: performance.now() };
    setCurrent(next.id);
    rows.current?.reveal(alerts.indexOf(next));
    if (open && by) go({ id: next.id }, true);
    else {
      setSeeking(true);
      focusSoon(list, next.id, () => setSeeking(false));
    }
  };
  return { current, setCurrent, step, seeking };
}

/** focusSoon gives a row the focus when it is there: one that was scrolled away is drawn in the next frames. */
function focusSoon(list: RefObject<HTMLElement | null>, id: string, done: () => void, tries = 30): void {
  const row = list.current?.querySelector<HTMLElement>(`[data-alert="${CSS.escape(id)}"]`);
  if (!row && tries) {
    requestAnimationFrame(() => focusSoon(list, id, done, tries - 1));
    return;
  }
  row?.focus({ preventScroll: true });
  done();
}

/** useAssignees is who works on the alerts, by name; the same array while they are the same. */
function useAssignees(alerts: readonly Alert[]): readonly string[] {
  const names = [...new Set(alerts.map((a) => a.assignee).filter(Boolean))].sort().join("\n");
  return useMemo(() => (names ? names.split("\n") : []), [names]);
}

/** useMissed is the newest arrival while it is fresh and the list does not show it. */
function useMissed({ latest, fresh }: Arrivals, alerts: readonly Alert[], listed: boolean) {
  const [dismissed, setDismissed] = useState<string | null>(null);
  const missed = listed && latest && fresh.has(latest.id) && latest.id !== dismissed && !alerts.some((a) => a.id === latest.id) ? latest : undefined;
  return { missed, dismiss: () => setDismissed(latest?.id ?? null) };
}

function Tabs({ url }: { url: AlertsUrl }) {
  const view = (incidents: boolean, name: string) => {
    const to = { incidents, incident: null, id: null };
    return { name, here: url.incidents === incidents, href: url.href(to), onGo: () => url.go(to) };
  };
  return <Views label={t.views.label} views={[view(false, t.views.alerts), view(true, t.views.incidents)]} />;
}
