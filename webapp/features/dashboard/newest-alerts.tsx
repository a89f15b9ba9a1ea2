"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { alertsHref, everything, rank } from "@/lib/alert-filters";
import { alertList } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Level } from "@/ui/level";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";

const t = texts.dashboard.newest;

const shown = 6;

/** NewestAlerts is the top of the list of all alerts. */
export function NewestAlerts({ className }: { className: string }) {
  const { data: list, error, refetch, isFetching } = useQuery(alertList(everything));
  const alerts = list?.alerts.slice(0, shown) ?? [];
  return (
    <Card title={t.title} more={{ href: alertsHref({}), name: t.all }} className={className}>
      {!list && !error && <Skeleton label={texts.alerts.loading} rows={shown} />}
      {!list && error && <Failure title={texts.errors.title} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {list && alerts.length === 0 && <p className="py-3 text-sm text-muted">{t.none}</p>}
      <ol aria-label={t.title} className="-mx-4 divide-y divide-line">
        {alerts.map((a) => (
          <li key={a.id} className="relative flex flex-wrap items-center gap-x-3 gap-y-0.5 px-4 py-2 text-sm hover:bg-hover">
            <Level rank={rank[a.severity]}>{texts.severity[a.severity]}</Level>
            {/* The link covers the row. */}
            <Link href={alertsHref({}, a.id)} className="order-3 w-full min-w-0 font-medium after:absolute after:inset-0 sm:order-none sm:w-auto sm:flex-1 sm:truncate">
              {a.title}
            </Link>
            <span className="order-4 text-muted sm:order-none">
              <span className="font-mono">{a.asset}</span> · {a.facility_id}
            </span>
            <Time at={a.timestamp} className="ml-auto text-xs text-muted" />
          </li>
        ))}
      </ol>
    </Card>
  );
}
