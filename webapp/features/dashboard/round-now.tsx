"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { figure, percent } from "@/lib/format";
import { currentRound, privacyMetrics, type Round } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Card } from "@/ui/card";
import { Countdown } from "@/ui/countdown";
import { Failure } from "@/ui/failure";
import { Figure } from "@/ui/figure";
import { Progress } from "@/ui/progress";
import { Skeleton } from "@/ui/skeleton";

const t = texts.dashboard.round;
const fl = texts.federation;
const page = "/fl-status";

const clientsShown = 8;
const tones = { "in-progress": "accent", completed: "good", failed: "warn" } as const;

/** RoundNow is the round in progress, else the last one, with its clients and what it costs in privacy. */
export function RoundNow({ className }: { className: string }) {
  const { data: round, error, dataUpdatedAt, refetch, isFetching } = useQuery(currentRound);
  return (
    <Card title={t.title} more={{ href: page, name: t.more }} className={className} aside={round && <Badge tone={tones[round.status]}>{fl.status[round.status]}</Badge>}>
      {round === undefined && !error && <Skeleton label={fl.loading} rows={3} />}
      {round === undefined && error && <Failure title={fl.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {round === null && <p className="py-3 text-sm text-muted">{t.none}</p>}
      {round && <Body round={round} asOf={dataUpdatedAt} />}
    </Card>
  );
}

function Body({ round, asOf }: { round: Round; asOf: number }) {
  const { data: privacy } = useQuery(privacyMetrics);
  const name = fl.round(round.round_number);
  const running = round.status === "in-progress";
  return (
    <>
      <p className="mb-2 flex flex-wrap items-baseline gap-x-2 text-sm">
        <span className="font-semibold">{name}</span>
        <span>{fl.phase[round.phase]}</span>
        <span className="ml-auto text-muted">
          {running && round.time_remaining !== null && <Countdown until={asOf + round.time_remaining * 60_000} words={fl.left} over={fl.soon} />}{" "}
          <span className="font-medium text-text">{fl.progress(round.progress)}</span>
        </span>
      </p>
      <Progress label={fl.progressOf(name)} value={round.progress} />
      {round.reason && <p className="mt-2 text-sm text-warn">{round.reason}</p>}
      <dl className="mt-3 grid grid-cols-2 gap-3 sm:grid-cols-4">
        <Figure name={fl.clientsIn} href={`${page}#clients`}>
          {fl.clientsOf(round.clients_active, round.total_clients)}
        </Figure>
        <Figure name={fl.accuracy} href={`${page}#charts`}>
          {round.model_accuracy === null ? "–" : percent(round.model_accuracy)}
        </Figure>
        <Figure name={fl.epsilon} href={`${page}#privacy`}>
          {privacy?.epsilon == null ? fl.privacy.off : figure(privacy.epsilon)}
        </Figure>
        <Figure name={fl.privacy.remaining} href={`${page}#privacy`}>
          {privacy?.privacy_budget_remaining == null ? fl.privacy.noBudget : figure(privacy.privacy_budget_remaining)}
        </Figure>
      </dl>
      {round.clients.length > 0 && (
        <ul aria-label={fl.clients.title} className="mt-3 grid gap-x-6 gap-y-1.5 text-sm sm:grid-cols-2">
          {round.clients.slice(0, clientsShown).map((c) => (
            <li key={c.id} className="flex min-w-0 items-center gap-3">
              <span className="w-28 shrink-0 truncate" title={c.name}>
                {c.name}
              </span>
              <Progress label={fl.clients.progress(c.name)} value={c.progress} />
              {c.status !== "active" && <Badge tone="warn">{fl.clients.status[c.status]}</Badge>}
            </li>
          ))}
        </ul>
      )}
      {round.clients.length > clientsShown && (
        <Link href={`${page}#clients`} className="mt-2 text-sm text-accent underline-offset-4 hover:underline">
          {fl.clients.showAll(round.clients.length)}
        </Link>
      )}
    </>
  );
}
