"use client";

import { useQueries } from "@tanstack/react-query";
import Link from "next/link";

import { alertsHref, everything, severities } from "@/lib/alert-filters";
import { alertStats, type AlertStats } from "@/lib/alerts";
import { count } from "@/lib/format";
import { localParts } from "@/lib/time";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { ColumnChart, type Column } from "@/ui/chart";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";

const t = texts.dashboard.day;

const colours = { critical: "--mark-critical", high: "--mark-high", medium: "--mark-medium", low: "--mark-low" } as const;
const squares = { critical: "text-mark-critical", high: "text-mark-high", medium: "text-mark-medium", low: "text-mark-low" } as const;

// The hours go on though nothing happens: what is older than a day leaves.
const again = 60_000; // ms

/** AlertsOfTheDay is how many alerts of each severity began in each of the last 24 hours. */
export function AlertsOfTheDay({ className }: { className: string }) {
  const answers = useQueries({
    queries: severities.map((severity) => ({ ...alertStats({ ...everything, severity: [severity], range: "24h" }), refetchInterval: again })),
  });
  const failed = answers.find((a) => a.error && !a.data);
  const stats = answers.map((a) => a.data);
  const known = stats.every((s): s is AlertStats => s !== undefined);
  return (
    <Card title={t.title} more={{ href: alertsHref({ range: "24h" }), name: t.all }} className={className}>
      {failed?.error && <Failure title={t.failed} error={failed.error} onRetry={() => answers.forEach((a) => void a.refetch())} busy={answers.some((a) => a.isFetching)} />}
      {!failed && !known && <Skeleton label={t.loading} rows={2} />}
      {known && (
        <>
          <ul className="mb-3 grid grid-cols-4 gap-2">
            {severities.map((severity, i) => (
              <li key={severity} className="min-w-0">
                <Link href={alertsHref({ severity: [severity], range: "24h" })} className="block rounded-md border border-line px-2 py-1.5 hover:bg-hover">
                  <span className="flex items-center gap-1.5 text-xs text-muted">
                    <svg aria-hidden viewBox="0 0 8 8" className={`size-2 shrink-0 ${squares[severity]}`} fill="currentColor">
                      <rect width="8" height="8" rx="1.5" />
                    </svg>
                    {texts.severity[severity]}
                  </span>
                  <span className="text-xl font-semibold" data-testid={`day-${severity}`}>
                    {count(stats[i]!.total)}
                  </span>
                </Link>
              </li>
            ))}
          </ul>
          {stats.every((s) => s.total === 0) ? <p className="text-sm text-muted">{t.none}</p> : <Hours stats={stats} />}
        </>
      )}
    </Card>
  );
}

/** Hours draws the stats, which are of the severities in their order; the least severe stand lowest. */
function Hours({ stats }: { stats: readonly AlertStats[] }) {
  const columns = hoursOf(stats);
  const clock = (iso: string) => localParts(iso).clock.slice(0, 5);
  const day = (iso: string) => `${localParts(iso).date.slice(0, 6)} ${clock(iso)}`;
  const order = severities.toReversed();
  const first = columns[0];
  const last = columns.at(-1);
  if (!first || !last) return null;
  return (
    <ColumnChart
      label={t.chart}
      columns={columns}
      colours={order.map((s) => colours[s])}
      axis={count}
      ends={[day(first.name), day(last.name)]}
      readout={({ name, parts }) => {
        const all = parts.reduce((a, b) => a + b, 0);
        const each = order.flatMap((s, i) => (parts[i] ? t.part(texts.severity[s], parts[i]) : [])).reverse();
        return [t.hour(clock(name), all), each.length > 1 || all ? `(${each.join(", ")})` : ""].join(" ").trim();
      }}
    />
  );
}

/** hoursOf is a column for each hour that any of the stats knows, each part a severity's, the least severe first. */
export function hoursOf(stats: readonly AlertStats[]): Column[] {
  const times = [...new Set(stats.flatMap((s) => s.timeline.map((b) => b.time)))].sort((a, b) => Date.parse(a) - Date.parse(b));
  const counts = stats.map((s) => new Map(s.timeline.map((b) => [b.time, b.count]))).reverse();
  return times.map((time) => ({ name: time, parts: counts.map((c) => c.get(time) ?? 0) }));
}
