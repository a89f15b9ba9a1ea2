"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { figure, percent } from "@/lib/format";
import { clients, type Client } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Progress } from "@/ui/progress";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";

const t = texts.federation.clients;

const shownAtFirst = 24;
const tones = { active: "good", delayed: "warn", offline: "plain" } as const;

/** ClientCards is every client of the federation as it stands now. */
export function ClientCards({ className }: { className: string }) {
  const { data, error, refetch, isFetching } = useQuery(clients);
  const [all, setAll] = useState(false);
  const shown = all ? data : data?.slice(0, shownAtFirst);
  return (
    <Card id="clients" title={t.title} className={className}>
      {!data && !error && <Skeleton label={t.loading} rows={2} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data?.length === 0 && <p className="py-3 text-sm text-muted">{t.none}</p>}
      <ul className="grid grid-cols-1 gap-3 sm:grid-cols-2 xl:grid-cols-3 2xl:grid-cols-5">{shown?.map((c) => <ClientCard key={c.id} client={c} />)}</ul>
      {data && shown && shown.length < data.length && (
        <Button className="mt-3 self-start" onClick={() => setAll(true)}>
          {t.showAll(data.length)}
        </Button>
      )}
    </Card>
  );
}

function ClientCard({ client: c }: { client: Client }) {
  return (
    <li data-client={c.id} className="rounded-md border border-line p-3 text-sm">
      <div className="flex items-center justify-between gap-2">
        <h3 className="min-w-0 truncate font-medium" title={c.name}>
          {c.name}
        </h3>
        <Badge tone={tones[c.status]}>{t.status[c.status]}</Badge>
      </div>
      {c.name !== c.facility_id && <p className="truncate text-xs text-muted">{c.facility_id}</p>}
      <Progress label={t.progress(c.name)} value={c.progress} className="my-2.5" />
      <dl className="grid grid-cols-3 gap-2">
        <Fact name={t.epoch}>{c.total_epochs ? t.epochOf(c.current_epoch, c.total_epochs) : "–"}</Fact>
        <Fact name={t.loss}>{c.loss === null ? "–" : figure(c.loss)}</Fact>
        <Fact name={t.accuracy}>{c.accuracy === null ? "–" : percent(c.accuracy)}</Fact>
      </dl>
      <p className="mt-2 text-xs text-muted">
        {t.update} <Time at={c.last_update} />
      </p>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: string }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="font-medium">{children}</dd>
    </div>
  );
}
