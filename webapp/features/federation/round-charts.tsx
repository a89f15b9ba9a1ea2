"use client";

import { useQuery } from "@tanstack/react-query";

import { figure, percent } from "@/lib/format";
import { recentRounds, type Round } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { LineChart } from "@/ui/chart";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import type { Point } from "@/ui/sparkline";

const t = texts.federation.charts;
const round = texts.federation.round;

/** RoundCharts is how accuracy and ε have gone over the completed rounds. */
export function RoundCharts({ className }: { className: string }) {
  const { data, error, refetch, isFetching } = useQuery(recentRounds);
  const completed = data?.filter((r) => r.status === "completed").toReversed() ?? [];
  const course = (value: (r: Round) => number | null): Point[] => completed.map((r) => ({ x: r.round_number, y: value(r) }));
  return (
    <Card id="charts" title={t.title} className={className}>
      {!data && !error && <Skeleton label={t.loading} rows={2} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && completed.length === 0 && <p className="py-3 text-sm text-muted">{t.none}</p>}
      {completed.length > 0 && (
        <div className="grid gap-6 md:grid-cols-2">
          <Course title={t.accuracy} label={t.accuracyChart} points={course((r) => r.model_accuracy)} none={t.noAccuracy} show={percent} to={1} />
          <Course title={t.epsilon} label={t.epsilonChart} points={course((r) => r.epsilon)} none={t.noEpsilon} show={figure} from={0} />
        </div>
      )}
    </Card>
  );
}

function Course({ title, label, points, none, show, from, to }: { title: string; label: string; points: readonly Point[]; none: string; show: (y: number) => string; from?: number; to?: number }) {
  const known = points.filter((p) => p.y !== null);
  return (
    <div className="min-w-0">
      <h3 className="text-sm text-muted">{title}</h3>
      {known.length === 0 ? (
        <p className="py-3 text-sm text-muted">{none}</p>
      ) : (
        <LineChart
          label={label}
          points={points}
          from={from}
          to={to}
          axis={show}
          ends={[round(points[0]!.x), points.length > 1 ? round(points.at(-1)!.x) : ""]}
          readout={({ x, y }) => t.point(x, y === null ? texts.federation.unknown : show(y))}
          tall
        />
      )}
    </div>
  );
}
