"use client";

import { useQuery } from "@tanstack/react-query";

import { evidence, type Second } from "@/lib/context";
import { count, figure } from "@/lib/format";
import { texts } from "@/lib/texts";
import { LineChart } from "@/ui/chart";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";

const t = texts.panel;

/** AlertMinute is the 60 s before an alert as charts, the moment of the alert marked in each. */
export function AlertMinute({ id, at }: { id: string; at: string }) {
  const { data, error, refetch, isFetching } = useQuery(evidence(id));
  if (!data) {
    if (!error) return <Skeleton label={t.contextLoading} rows={2} />;
    return <Failure title={t.contextFailed} error={error} onRetry={() => void refetch()} busy={isFetching} />;
  }
  const seconds = data.timeline ?? [];
  if (seconds.length === 0) return null; // the sentence above says so
  const moment = Date.parse(at) / 1_000;
  const courses = [
    { name: t.packets, of: (s: Second) => s.packets_per_sec, as: count, to: undefined },
    { name: t.destinations, of: (s: Second) => s.unique_dest_ips, as: count, to: undefined },
    { name: t.mix, of: (s: Second) => s.protocol_distribution, as: figure, to: 1 },
  ];
  return (
    <div className="space-y-4">
      <States seconds={seconds} moment={moment} />
      {courses.map(({ name, of, as, to }) => (
        <figure key={name}>
          <figcaption className="text-xs text-muted" title={name === t.mix ? t.mixHint : undefined}>
            {name}
          </figcaption>
          <LineChart
            label={t.chart(name, as(of(seconds.at(-1)!)), as(Math.max(...seconds.map(of))))}
            points={seconds.map((s) => ({ x: secondOf(s) - moment, y: of(s) }))}
            from={0}
            to={to}
            least={to ? undefined : 1}
            axis={as}
            ends={["−60 s", t.moment]}
            readout={(p) => t.second(Math.round(-p.x), as(p.y ?? 0), t.states[seconds.find((s) => secondOf(s) - moment === p.x)?.status ?? "normal"])}
            mark={0}
          />
        </figure>
      ))}
    </div>
  );
}

const secondOf = (s: Second) => Date.parse(s.time) / 1_000;

const heights = { normal: 2, suspicious: 6, attack: 12 } as const;
const colours = { normal: "var(--line-strong)", suspicious: "var(--mark-medium)", attack: "var(--mark-critical)" } as const;

/** States is how each second stood, told by height and colour. */
function States({ seconds, moment }: { seconds: readonly Second[]; moment: number }) {
  const of = (status: Second["status"]) => seconds.filter((s) => s.status === status).length;
  const first = secondOf(seconds[0]!) - moment;
  const width = 100 / Math.max(1, -first);
  return (
    <div>
      <p aria-hidden className="mb-1 flex flex-wrap gap-x-3 text-xs text-muted">
        <span className="mr-auto">{t.state}</span>
        {(["normal", "suspicious", "attack"] as const).map((status) => (
          <span key={status} className="inline-flex items-center gap-1.5">
            <svg viewBox="0 0 6 12" className="h-3 w-1.5">
              <rect width="6" y={12 - heights[status]} height={heights[status]} fill={colours[status]} />
            </svg>
            {t.states[status]} {count(of(status))}
          </span>
        ))}
      </p>
      <svg role="img" aria-label={t.stateChart(of("attack"), of("suspicious"))} viewBox="0 0 100 12" preserveAspectRatio="none" className="block h-4 w-full border-r-2 border-[var(--mark-critical)]">
        {seconds.map((s) => {
          const x = (secondOf(s) - moment - first) * width;
          return <rect key={s.time} x={x + width * 0.1} width={width * 0.8} y={12 - heights[s.status]} height={heights[s.status]} fill={colours[s.status]} />;
        })}
      </svg>
    </div>
  );
}
