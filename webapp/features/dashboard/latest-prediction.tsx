"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { alertsHref } from "@/lib/alert-filters";
import { techniqueHref } from "@/lib/attack";
import { percent } from "@/lib/format";
import { latestPrediction, type Prediction } from "@/lib/predictions";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Card } from "@/ui/card";
import { Countdown } from "@/ui/countdown";
import { Failure } from "@/ui/failure";
import { Progress } from "@/ui/progress";
import { QuietLink } from "@/ui/quiet-link";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";

const t = texts.dashboard.prediction;

const shown = 4;
const tones = { open: "accent", validated: "good", expired: "plain" } as const;

/** LatestPrediction is what may come next, how likely, and how long it may still take. */
export function LatestPrediction({ className }: { className: string }) {
  const { data: prediction, error, refetch, isFetching } = useQuery(latestPrediction);
  return (
    <Card id="prediction" title={t.title} more={{ href: "/attack-graph", name: t.more }} className={className} aside={prediction && <Badge tone={tones[prediction.status]}>{t.status[prediction.status]}</Badge>}>
      {prediction === undefined && !error && <Skeleton label={t.loading} rows={3} />}
      {prediction === undefined && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {prediction === null && <p className="py-3 text-sm text-muted">{t.none}</p>}
      {prediction && <Body prediction={prediction} />}
    </Card>
  );
}

function Body({ prediction: p }: { prediction: Prediction }) {
  const techniques = p.predicted_techniques.toSorted((a, b) => a.rank - b.rank).slice(0, shown);
  return (
    <>
      <p className="text-sm">
        {t.after}{" "}
        <QuietLink href={techniqueHref(p.current_technique)}>
          <span className="font-mono">{p.current_technique}</span> {p.current_technique_name}
        </QuietLink>{" "}
        {t.at} <span className="font-medium">{p.facility_id}</span>, <Time at={p.timestamp} />
        {p.alert_id && (
          <>
            {" · "}
            <Link href={alertsHref({}, p.alert_id)} className="text-accent underline underline-offset-4">
              {t.alert}
            </Link>
          </>
        )}
      </p>
      {p.status === "open" && (
        <p className="mt-1 text-sm text-muted">
          <span className="font-semibold text-text">
            <Countdown until={Date.parse(p.expires_at)} over={t.over} words={t.left} />
          </span>
          , {t.until} <Time at={p.expires_at} />
        </p>
      )}
      <h3 className="mt-3 mb-1.5 text-xs font-medium text-muted">{t.comesNext}</h3>
      <ol className="space-y-2">
        {techniques.map((technique) => (
          <li key={technique.technique_id} className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-3 gap-y-1 text-sm sm:grid-cols-[minmax(0,1fr)_8rem_4rem]">
            <span className="min-w-0 sm:truncate">
              <QuietLink href={techniqueHref(technique.technique_id)}>
                <span className="font-mono">{technique.technique_id}</span> {technique.technique_name}
              </QuietLink>{" "}
              {technique.observed_at && <Badge tone="good">{t.seen}</Badge>}
              <span className="block text-xs text-muted">{technique.timeframe}</span>
            </span>
            <Progress label={`${technique.technique_id} ${technique.technique_name}`} value={technique.probability * 100} className="order-3 col-span-2 sm:order-none sm:col-span-1" />
            <span className="text-right font-medium">{percent(technique.probability)}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
