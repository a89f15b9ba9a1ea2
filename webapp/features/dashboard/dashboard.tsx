"use client";

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { everything } from "@/lib/alert-filters";
import { alertStats } from "@/lib/alerts";
import { systemStatus } from "@/lib/system";
import { texts } from "@/lib/texts";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import { AlertsOfTheDay } from "./alerts-of-the-day";
import { Facilities } from "./facilities";
import { LatestPrediction } from "./latest-prediction";
import { NewestAlerts } from "./newest-alerts";
import { NothingWatched } from "./nothing-watched";
import { RoundNow } from "./round-now";
import { SystemFigures } from "./system-figures";

const t = texts.dashboard;

/** openAlerts counts the alerts that somebody still has to look at. */
export const openAlerts = alertStats({ ...everything, status: ["new", "acknowledged"] });

/** Dashboard is the page: how everything stands, each figure with a way to its reason. demo is what is offered where there is nothing to see yet. */
export function Dashboard({ demo }: { demo: ReactNode }) {
  const { data: status, error, dataUpdatedAt, refetch, isFetching } = useQuery(systemStatus);
  const { data: open } = useQuery(openAlerts);
  const watched = status && status.facilities.length > 0;
  return (
    <main id="content" tabIndex={-1} className="mx-auto flex w-full max-w-[120rem] flex-1 flex-col gap-4 p-4 outline-none">
      <div className="flex flex-wrap items-baseline gap-x-6 gap-y-1">
        <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
        {watched && open && <Verdict critical={open.by_severity.critical ?? 0} open={open.total} active={status.facilities.filter((f) => f.status === "active").length} all={status.facilities.length} />}
      </div>
      {!status && !error && <Skeleton label={t.loading} rows={8} />}
      {!status && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {status && <SystemFigures status={status} asOf={dataUpdatedAt} />}
      {status && !watched && <NothingWatched demo={demo} />}
      {watched && (
        <div className="grid grid-cols-1 gap-4 lg:grid-cols-12">
          <AlertsOfTheDay className="lg:col-span-5" />
          <NewestAlerts className="lg:col-span-7" />
          <Facilities className="lg:col-span-12" facilities={status.facilities} open={open?.by_facility ?? {}} />
          <LatestPrediction className="lg:col-span-7" />
          <RoundNow className="lg:col-span-5" />
        </div>
      )}
    </main>
  );
}

/** Verdict is the page in one sentence. */
function Verdict({ critical, open, active, all }: { critical: number; open: number; active: number; all: number }) {
  const alerts = critical ? t.verdict.critical(critical) : open ? t.verdict.open(open) : t.verdict.quiet;
  return (
    <p data-testid="verdict" className="text-base">
      <span className={critical ? "font-semibold text-mark-critical" : open ? "font-semibold" : "font-semibold text-ok"}>{alerts}</span>{" "}
      <span className={active < all ? "text-warn" : "text-muted"}>{t.verdict.heard(active, all)}</span>
    </p>
  );
}
