"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { alertsHref } from "@/lib/alert-filters";
import { predictionsOf, type PredictedTechnique, type Prediction } from "@/lib/predictions";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Failure } from "@/ui/failure";
import { Progress } from "@/ui/progress";
import { Section } from "@/ui/section";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import type { AttackUrl } from "./use-attack-url";

const t = texts.attack;

/** Said is what one prediction says of the technique. */
export interface Said {
  prediction: Prediction;
  technique: PredictedTechnique;
}

/** saidOf is what predictions say of a technique: first the likeliest that is open, else the one that came true, else the newest. */
export function saidOf(predictions: readonly Prediction[], ids: readonly string[]): Said[] {
  const said = predictions.flatMap((prediction): Said[] => {
    const technique = prediction.predicted_techniques.find((p) => ids.includes(p.technique_id));
    return technique ? [{ prediction, technique }] : [];
  });
  const rank = ({ prediction, technique }: Said) => (prediction.status === "open" ? 2 + technique.probability : technique.observed_at ? 1 : 0);
  const best = said.toSorted((a, b) => rank(b) - rank(a))[0];
  return best ? [best, ...said.filter((s) => s !== best)] : [];
}

const shown = 5;

/** WhyPredicted is what predictions of the technique rest on, and what became of them. */
export function WhyPredicted({ ids, url }: { ids: readonly string[]; url: AttackUrl }) {
  const { data, error, refetch, isFetching } = useQuery(predictionsOf(ids, url.scope.facility));
  const [best, ...others] = saidOf(data ?? [], ids);
  return (
    <Section title={best?.prediction.status === "open" ? t.prediction : t.predictionPast}>
      {!data && !error && <Skeleton label={texts.skeleton} rows={2} />}
      {!data && error && <Failure title={t.predictionFailed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && !best && <p className="text-muted">{t.predictionNone}</p>}
      {best && (
        <div data-testid="prediction" className="space-y-2">
          <Line said={best} />
          <Progress label={t.predicted(t.percent(best.technique.probability), best.technique.rank)} value={best.technique.probability * 100} />
          <Reasons technique={best.technique} />
        </div>
      )}
      {others.length > 0 && (
        <ul className="mt-3 space-y-2 border-t border-line pt-3">
          {others.slice(0, shown).map((said) => (
            <li key={said.prediction.id}>
              <Line said={said} />
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

/** Line is one prediction in words: how likely, after what, and what became of it. */
function Line({ said: { prediction: p, technique: x } }: { said: Said }) {
  const outcome = x.observed_at ? <Badge tone="good">{t.outcomes.validated}</Badge> : p.status === "open" ? <Badge tone="accent">{t.outcomes.open}</Badge> : <Badge>{p.status === "validated" ? t.otherCame : t.outcomes.expired}</Badge>;
  return (
    <p className="text-muted">
      <span className="font-semibold text-text">{t.predicted(t.percent(x.probability), x.rank)}</span> {outcome}
      <br />
      {t.after(p.current_technique)} {p.current_technique_name}, {p.facility_id}, <Time at={p.timestamp} />
      {x.timeframe && `, ${x.timeframe}`}
      {x.observed_at && (
        <>
          {"; "}
          {x.observed_in ? (
            <Link href={alertsHref({}, x.observed_in)} className="text-accent underline underline-offset-4">
              {t.seenAt} <Time at={x.observed_at} />
            </Link>
          ) : (
            <>
              {t.seenAt} <Time at={x.observed_at} />
            </>
          )}
        </>
      )}
    </p>
  );
}

/** Reasons are the ways by which what was seen leads to the technique: through a campaign, a group, a piece of software. */
function Reasons({ technique }: { technique: PredictedTechnique }) {
  const { data: names } = useQuery(techniqueNames);
  if (!technique.why?.length) return null;
  return (
    <>
      <h4 className="text-xs text-muted">{t.because}</h4>
      <ul className="space-y-2">
        {technique.why.map((why) => (
          <li key={`${why.kind} ${why.id} ${why.name}`} className="border-l-2 border-accent pl-3">
            <span className="text-muted">{t.kinds[why.kind] ?? why.kind}</span> <span className="font-medium">{why.name}</span> {why.id && <span className="font-mono text-xs text-muted">{why.id}</span>}{" "}
            <span className="text-xs text-muted">
              {t.share(t.percent(why.share))}
              {why.seen.length > 0 && `, ${t.has(why.seen.length)}`}
            </span>
            <p className="text-xs">
              {why.path.map((id, i) => (
                <span key={`${i} ${id}`}>
                  {i > 0 && <span className="text-muted"> → </span>}
                  <span title={names?.get(id)} className={id === why.id || id === why.name ? "font-medium" : "font-mono"}>
                    {id === why.id ? why.name : id}
                  </span>
                </span>
              ))}
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}
