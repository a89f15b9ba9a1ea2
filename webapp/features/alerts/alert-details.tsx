"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { rank } from "@/lib/alert-filters";
import { conversationOf, type AlertDetail } from "@/lib/alerts";
import { assetHref, facilityHref } from "@/lib/asset-filters";
import { techniqueHref } from "@/lib/attack";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { utc } from "@/lib/time";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { QuietLink } from "@/ui/quiet-link";
import { Fact, Section } from "@/ui/section";
import { SidePanelTitle } from "@/ui/side-panel";
import { Time } from "@/ui/time";
import { AlertAssignee } from "./alert-assignee";
import { AlertHistory, Happened } from "./alert-history";
import { AlertMinute } from "./alert-minute";
import type { TriageProps } from "./alert-panel";
import { AlertSources } from "./alert-sources";
import { PredictedNext } from "./predicted-next";
import { SeverityBadge, StatusWord } from "./severity";

const t = texts.panel;

/** AlertDetails is all that is known of one alert, in the order in which an analyst asks: what, who to whom, what now, why, what next. */
export function AlertDetails({ alert, busy, onChoose }: TriageProps & { alert: AlertDetail }) {
  const { data: names } = useQuery(techniqueNames);
  const sources = [...(alert.sources ?? [])].sort((a, b) => rank[b.severity] - rank[a.severity] || b.confidence - a.confidence);
  const lookAt = [...new Set(sources.map((s) => s.look_at).filter(Boolean))];
  const who = [...new Set(sources.map((s) => conversationOf(s).client).filter(Boolean))];
  return (
    <article className="space-y-6 px-5 py-4">
      <header>
        <div className="mb-2 flex flex-wrap items-center gap-3 text-sm">
          <SeverityBadge severity={alert.severity} />
          <StatusWord status={alert.status} />
          {alert.muted && (
            <span title={texts.alerts.mutedHint}>
              <Badge>{texts.alerts.muted}</Badge>
            </span>
          )}
        </div>
        <SidePanelTitle className="text-lg font-semibold tracking-tight">{alert.title}</SidePanelTitle>
        <p className="mt-1 break-words">{alert.description}</p>
        <Actions alert={alert} busy={busy} onChoose={onChoose} />
      </header>

      <dl className="grid grid-cols-2 gap-x-3 gap-y-3 border-y border-line py-4 text-sm">
        <Fact name={t.asset} mono>
          <AssetLink facility={alert.facility_id} asset={alert.asset} />
        </Fact>
        {who.length > 0 && (
          <Fact name={t.who} mono>
            {who.map((asset, i) => (
              <span key={asset}>
                {i > 0 && ", "}
                <AssetLink facility={alert.facility_id} asset={asset} />
              </span>
            ))}
          </Fact>
        )}
        <Fact name={t.facility}>
          <Link href={facilityHref(alert.facility_id)} className="underline-offset-4 hover:underline">
            {alert.facility_id}
          </Link>
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
        <AlertAssignee key={alert.assignee} alert={alert} />
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
        <p className={alert.context_analysis ? "mb-3" : "text-muted"}>{alert.context_analysis || t.noContext}</p>
        <AlertMinute id={alert.id} at={alert.timestamp} />
      </Section>
      <Section title={t.techniques}>
        {alert.techniques?.length ? (
          <ul className="space-y-1">
            {alert.techniques.map((id) => (
              <li key={id}>
                <QuietLink href={techniqueHref(id)}>
                  <span className="font-mono">{id}</span> {names?.get(id) ?? (id === alert.attack_type ? alert.attack_name : "")}
                </QuietLink>
              </li>
            ))}
          </ul>
        ) : (
          <p className="text-muted">{texts.alerts.noTechnique}</p>
        )}
      </Section>
      <Section title={t.next}>
        <PredictedNext facility={alert.facility_id} alert={alert.id} />
      </Section>
      <Section title={t.sources(sources.length)}>
        <AlertSources sources={sources} />
      </Section>
      <Happened alert={alert} />
      <Section title={t.history}>
        <AlertHistory alert={alert} />
      </Section>
    </article>
  );
}

function Actions({ alert, busy, onChoose }: TriageProps & { alert: AlertDetail }) {
  const words = texts.triage;
  const open = alert.status === "new" || alert.status === "acknowledged";
  return (
    <div role="toolbar" aria-label={words.label} className="mt-3 flex flex-wrap gap-2">
      {alert.status === "new" && (
        <Button disabled={busy} onClick={() => onChoose("acknowledged", alert)}>
          {words.acknowledge}
        </Button>
      )}
      {open && (
        <>
          <Button disabled={busy} onClick={() => onChoose("resolved", alert)}>
            {words.resolve}
          </Button>
          <Button disabled={busy} onClick={() => onChoose("false-positive", alert)}>
            {words["false-positive"]}
          </Button>
        </>
      )}
      {alert.status !== "new" && (
        <Button disabled={busy} onClick={() => onChoose("new", alert)}>
          {words.reopen}
        </Button>
      )}
    </div>
  );
}

/** AssetLink leads to the page of an address; what stands for many has none. */
function AssetLink({ facility, asset }: { facility: string; asset: string }) {
  if (!/[.:]/.test(asset)) return asset;
  return (
    <Link href={assetHref(facility, asset)} className="underline-offset-4 hover:underline">
      {asset}
    </Link>
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
