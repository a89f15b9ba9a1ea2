import type { ReactNode, Ref } from "react";

import type { Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";
import { Time } from "@/ui/time";
import { SeverityBadge, StatusWord } from "./severity";
import type { AlertsUrl } from "./use-alerts-url";

const t = texts.alerts;

// One markup for three widths of the list (not of the screen: the panel takes its share): a card, a card with the times
// aside, and a table's columns.
const columns =
  "@6xl:grid-cols-[5.75rem_minmax(0,1fr)_8.5rem_minmax(11rem,0.35fr)_7rem_3.5rem_9.5rem_7.5rem] @6xl:gap-x-4 @6xl:[grid-template-areas:none]";

interface Props {
  ref?: Ref<HTMLOListElement>;
  alerts: readonly Alert[];
  url: Pick<AlertsUrl, "id" | "href" | "go">;
  fresh: ReadonlySet<string>;
}

export function AlertRows({ ref, alerts, url, fresh }: Props) {
  return (
    <>
      <div aria-hidden className={`hidden border-b border-line px-4 py-2 text-xs font-medium text-muted @6xl:grid ${columns}`}>
        {Object.values(t.columns).map((name) => (
          <span key={name} className={name === t.columns.count ? "text-right" : undefined}>
            {name}
          </span>
        ))}
      </div>
      <ol ref={ref} aria-label={t.list} className="divide-y divide-line">
        {alerts.map((alert) => (
          <AlertRow key={alert.id} alert={alert} url={url} fresh={fresh.has(alert.id)} />
        ))}
      </ol>
    </>
  );
}

function AlertRow({ alert, url, fresh }: { alert: Alert; url: Props["url"]; fresh: boolean }) {
  const open = url.id === alert.id;
  return (
    <li
      data-fresh={fresh || undefined}
      data-open={open || undefined}
      // The link is for keyboards and screen readers; for a pointer the whole row is one, but for marked text.
      onClick={() => {
        if (window.getSelection()?.isCollapsed !== false) url.go({ id: alert.id });
      }}
      className={`grid cursor-pointer grid-cols-[1fr_auto] items-start gap-x-3 gap-y-1 px-4 py-2.5 text-sm hover:bg-hover data-fresh:animate-fresh data-open:bg-selected motion-reduce:data-fresh:shadow-[inset_3px_0_0_var(--accent)] @3xl:grid-cols-[5.75rem_minmax(0,1fr)_auto] @3xl:gap-x-4 ${columns}`}
    >
      <SeverityBadge severity={alert.severity} />
      <div className="order-3 col-span-full min-w-0 @3xl:order-none @3xl:col-span-1">
        <a
          href={url.href({ id: alert.id })}
          data-alert={alert.id}
          aria-current={open || undefined}
          className="text-base font-semibold"
          onClick={(e) => {
            if (e.metaKey || e.ctrlKey || e.shiftKey) {
              e.stopPropagation(); // a tab or window of its own
              return;
            }
            e.preventDefault();
            if (e.detail === 0) {
              e.stopPropagation(); // by keyboard: the row's rule about marked text is no concern
              url.go({ id: alert.id });
            }
          }}
        >
          {alert.title}
        </a>
        <p className="line-clamp-3 text-muted @3xl:line-clamp-2">{alert.description}</p>
        <p className="mt-1 flex flex-wrap gap-x-4 gap-y-0.5 @6xl:hidden">
          <Asset alert={alert} />
          <Technique alert={alert} />
          <span className="text-muted">{alert.facility_id}</span>
          <Count alert={alert} />
          <StatusWord status={alert.status} />
        </p>
      </div>
      <Cell label={t.columns.asset}>
        <Asset alert={alert} />
      </Cell>
      <Cell label={t.columns.technique}>
        <Technique alert={alert} />
      </Cell>
      <Cell label={t.columns.facility}>{alert.facility_id}</Cell>
      <Cell label={t.columns.count} className="text-right">
        <Count alert={alert} />
      </Cell>
      <div className="text-right text-sm @6xl:text-left">
        <Seen alert={alert} />
      </div>
      <Cell label={t.columns.status}>
        <StatusWord status={alert.status} />
      </Cell>
    </li>
  );
}

/** Cell is a column of its own where the list is wide; elsewhere its content stands in the line under the sentence. */
function Cell({ label, className = "", children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <div className={`hidden min-w-0 break-words @6xl:block ${className}`}>
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
