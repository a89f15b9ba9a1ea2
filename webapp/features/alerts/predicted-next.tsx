"use client";

import { useQuery } from "@tanstack/react-query";

import { techniqueHref } from "@/lib/attack";
import { facilityPredictions, type Prediction } from "@/lib/predictions";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Failure } from "@/ui/failure";
import { Progress } from "@/ui/progress";
import { QuietLink } from "@/ui/quiet-link";
import { Skeleton } from "@/ui/skeleton";

const t = texts.panel;

/** PredictedNext is what was predicted when an alert showed its technique, else what was predicted last at its facility. */
export function PredictedNext({ facility, alert }: { facility: string; alert?: string }) {
  const { data, error, refetch, isFetching } = useQuery(facilityPredictions(facility));
  if (!data) {
    if (!error) return <Skeleton label={texts.skeleton} rows={1} />;
    return <Failure title={t.nextFailed} error={error} onRetry={() => void refetch()} busy={isFetching} />;
  }
  const prediction = chosen(data, alert);
  if (!prediction) return <p className="text-muted">{t.nextNone}</p>;
  return (
    <>
      <p className="mb-2 text-muted">
        {t.nextFrom(`${prediction.current_technique} ${prediction.current_technique_name}`.trim())} {prediction.status === "expired" && t.nextExpired}
      </p>
      <ol className="space-y-2">
        {prediction.predicted_techniques?.slice(0, 5).map((p) => (
          <li key={p.technique_id} className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-3 gap-y-0.5">
            <span>
              <QuietLink href={techniqueHref(p.technique_id)}>
                <span className="font-mono">{p.technique_id}</span> {p.technique_name}
              </QuietLink>{" "}
              {p.observed_at && <Badge tone="bad">{t.nextSeen}</Badge>}
            </span>
            <span className="text-xs text-muted">
              <span className="font-medium text-text">{t.percent(p.probability)}</span> {p.timeframe}
            </span>
            <Progress label={`${p.technique_id} ${p.technique_name}`} value={p.probability * 100} className="col-span-full" />
          </li>
        ))}
      </ol>
    </>
  );
}

/** chosen is the prediction that an alert brought about, else the newest that is still open, else the newest. */
export const chosen = (predictions: readonly Prediction[], alert?: string): Prediction | undefined =>
  predictions.find((p) => alert && p.alert_id === alert) ?? predictions.find((p) => p.status === "open") ?? predictions[0];
