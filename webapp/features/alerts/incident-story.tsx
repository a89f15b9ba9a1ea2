"use client";

import { useQuery } from "@tanstack/react-query";

import type { Alert, Status } from "@/lib/alerts";
import { isMissing } from "@/lib/api-client";
import { techniqueHref } from "@/lib/attack";
import { span } from "@/lib/format";
import { attacked, incident, type IncidentDetail } from "@/lib/incidents";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { FailureNotice } from "@/ui/failure-notice";
import { goUnlessMarked, PlaceLink, RowLink } from "@/ui/place-link";
import { QuietLink } from "@/ui/quiet-link";
import { Section } from "@/ui/section";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { PredictedNext } from "./predicted-next";
import { SeverityBadge, StatusWord } from "./severity";
import type { AlertsUrl } from "./use-alerts-url";

const t = texts.incidents;
interface Props {
  url: AlertsUrl;
  busy: boolean;
  onChoose: (status: Status, ids: readonly string[]) => void;
}

/** IncidentStory is one incident told in order: who, against what, step by step, and what may come next. */
export function IncidentStory({ id, url, ...triage }: Props & { id: string }) {
  const { data, error, refetch, isFetching } = useQuery(incident(id));
  return (
    <div className="flex-1 border-t border-line bg-surface">
      <p className="border-b border-line px-4 py-2.5 text-sm">
        <PlaceLink href={url.href({ incident: null, id: null })} onGo={() => url.go({ incident: null, id: null })} className="text-accent underline underline-offset-4">
          ← {t.back}
        </PlaceLink>
      </p>
      {data ? (
        <Story incident={data} url={url} {...triage} />
      ) : error ? (
        <FailureNotice title={t.failed} missing={isMissing(error) && { title: t.missing, body: t.missingBody }} error={error} onRetry={() => void refetch()} busy={isFetching} />
      ) : (
        <Skeleton label={t.loadingOne} rows={6} />
      )}
    </div>
  );
}

function Story({ incident: one, url, busy, onChoose }: Props & { incident: IncidentDetail }) {
  const { data: names } = useQuery(techniqueNames);
  const alerts = one.alerts ?? [];
  const ids = (...of: Status[]) => alerts.filter((a) => of.includes(a.status)).map((a) => a.id);
  const [fresh, open] = [ids("new"), ids("new", "acknowledged")];
  return (
    <article className="space-y-6 p-4 @3xl:p-6">
      <header className="space-y-2">
        <SeverityBadge severity={one.severity} />
        <h2 className="text-lg font-semibold tracking-tight break-words">{t.name(one.attackers ?? [], attacked(one))}</h2>
        <p className="flex flex-wrap gap-x-4 text-sm text-muted">
          <span>{one.facility_id}</span>
          <span>
            <Time at={one.first_seen} /> {t.during(span((Date.parse(one.last_seen) - Date.parse(one.first_seen)) / 1_000))}
          </span>
          <span>{t.alerts(one.alert_count)}</span>
          <span>{t.open(one.unresolved)}</span>
        </p>
        {open.length > 0 && (
          <div role="toolbar" aria-label={t.all} className="flex flex-wrap items-center gap-2 pt-1">
            <span className="text-sm text-muted">{t.all}:</span>
            {fresh.length > 0 && (
              <Button disabled={busy} onClick={() => onChoose("acknowledged", fresh)}>
                {texts.triage.acknowledge}
              </Button>
            )}
            <Button disabled={busy} onClick={() => onChoose("resolved", open)}>
              {texts.triage.resolve}
            </Button>
            <Button disabled={busy} onClick={() => onChoose("false-positive", open)}>
              {texts.triage["false-positive"]}
            </Button>
          </div>
        )}
      </header>

      <div className="grid gap-6 @4xl:grid-cols-[minmax(0,1fr)_20rem]">
        <section aria-label={t.story} className="min-w-0">
          <h3 className="mb-3 text-sm font-semibold">{t.story}</h3>
          <ol className="space-y-4 border-l-2 border-line-strong pl-5">
            {alerts.map((alert, i) => (
              <Step key={alert.id} alert={alert} before={alerts[i - 1]} name={names?.get(alert.attack_type) ?? alert.attack_name} url={url} />
            ))}
          </ol>
          {alerts.length < one.alert_count && <p className="mt-3 text-sm text-muted">{t.cut(alerts.length)}</p>}
        </section>
        <aside className="space-y-5 text-sm">
          <Section title={t.attackers}>
            <Chain items={(one.attackers ?? []).map((a) => ({ id: a, words: "" }))} none={t.noAttacker} />
          </Section>
          <Section title={t.assets}>
            <Chain items={attacked(one).map((a) => ({ id: a, words: "" }))} none={t.noAssets} />
          </Section>
          <Section title={t.techniques}>
            <Chain items={(one.techniques ?? []).map((id) => ({ id, words: names?.get(id) ?? "", href: techniqueHref(id) }))} none={t.noTechnique} />
          </Section>
          <Section title={t.next}>
            <PredictedNext facility={one.facility_id} />
          </Section>
        </aside>
      </div>
    </article>
  );
}

function Step({ alert, before, name, url }: { alert: Alert; before: Alert | undefined; name: string; url: AlertsUrl }) {
  const open = url.id === alert.id;
  return (
    <li
      data-open={open || undefined}
      className="relative cursor-pointer rounded-md px-2 py-1 hover:bg-hover data-open:bg-selected"
      onClick={goUnlessMarked(() => url.go({ id: alert.id }))}
    >
      <span aria-hidden className="absolute top-3 -left-[1.6875rem] size-2.5 rounded-full border-2 border-surface bg-muted" />
      <p className="flex flex-wrap gap-x-3 text-xs text-muted">
        <Time at={alert.timestamp} date={!before} />
        {before && <span>{t.later(span((Date.parse(alert.timestamp) - Date.parse(before.timestamp)) / 1_000))}</span>}
        <span className="font-mono">{alert.asset}</span>
        {alert.attack_type && (
          <span>
            <span className="font-mono">{alert.attack_type}</span> {name}
          </span>
        )}
      </p>
      <p className="mt-0.5 flex flex-wrap items-center gap-x-3 gap-y-1">
        <SeverityBadge severity={alert.severity} />
        <RowLink href={url.href({ id: alert.id })} onGo={() => url.go({ id: alert.id })} data-alert={alert.id} aria-current={open || undefined} className="text-base font-semibold">
          {alert.title}
        </RowLink>
        <span className="text-sm">
          <StatusWord status={alert.status} />
        </span>
      </p>
      <p className="mt-0.5 text-sm break-words text-muted">{alert.description}</p>
    </li>
  );
}

function Chain({ items, none }: { items: readonly { id: string; words: string; href?: string }[]; none: string }) {
  if (!items.length) return <p className="text-muted">{none}</p>;
  return (
    <ol className="space-y-1">
      {items.map(({ id, words, href }, i) => {
        const name = (
          <>
            <span className="font-mono">{id}</span> {words}
          </>
        );
        return (
          <li key={id}>
            {items.length > 1 && <span className="mr-2 inline-block w-4 text-right text-muted">{i + 1}</span>}
            {href ? (
              <QuietLink href={href}>
                {name}
              </QuietLink>
            ) : (
              name
            )}
          </li>
        );
      })}
    </ol>
  );
}
