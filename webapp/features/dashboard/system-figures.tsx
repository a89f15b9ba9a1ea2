"use client";

import { useQuery } from "@tanstack/react-query";

import { alertsHref } from "@/lib/alert-filters";
import { count, percent, rate } from "@/lib/format";
import { health } from "@/lib/health";
import type { SystemStatus } from "@/lib/system";
import { texts } from "@/lib/texts";
import { Card } from "@/ui/card";
import { Elapsed } from "@/ui/countdown";
import { Figure } from "@/ui/figure";

const t = texts.dashboard.system;

const engines = ["database", "redis", "kafka", "neo4j"] as const;

/** SystemFigures is whether everything that comes in is taken, and what the server stands on. asOf is when that was heard of (Unix ms). */
export function SystemFigures({ status, asOf }: { status: SystemStatus; asOf: number }) {
  const { ingest, facilities } = status;
  const packets = facilities.reduce((sum, f) => sum + f.packets_per_sec, 0);
  return (
    <Card title={t.title} aside={<Engines />}>
      <dl className="grid grid-cols-2 gap-x-4 gap-y-3 sm:grid-cols-3 lg:grid-cols-4 xl:grid-cols-7">
        <Figure name={t.open} href={alertsHref({ status: ["new", "acknowledged"] })} hint={t.openHint}>
          {count(status.active_alerts)}
        </Figure>
        <Figure name={t.packets} href="#facilities" hint={t.packetsHint(facilities.length)}>
          {rate(packets)}
        </Figure>
        <Figure name={t.events} href="#facilities" hint={t.eventsHint}>
          {rate(ingest.events_per_sec)}
        </Figure>
        <Figure name={t.lag} href="/facilities" hint={t.lagHint(ingest.lag)} tone={ingest.lag > 100 ? "text-warn" : undefined}>
          {count(ingest.lag)}
        </Figure>
        <Figure name={t.dropped} href="/facilities" hint={t.droppedHint} tone={ingest.dropped ? "text-warn" : undefined}>
          {count(ingest.dropped)}
        </Figure>
        <Figure name={t.predicted} href="#prediction" hint={status.prediction_accuracy === null ? t.noPrediction : t.predictedHint}>
          {status.prediction_accuracy === null ? "–" : percent(status.prediction_accuracy)}
        </Figure>
        <Figure name={t.uptime} hint={t.version(status.version)}>
          <Elapsed since={asOf - status.uptime_seconds * 1_000} />
        </Figure>
      </dl>
      <Warnings />
    </Card>
  );
}

/** Warnings is what is wrong though every part of it is well, as nodes that do not hear of each other. */
function Warnings() {
  const { data } = useQuery(health);
  return data?.warnings?.map((what) => (
    <p key={what} className="mt-3 border-t border-line pt-3 text-sm text-warn">
      {what}
    </p>
  ));
}

/** Engines is what the server stands on: what it has built in, and what it is connected to. */
function Engines() {
  const { data, error } = useQuery(health);
  if (!data) return error && <p className="text-sm text-warn">{t.enginesFailed}</p>;
  return (
    <dl aria-label={t.engines} className="flex flex-wrap gap-x-5 gap-y-1 text-sm sm:ml-auto">
      {engines.map((name) => {
        const state = data.services[name];
        const gone = state === "unreachable";
        return (
          <div key={name} className="flex items-center gap-1.5">
            <svg aria-hidden viewBox="0 0 8 8" className={`size-2 ${gone ? "text-warn" : "text-ok"}`} fill={gone ? "none" : "currentColor"} stroke="currentColor" strokeWidth="1.5">
              <circle cx="4" cy="4" r="3" />
            </svg>
            <dt className="text-muted">{t.engine[name].does}</dt>
            <dd className={gone ? "font-semibold text-warn" : undefined}>{state === "embedded" ? t.builtIn : t.engineState[state](t.engine[name].name)}</dd>
          </div>
        );
      })}
    </dl>
  );
}
