"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";

import { alertsHref } from "@/lib/alert-filters";
import { facilityHref } from "@/lib/asset-filters";
import { rate } from "@/lib/format";
import { facilityMinute, type FacilityStatus } from "@/lib/system";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Sparkline } from "@/ui/sparkline";
import { Time } from "@/ui/time";

const t = texts.dashboard.facilities;

const shownAtFirst = 12;

/** Facilities is a tile for each facility; those with open alerts first. open is how many each has. */
export function Facilities({ facilities, open, className }: { facilities: readonly FacilityStatus[]; open: Record<string, number>; className: string }) {
  const [all, setAll] = useState(false);
  const sorted = facilities.toSorted((a, b) => (open[b.id] ?? 0) - (open[a.id] ?? 0) || (a.id < b.id ? -1 : 1));
  const shown = all ? sorted : sorted.slice(0, shownAtFirst);
  return (
    <Card id="facilities" title={t.title} className={className}>
      <ul className="grid grid-cols-1 gap-3 sm:grid-cols-2 xl:grid-cols-4 2xl:grid-cols-6">
        {shown.map((f) => (
          <Tile key={f.id} facility={f} open={open[f.id] ?? 0} />
        ))}
      </ul>
      {shown.length < sorted.length && (
        <Button className="mt-3 self-start" onClick={() => setAll(true)}>
          {t.showAll(sorted.length)}
        </Button>
      )}
    </Card>
  );
}

const minute = 60_000; // ms

function Tile({ facility: f, open }: { facility: FacilityStatus; open: number }) {
  const { data: seconds } = useQuery(facilityMinute(f.id));
  const active = f.status === "active";
  return (
    <li data-facility={f.id} className="rounded-md border border-line p-3">
      <div className="flex items-center justify-between gap-2">
        <Link href={facilityHref(f.id)} className="min-w-0 truncate font-medium underline-offset-4 hover:underline">
          {f.name}
        </Link>
        <Badge tone={active ? "good" : "warn"}>{active ? t.active : t.silent}</Badge>
      </div>
      <Sparkline
        label={t.chart(f.name)}
        points={(seconds ?? []).map((s) => ({ x: s.end, y: s.packets }))}
        span={minute}
        className={`my-2 h-9 w-full ${active ? "" : "opacity-50"}`}
      />
      <p className="flex items-baseline justify-between gap-2 text-sm">
        <span>
          {active ? (
            <>
              <span className="font-semibold" data-testid="rate">
                {rate(f.packets_per_sec)}
              </span>{" "}
              <span className="text-muted">{t.rate}</span>
            </>
          ) : (
            <span className="text-muted">
              {f.last_seen ? (
                <>
                  {t.silentSince} <Time at={f.last_seen} />
                </>
              ) : (
                t.never
              )}
            </span>
          )}
        </span>
        {open > 0 ? (
          <Link href={alertsHref({ facility: [f.id], status: ["new", "acknowledged"] })} className="text-right font-medium text-accent underline-offset-4 hover:underline">
            {t.open(open)}
          </Link>
        ) : (
          <span className="text-right text-muted">{t.open(0)}</span>
        )}
      </p>
    </li>
  );
}
