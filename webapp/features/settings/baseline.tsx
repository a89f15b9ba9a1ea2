"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError } from "@/lib/api-client";
import { facilityList } from "@/lib/assets";
import { baselineOf, kinds, nothing, rangesOf, saveBaseline, subjectOf, type Baseline as Learned, type Entry, type Kind } from "@/lib/baseline";
import { count, figure } from "@/lib/format";
import { systemStatus } from "@/lib/system";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Field, inputClass } from "@/ui/field";
import { Select } from "@/ui/select";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { AllowForm } from "./allow-form";

const t = texts.baseline;

/** Baseline is what was learned at a facility, to forget and to add to. */
export function Baseline() {
  const { data: system, error, refetch, isFetching } = useQuery(systemStatus);
  const [chosen, setChosen] = useState("");
  const facility = chosen || system?.facilities[0]?.id;
  return (
    <Card id="baseline" title={t.title}>
      <p className="pb-3 text-sm text-muted">{t.lead}</p>
      {!system && !error && <Skeleton label={t.loading} rows={3} />}
      {!system && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {system?.facilities.length === 0 && <p className="text-sm">{t.noFacility}</p>}
      {system && facility && (
        <>
          <Field label={t.facility} className="max-w-72 pb-3">
            <select value={facility} onChange={(e) => setChosen(e.target.value)} className={inputClass}>
              {system.facilities.map((f) => (
                <option key={f.id} value={f.id}>
                  {f.name}
                </option>
              ))}
            </select>
          </Field>
          <OfFacility key={facility} facility={facility} />
        </>
      )}
    </Card>
  );
}

function OfFacility({ facility }: { facility: string }) {
  const { data: facilities, isPending } = useQuery(facilityList);
  const none = facilities?.find((f) => f.id === facility)?.baseline_version === 0; // there is nothing to ask for
  const { data, error, refetch, isFetching } = useQuery({ ...baselineOf(facility), enabled: !isPending && !none });
  if (none) return <Entries facility={facility} learned={nothing} />;
  if (!data) {
    if (!error) return <Skeleton label={t.loading} rows={4} />;
    return <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />;
  }
  return <Entries facility={facility} learned={data} />;
}

const atOnce = 12; // entries shown until more are asked for

function Entries({ facility, learned }: { facility: string; learned: Learned }) {
  const cache = useQueryClient();
  const [find, setFind] = useState("");
  const [kind, setKind] = useState<Kind | "">("");
  const [shown, setShown] = useState(atOnce);
  const [adding, setAdding] = useState(false);
  const [said, setSaid] = useState<{ text: string; undo?: Entry } | null>(null);
  const save = useMutation({
    mutationFn: ({ entries }: { entries: Entry[]; said: typeof said }) => saveBaseline(cache, facility, learned, entries),
    onSuccess: (_, change) => setSaid(change.said),
    onMutate: () => setSaid(null),
    networkMode: "always",
  });
  const forget = (e: Entry) => save.mutate({ entries: learned.entries.filter((o) => o !== e), said: { text: t.forgotten(inWords(e)), undo: e } });
  const allow = (e: Entry) => save.mutate({ entries: [...learned.entries, e], said: { text: t.allowed(inWords(e)) } });

  const words = find.toLowerCase().split(/\s+/);
  const found = learned.entries.filter((e) => (!kind || e.kind === kind) && words.every((w) => inWords(e).toLowerCase().includes(w)));
  return (
    <>
      {learned.entries.length === 0 ? (
        <p className="pb-3 text-sm">
          {t.none} <code className="rounded bg-sunken px-1 font-mono">{t.noneCommand}</code>.
        </p>
      ) : (
        <>
          <div className="flex flex-wrap items-end gap-x-3 gap-y-2 pb-3">
            <Field label={t.find} className="w-72 max-w-full">
              <input type="search" value={find} onChange={(e) => setFind(e.target.value)} className={inputClass} />
            </Field>
            <Select
              label={t.kind}
              value={kind}
              onChange={setKind}
              active={kind !== ""}
              className="min-h-8"
              choices={[{ value: "" as const, name: t.everyKind }, ...kinds.filter((k) => learned.entries.some((e) => e.kind === k)).map((value) => ({ value, name: t.kinds[value] }))]}
            />
            <p className="pb-1.5 text-sm text-muted">{t.total(found.length, learned.entries.length)}</p>
          </div>
          <ul className="-mx-4 divide-y divide-line border-y border-line">
            {found.slice(0, shown).map((e) => (
              <li key={JSON.stringify({ ...e, count: 0, last_seen: "" })} className="flex items-center gap-x-4 px-4 py-2 text-sm">
                <div className="min-w-0 flex-1">
                  <p className="break-words">
                    <span className="font-mono">{subjectOf(e) || t.network}</span> <span className="text-muted">{detailOf(e)}</span>
                  </p>
                  <p className="text-xs text-muted">
                    {t.kinds[e.kind]} · {t.columns.seen} <Time at={e.last_seen} /> · {texts.alerts.times(e.count)}
                  </p>
                </div>
                <Button aria-label={t.forgetLabel(inWords(e))} disabled={save.isPending} onClick={() => forget(e)}>
                  {t.forget}
                </Button>
              </li>
            ))}
          </ul>
          {found.length > shown && (
            <Button className="mt-3 self-start" onClick={() => setShown(shown + 8 * atOnce)}>
              {t.more(Math.min(8 * atOnce, found.length - shown))}
            </Button>
          )}
        </>
      )}
      <div aria-live="polite" className="text-sm">
        {said && (
          <p className="flex flex-wrap items-center gap-3 pt-3">
            {said.text}
            {said.undo && (
              <Button disabled={save.isPending} onClick={() => allow(said.undo!)}>
                {t.undo}
              </Button>
            )}
          </p>
        )}
        {save.error && <p className="pt-3 text-warn">{save.error instanceof ApiError && save.error.status === 412 ? t.overtaken : t.changeFailed(save.error.message)}</p>}
      </div>
      {adding ? (
        <AllowForm
          busy={save.isPending}
          known={learned.entries}
          onClose={() => setAdding(false)}
          onAllow={(e) => {
            allow(e);
            setAdding(false);
          }}
        />
      ) : (
        <Button className="mt-3 self-start" onClick={() => setAdding(true)}>
          {t.allow}
        </Button>
      )}
    </>
  );
}

const inWords = (e: Entry) => `${subjectOf(e) || t.network} ${detailOf(e)}`;

/** detailOf is what is normal of an entry's subject, in a few words. */
export function detailOf(e: Entry): string {
  const d = t.detail;
  switch (e.kind) {
    case "device":
      return d.device((e.macs ?? []).join(", "));
    case "link":
      return d.link;
    case "pair":
      return d.pair([e.protocol, e.port].filter(Boolean).join(" "));
    case "function":
      return d.function(e.protocol ?? "", [e.function ?? 0, e.subfunction].filter((f) => f !== undefined).join("/"));
    case "writer":
      return d.writer;
    case "addresses":
      return d.addresses(e.unit ?? 0, e.table ?? "", rangesOf(e), Boolean(e.written));
    case "malformed":
      return d.malformed(e.protocol ?? "");
    case "rate":
      return d.rate(figure(e.max ?? 0), e.rule ?? "");
    case "traffic":
      return d.traffic(count(e.max ?? 0));
  }
}
