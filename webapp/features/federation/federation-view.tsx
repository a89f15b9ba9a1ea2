"use client";

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { currentRound } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import { ClientCards } from "./client-cards";
import { CurrentRound } from "./current-round";
import { Privacy } from "./privacy";
import { RoundCharts } from "./round-charts";
import { RoundHistory } from "./round-history";
import { TriggerRound } from "./trigger-round";

const t = texts.federation;

/** FederationView is the page: the round that runs, who trains, what became of the rounds before, and the models that came of them. */
export function FederationView({ models }: { models: ReactNode }) {
  const { data: round, error, dataUpdatedAt, refetch, isFetching } = useQuery(currentRound);
  return (
    <main id="content" tabIndex={-1} className="mx-auto flex w-full max-w-[120rem] flex-1 flex-col gap-4 p-4 outline-none">
      <div className="flex flex-wrap items-center gap-x-6 gap-y-2">
        <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
        <p className="text-sm text-muted">{t.intro}</p>
        <div className="sm:ml-auto">
          <TriggerRound />
        </div>
      </div>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-12">
        {round ? (
          <CurrentRound round={round} asOf={dataUpdatedAt} className="lg:col-span-7" />
        ) : (
          <Card title={t.current.running} className="lg:col-span-7">
            {round === undefined && !error && <Skeleton label={t.loading} rows={3} />}
            {round === undefined && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
            {round === null && (
              <div className="py-3 text-sm text-muted">
                <p className="mb-1 font-semibold text-text">{t.noneTitle}</p>
                <p>{t.noneBody}</p>
              </div>
            )}
          </Card>
        )}
        <Privacy className="lg:col-span-5" />
        <ClientCards className="lg:col-span-12" />
        <RoundCharts className="lg:col-span-12" />
        <RoundHistory className="lg:col-span-12" />
        <div className="min-w-0 lg:col-span-12">{models}</div>
      </div>
    </main>
  );
}
