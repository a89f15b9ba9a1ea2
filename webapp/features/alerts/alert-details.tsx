"use client";

import { Dialog } from "radix-ui";
import { useState, type ReactNode } from "react";

import type { Alert, AlertDetail } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { utc } from "@/lib/time";
import { Button } from "@/ui/button";
import { Time } from "@/ui/time";
import { rankOf, SeverityBadge, StatusWord } from "./severity";

const t = texts.panel;

type Source = NonNullable<Alert["sources"]>[number];
type HistoryLine = NonNullable<AlertDetail["history"]>[number];

/** AlertDetails is all that is known of one alert, in the order in which an analyst asks: what, where, what now, why. */
export function AlertDetails({ alert }: { alert: AlertDetail }) {
  const sources = [...(alert.sources ?? [])].sort((a, b) => rankOf(b.severity) - rankOf(a.severity) || b.confidence - a.confidence);
  const lookAt = [...new Set(sources.map((s) => s.look_at).filter(Boolean))];
  const history = alert.history ?? [];
  return (
    <article className="space-y-6 px-5 py-4">
      <header>
        <div className="mb-2 flex items-center gap-3 text-sm">
          <SeverityBadge severity={alert.severity} />
          <StatusWord status={alert.status} />
        </div>
        <Dialog.Title className="text-lg font-semibold tracking-tight">{alert.title}</Dialog.Title>
        <p className="mt-1 break-words">{alert.description}</p>
      </header>

      <dl className="grid grid-cols-2 gap-x-3 gap-y-3 border-y border-line py-4 text-sm">
        <Fact name={t.asset} mono>
          {alert.asset}
        </Fact>
        <Fact name={t.facility}>{alert.facility_id}</Fact>
        <Fact name={t.technique}>
          {alert.attack_type ? (
            <>
              <span className="font-mono">{alert.attack_type}</span> {alert.attack_name}
            </>
          ) : (
            texts.alerts.noTechnique
          )}
        </Fact>
        <Fact name={t.confidence}>{t.percent(alert.correlation_confidence)}</Fact>
        <Fact name={t.firstSeen}>
          <Moment at={alert.timestamp} />
        </Fact>
        <Fact name={t.lastSeen}>
          <Moment at={alert.last_seen} />
        </Fact>
        <Fact name={t.count}>
          <span data-testid="count">{texts.alerts.times(alert.count)}</span>
        </Fact>
        {alert.assignee && <Fact name={t.assignee}>{alert.assignee}</Fact>}
      </dl>

      {lookAt.length > 0 && (
        <Section title={t.lookAt}>
          <ul className="space-y-2">
            {lookAt.map((what) => (
              <li key={what} className="border-l-2 border-accent pl-3">
                {what}
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title={t.why}>
        <p>{alert.correlation_summary}</p>
      </Section>
      <Section title={t.context}>
        <p className={alert.context_analysis ? undefined : "text-muted"}>{alert.context_analysis || t.noContext}</p>
      </Section>
      <Section title={t.sources(sources.length)}>
        <ul className="space-y-3">
          {sources.map((s) => (
            <SourceCard key={`${s.layer} ${s.model_name}`} source={s} />
          ))}
        </ul>
      </Section>
      {history.length > 0 && (
        <Section title={t.history(history.length)}>
          <History lines={history} />
        </Section>
      )}
    </article>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1.5 text-sm font-semibold">{title}</h3>
      <div className="text-sm break-words">{children}</div>
    </section>
  );
}

function Fact({ name, mono, children }: { name: string; mono?: boolean; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className={`break-words ${mono ? "font-mono" : ""}`}>{children}</dd>
    </div>
  );
}

/** Moment is a time in both zones at once, to the millisecond, as it is looked up in a capture or a log. */
function Moment({ at }: { at: string }) {
  return (
    <>
      <Time at={at} />
      <span className="block text-xs text-muted">{texts.time.utc(utc(at))}</span>
    </>
  );
}

function SourceCard({ source: s }: { source: Source }) {
  const talk = s.conversation;
  return (
    <li className="rounded-md border border-line p-3">
      <div className="mb-1 flex flex-wrap items-center gap-x-3 gap-y-1">
        <SeverityBadge severity={s.severity} />
        <span className="font-mono">{s.model_name}</span>
        <span className="text-xs text-muted">{t.layers[s.layer] || t.layer(s.layer)}</span>
        <span className="ml-auto text-xs text-muted">
          {t.confidence} <span className="text-text">{t.percent(s.confidence)}</span> · {texts.alerts.times(s.count)}
        </span>
      </div>
      <p>{s.evidence}</p>
      <p className="mt-1.5 flex flex-wrap gap-x-4 gap-y-0.5 text-xs text-muted">
        {Boolean(talk?.client && talk.server) && talk && (
          <span>
            <span className="sr-only">{t.conversation}: </span>
            <span className="font-mono">
              {String(talk.client)} → {String(talk.server)}
              {talk.port ? `:${talk.port}` : ""}
            </span>{" "}
            {talk.protocol}
          </span>
        )}
        {s.technique && (
          <span>
            <span className="font-mono">{s.technique}</span> {s.technique_name}
          </span>
        )}
        <Time at={s.detection_time} />
      </p>
    </li>
  );
}

const shownAtFirst = 12;

/** History is what happened, oldest first; of a long one the newest lines, until all are asked for. */
function History({ lines }: { lines: readonly HistoryLine[] }) {
  const [all, setAll] = useState(false);
  const from = all ? 0 : Math.max(0, lines.length - shownAtFirst);
  return (
    <>
      {from > 0 && (
        <Button className="mb-3" onClick={() => setAll(true)}>
          {t.showAll(lines.length)}
        </Button>
      )}
      <ol className="space-y-3 border-l border-line-strong pl-4">
        {lines.slice(from).map((line, i) => (
          <li key={from + i} className="relative">
            <span aria-hidden className="absolute top-1.5 -left-[1.1875rem] size-1.5 rounded-full bg-line-strong" />
            <p className="text-xs text-muted">
              <Time at={line.time} /> · {t.historyKinds[line.kind] ?? line.kind} · <span className="font-mono">{line.by}</span>
            </p>
            <p>{line.text}</p>
          </li>
        ))}
      </ol>
    </>
  );
}
