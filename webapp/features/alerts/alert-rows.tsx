import type { ReactNode, Ref } from "react";

import type { Rows } from "@/hooks/use-virtual-rows";
import type { Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { goUnlessMarked, RowLink } from "@/ui/place-link";
import { Time } from "@/ui/time";
import { SeverityBadge, StatusWord } from "./severity";
import type { AlertsUrl } from "./use-alerts-url";

const t = texts.alerts;

// One markup for three widths of the list (not of the screen: the panel takes its share): a card, a card with the times
// aside, and a table's columns. At each of them all rows are of one height, which is what makes a long list quick.
const columns =
  "@6xl:grid-cols-[1rem_5.75rem_minmax(0,1fr)_8.5rem_minmax(10rem,0.3fr)_7rem_3.5rem_9.5rem_8.5rem] @6xl:gap-x-4 @6xl:[grid-template-areas:none]";
const heights = "h-[8.75rem] @3xl:h-[5.5rem] @6xl:h-[4.75rem]";

export interface RowProps {
  url: Pick<AlertsUrl, "id" | "href" | "go">;
  fresh: ReadonlySet<string>;
  selected: ReadonlySet<string>;
  current: string | null; // the id of the row that keys act on
  onSelect: (id: string, through: boolean) => void;
  onCurrent: (id: string) => void;
}

/** AlertRows draws the rows that are near the screen; the others are room only. */
export function AlertRows({ ref, alerts, rows, total, whole, onSelectAll, ...row }: RowProps & {
  ref?: Ref<HTMLOListElement>;
  alerts: readonly Alert[];
  rows: Rows;
  total: number;
  whole: boolean; // every alert of the list is selected
  onSelectAll: () => void;
}) {
  return (
    <>
      <div className={`sticky top-12 z-10 hidden border-b border-line bg-surface px-4 py-2 text-xs font-medium text-muted @6xl:grid ${columns}`}>
        <input type="checkbox" className="size-4 accent-accent" aria-label={t.selectAll(alerts.length)} title={t.selectAll(alerts.length)} checked={whole} onChange={onSelectAll} />
        {Object.values(t.columns).map((name) => (
          <span key={name} aria-hidden className={name === t.columns.count ? "text-right" : undefined}>
            {name}
          </span>
        ))}
      </div>
      <ol ref={ref} aria-label={t.list} className="scroll-mt-24 [overflow-anchor:none]" style={{ paddingTop: rows.before, paddingBottom: rows.after }}>
        {alerts.slice(rows.from, rows.to).map((alert, i) => (
          <AlertRow key={alert.id} alert={alert} place={rows.from + i + 1} total={total} {...row} />
        ))}
      </ol>
    </>
  );
}

function AlertRow({ alert, place, total, url, fresh, selected, current, onSelect, onCurrent }: RowProps & { alert: Alert; place: number; total: number }) {
  const open = url.id === alert.id;
  const chosen = selected.has(alert.id);
  return (
    <li
      data-row
      data-fresh={fresh.has(alert.id) || undefined}
      data-open={open || undefined}
      data-selected={chosen || undefined}
      data-current={current === alert.id || undefined}
      aria-setsize={total}
      aria-posinset={place}
      onClick={goUnlessMarked(() => {
        onCurrent(alert.id);
        url.go({ id: alert.id });
      })}
      className={`grid cursor-pointer grid-cols-[1rem_1fr_auto] content-center items-center gap-x-3 gap-y-1 overflow-hidden border-b border-line px-4 text-sm hover:bg-hover data-current:shadow-[inset_3px_0_0_var(--accent)] data-fresh:animate-fresh data-open:bg-selected data-selected:bg-selected motion-reduce:data-fresh:bg-selected @3xl:grid-cols-[1rem_5.75rem_minmax(0,1fr)_auto] @3xl:gap-x-4 ${heights} ${columns} ${alert.muted ? "opacity-80" : ""}`}
    >
      {/* The label makes the box's place wider than the box, for fingers. */}
      <label className="-m-2 p-2" onClick={(e) => e.stopPropagation()}>
        <input
          type="checkbox"
          aria-label={t.select(alert.title)}
          checked={chosen}
          onChange={(e) => onSelect(alert.id, e.nativeEvent instanceof MouseEvent && e.nativeEvent.shiftKey)}
          className="block size-4 accent-accent"
        />
      </label>
      <SeverityBadge severity={alert.severity} />
      <div className="order-3 col-span-full min-w-0 @3xl:order-none @3xl:col-span-1">
        <p className="truncate">
          <RowLink
            href={url.href({ id: alert.id })}
            onGo={() => url.go({ id: alert.id })}
            data-alert={alert.id}
            aria-current={open || undefined}
            className="text-base font-semibold"
            onFocus={() => onCurrent(alert.id)}
          >
            {alert.title}
          </RowLink>
          {alert.muted && (
            <span className="ml-2" title={t.mutedHint}>
              <Badge>{t.muted}</Badge>
            </span>
          )}
        </p>
        <p title={alert.description} className="line-clamp-2 text-muted @3xl:line-clamp-1 @6xl:line-clamp-2">
          {alert.description}
        </p>
        <p className="mt-0.5 flex h-5 flex-wrap gap-x-4 overflow-hidden @6xl:hidden">
          <Asset alert={alert} />
          <Count alert={alert} />
          <StatusWord status={alert.status} />
          <Technique alert={alert} />
          <span className="text-muted">{alert.facility_id}</span>
          {alert.assignee && <span className="text-muted">{t.assignedTo(alert.assignee)}</span>}
        </p>
      </div>
      <Cell label={t.columns.asset}>
        <Asset alert={alert} />
      </Cell>
      <Cell label={t.columns.technique} className="line-clamp-2">
        <Technique alert={alert} />
      </Cell>
      <Cell label={t.columns.facility} className="truncate">
        {alert.facility_id}
      </Cell>
      <Cell label={t.columns.count} className="text-right">
        <Count alert={alert} />
      </Cell>
      <div className="text-right text-sm @6xl:text-left">
        <Seen alert={alert} />
      </div>
      <Cell label={t.columns.status}>
        <StatusWord status={alert.status} />
        {alert.assignee && (
          <span title={t.assignedTo(alert.assignee)} className="block truncate text-xs text-muted">
            {alert.assignee}
          </span>
        )}
      </Cell>
    </li>
  );
}

/** Cell is a column of its own where the list is wide; elsewhere its content stands in the line under the sentence. */
function Cell({ label, className = "", children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <div className={`hidden min-w-0 @6xl:block ${className}`}>
      <span className="sr-only">{label}: </span>
      {children}
    </div>
  );
}

function Asset({ alert }: { alert: Alert }) {
  return <span className="font-mono text-[0.8125rem] break-all">{alert.asset}</span>;
}

function Technique({ alert }: { alert: Alert }) {
  if (!alert.attack_type) return <span className="text-muted">{t.noTechnique}</span>;
  return (
    <span>
      <span className="font-mono text-[0.8125rem]">{alert.attack_type}</span> <span className="text-muted">{alert.attack_name}</span>
    </span>
  );
}

function Count({ alert }: { alert: Alert }) {
  return (
    <span data-testid="count" className={alert.count > 1 ? "font-medium" : "text-muted"}>
      {t.times(alert.count)}
    </span>
  );
}

/** Seen is when it was last seen and, where that is another second, when first. */
function Seen({ alert }: { alert: Alert }) {
  const first = localParts(alert.timestamp);
  const last = localParts(alert.last_seen);
  return (
    <>
      <span className="sr-only">{t.columns.seen}: </span>
      <Time at={alert.last_seen} />
      {first.clock + first.date !== last.clock + last.date && (
        <span className="block text-xs text-muted">
          {t.first} <Time at={alert.timestamp} date={first.date !== last.date} />
        </span>
      )}
    </>
  );
}
