"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { endMute, muteList, type Mute } from "@/lib/mutes";
import { useNow } from "@/lib/now";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { MuteForm } from "./mute-form";

const t = texts.mutes;

/** Mutes is what is kept quiet, and makes and ends mutes. */
export function Mutes() {
  const [ended, setEnded] = useState(false);
  const [adding, setAdding] = useState(false);
  const { data: mutes, error, refetch, isFetching } = useQuery(muteList(ended));
  return (
    <Card id="mutes" title={t.title}>
      <p className="pb-3 text-sm text-muted">{t.lead}</p>
      {!mutes && !error && <Skeleton label={t.loading} rows={2} />}
      {!mutes && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {mutes?.length === 0 && <p className="py-2 text-sm">{t.none}</p>}
      {mutes && mutes.length > 0 && (
        <ul className="-mx-4 divide-y divide-line border-y border-line">
          {mutes.map((m) => (
            <MuteRow key={m.id} mute={m} />
          ))}
        </ul>
      )}
      <div className="flex flex-wrap items-center gap-x-5 gap-y-2 pt-3">
        {!adding && <Button onClick={() => setAdding(true)}>{t.add}</Button>}
        <label className="inline-flex items-center gap-2 text-sm">
          <input type="checkbox" className="size-4 accent-accent" checked={ended} onChange={(e) => setEnded(e.target.checked)} />
          {t.showEnded}
        </label>
      </div>
      {adding && <MuteForm onClose={() => setAdding(false)} />}
    </Card>
  );
}

function MuteRow({ mute: m }: { mute: Mute }) {
  const cache = useQueryClient();
  const now = useNow(30_000);
  const state = Date.parse(m.until) <= now ? "ended" : Date.parse(m.from) > now ? "later" : "now";
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 py-3 text-sm">
      <div className="min-w-0 flex-1 basis-64">
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="font-medium break-words">{whatIsMuted(m)}</span>
          <Badge tone={state === "now" ? "warn" : "plain"}>{t.states[state]}</Badge>
        </p>
        <p className="mt-0.5 break-words">{m.reason}</p>
        <p className="mt-0.5 text-xs text-muted">
          <Time at={m.from} /> – <Time at={m.until} /> · {t.by(m.by === "local" ? texts.panel.local : m.by)}
        </p>
      </div>
      {state !== "ended" && (
        <Confirm words={{ title: t.endTitle, confirm: t.end, cancel: t.cancel, failed: t.endFailed }} onConfirm={() => endMute(cache, m.id)} button={(ask) => <Button onClick={ask}>{t.end}</Button>}>
          <p>{t.endBody}</p>
        </Confirm>
      )}
    </li>
  );
}

/** whatIsMuted is what a mute names, in a line. */
export function whatIsMuted(m: Pick<Mute, "rule" | "technique" | "asset" | "facility_id">): string {
  const what = [m.rule, m.technique, m.asset].filter(Boolean).join(", ") || t.everything;
  return m.facility_id ? `${what} ${t.facilityIs(m.facility_id)}` : what;
}
