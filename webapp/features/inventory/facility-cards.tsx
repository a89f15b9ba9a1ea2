"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";

import { alertsHref } from "@/lib/alert-filters";
import type { Facility } from "@/lib/assets";
import { facilityHref } from "@/lib/asset-filters";
import { bytes, count, rate } from "@/lib/format";
import { useNow } from "@/lib/now";
import { systemStatus, type FacilityStatus } from "@/lib/system";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Figure } from "@/ui/figure";
import { Time } from "@/ui/time";

const t = texts.inventory.card;

const shownAtFirst = 8;
const sensorSilent = 30_000; // ms without a hello: the server's rule

/** useStatus is how each facility stands, as live messages tell. */
function useStatus(): (id: string) => FacilityStatus | undefined {
  const { data } = useQuery(systemStatus);
  return (id) => data?.facilities.find((f) => f.id === id);
}

function State({ status }: { status: FacilityStatus | undefined }) {
  if (!status) return null;
  const active = status.status === "active";
  return <Badge tone={active ? "good" : "warn"}>{active ? t.active : t.silent}</Badge>;
}

/** FacilityCards is every facility in short; those with open alerts first. */
export function FacilityCards({ facilities }: { facilities: readonly Facility[] }) {
  const [all, setAll] = useState(false);
  const status = useStatus();
  const sorted = facilities.toSorted((a, b) => b.active_alerts - a.active_alerts || (a.id < b.id ? -1 : 1));
  const shown = all ? sorted : sorted.slice(0, shownAtFirst);
  return (
    <section aria-label={t.list} className="px-4 pb-4">
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(15rem,1fr))] gap-3">
        {shown.map((f) => (
          <li key={f.id} data-facility={f.id} className="rounded-lg border border-line bg-surface p-3 text-sm">
            <div className="flex items-center justify-between gap-2">
              <Link href={facilityHref(f.id)} className="min-w-0 truncate text-base font-semibold underline-offset-4 hover:underline">
                {f.id}
              </Link>
              <State status={status(f.id)} />
            </div>
            <p className="mt-1 flex justify-between gap-2 text-muted">
              <span>{texts.inventory.total(f.assets, false)}</span>
              <Link href={facilityHref(f.id, true)} className="text-accent underline-offset-4 hover:underline">
                {texts.inventory.views.map}
              </Link>
            </p>
            <p className="mt-1 flex justify-between gap-2">
              <span className="text-muted">
                {t.learned}: {f.baseline_version ? t.learnedIs(f.baseline_version).toLowerCase() : t.notLearned.toLowerCase()}
              </span>
              {f.active_alerts > 0 ? (
                <Link href={alertsHref({ facility: [f.id], status: ["new", "acknowledged"] })} className="font-medium text-accent underline-offset-4 hover:underline">
                  {texts.dashboard.facilities.open(f.active_alerts)}
                </Link>
              ) : (
                <span className="text-muted">{texts.dashboard.facilities.open(0)}</span>
              )}
            </p>
          </li>
        ))}
      </ul>
      {shown.length < sorted.length && (
        <Button className="mt-3" onClick={() => setAll(true)}>
          {t.all(sorted.length)}
        </Button>
      )}
    </section>
  );
}

/** FacilityState is how one facility stands: its traffic, its sensor, what it has learned. */
export function FacilityState({ facility: f }: { facility: Facility }) {
  const status = useStatus()(f.id);
  return (
    <section aria-label={f.id} data-facility={f.id} className="px-4 pb-4">
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 rounded-lg border border-line bg-surface px-4 py-3 sm:grid-cols-3 xl:grid-cols-6">
        <Figure name={t.packets} hint={f.last_seen ? <>{t.lastSeen} <Time at={status?.last_seen ?? f.last_seen} /></> : t.never}>
          {status ? rate(status.packets_per_sec) : "–"} <State status={status} />
        </Figure>
        <Figure name={t.assets} href={facilityHref(f.id)}>
          {count(f.assets)}
        </Figure>
        <Figure name={t.alerts} href={alertsHref({ facility: [f.id], status: ["new", "acknowledged"] })} tone={f.active_alerts ? "text-critical dark:text-mark-critical" : undefined}>
          {count(f.active_alerts)}
        </Figure>
        <Figure name={t.learned} href="/settings#baseline" hint={f.baseline_version ? t.learnedHint : t.notLearnedHint}>
          {f.baseline_version ? t.learnedIs(f.baseline_version) : t.notLearned}
        </Figure>
        <Sensor sensor={f.sensor} />
      </dl>
    </section>
  );
}

function Sensor({ sensor: s }: { sensor: Facility["sensor"] }) {
  const now = useNow(5_000, s !== null);
  if (!s) {
    return (
      <Figure name={t.sensor} hint={t.noSensorHint}>
        {t.noSensor}
      </Figure>
    );
  }
  const silent = now - Date.parse(s.heard_at) > sensorSilent;
  const lost = s.lost_windows + s.lost_detections;
  return (
    <div className="col-span-2 min-w-0">
      <Figure
        name={t.sensor}
        hint={
          <>
            {silent ? t.sensorSilent : t.heard} <Time at={s.heard_at} />, {t.taps(s.source)}
            {s.spooled_bytes > 0 && <span className="block">{t.spooled(bytes(s.spooled_bytes))}</span>}
            {lost > 0 && <span className="block text-warn">{t.lost(lost)}</span>}
          </>
        }
      >
        {s.version} <Badge tone={silent ? "warn" : "good"}>{silent ? t.silent : t.active}</Badge>
      </Figure>
    </div>
  );
}
