"use client";

import { useQuery } from "@tanstack/react-query";

import { figure, percent, span } from "@/lib/format";
import { phases, recentRounds, type Round } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Card } from "@/ui/card";
import { Countdown } from "@/ui/countdown";
import { Figure } from "@/ui/figure";
import { Progress } from "@/ui/progress";
import { Time } from "@/ui/time";

const t = texts.federation;

const tones = { "in-progress": "accent", completed: "good", failed: "warn" } as const;

/** CurrentRound is how far a round is, phase by phase. asOf is when that was heard of (Unix ms, the browser's clock). */
export function CurrentRound({ round, asOf, className }: { round: Round; asOf: number; className: string }) {
  const running = round.status === "in-progress";
  const name = t.round(round.round_number);
  return (
    <Card title={running ? t.current.running : t.current.ended} className={className} aside={<Badge tone={tones[round.status]}>{t.status[round.status]}</Badge>}>
      <p className="flex flex-wrap items-baseline gap-x-3">
        <span className="text-xl font-semibold tracking-tight">{name}</span>
        <span className="ml-auto text-sm text-muted">
          {running && round.time_remaining !== null && <Countdown until={asOf + round.time_remaining * 60_000} words={t.left} over={t.soon} />}
        </span>
        <span className="text-xl font-semibold" data-testid="progress">
          {t.progress(round.progress)}
        </span>
      </p>
      <Progress label={t.progressOf(name)} value={round.progress} className="mt-2" />
      <Phases round={round} />
      {round.reason && (
        <p role="status" className="mt-3 text-sm text-warn">
          {round.reason}
        </p>
      )}
      <dl className="mt-4 grid grid-cols-2 gap-3 sm:grid-cols-4">
        <Figure name={t.clientsIn} href="#clients">
          {t.clientsOf(round.clients_active, round.total_clients)}
        </Figure>
        <Figure name={t.accuracy} href="#charts">
          {round.model_accuracy === null ? "–" : percent(round.model_accuracy)}
        </Figure>
        <Figure name={t.epsilon} href="#privacy">
          {round.epsilon === null ? t.privacy.off : figure(round.epsilon)}
        </Figure>
        <div>
          <dt className="text-xs text-muted">{round.end_time ? t.ended : t.started}</dt>
          <dd className="text-sm">
            <Time at={round.end_time ?? round.start_time} />
            {round.end_time && (
              <span className="block text-xs text-muted">
                {t.took} {span((Date.parse(round.end_time) - Date.parse(round.start_time)) / 1_000)}
              </span>
            )}
          </dd>
        </div>
      </dl>
      <Waiting current={round} />
    </Card>
  );
}

function Phases({ round }: { round: Round }) {
  const at = phases.indexOf(round.phase);
  return (
    <>
      <ol aria-label={t.phases} className="mt-3 grid grid-cols-2 gap-1.5 sm:grid-cols-4">
        {phases.map((phase, i) => {
          const state = i < at || round.status === "completed" ? "done" : i > at ? "ahead" : round.status === "failed" ? "failed" : "now";
          return (
            <li
              key={phase}
              aria-current={state === "now" ? "step" : undefined}
              data-phase={phase}
              data-state={state}
              className="flex items-center gap-1.5 rounded-md border border-line px-2 py-1 text-sm text-muted data-[state=done]:text-ok data-[state=failed]:border-current data-[state=failed]:text-warn data-[state=now]:border-accent data-[state=now]:bg-selected data-[state=now]:font-semibold data-[state=now]:text-text"
            >
              <svg aria-hidden viewBox="0 0 12 12" className="size-3 shrink-0" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
                {state === "done" && <path d="m2.5 6.5 2.5 2.5 4.5-5.5" />}
                {state === "now" && <circle cx="6" cy="6" r="3" fill="currentColor" className="motion-safe:animate-pulse" />}
                {state === "ahead" && <circle cx="6" cy="6" r="4" />}
                {state === "failed" && <path d="m3 3 6 6M9 3 3 9" />}
              </svg>
              {t.phase[phase]}
            </li>
          );
        })}
      </ol>
      <p className="mt-1.5 text-sm text-muted">{round.status !== "failed" && t.phaseDoes[round.phase]}</p>
    </>
  );
}

/** Waiting is how many rounds wait for this one to end. */
function Waiting({ current }: { current: Round }) {
  const { data: rounds } = useQuery(recentRounds);
  const n = rounds?.filter((r) => r.status === "in-progress" && r.id !== current.id).length ?? 0;
  return n > 0 && <p className="mt-3 text-sm text-muted">{t.waiting(n)}</p>;
}
