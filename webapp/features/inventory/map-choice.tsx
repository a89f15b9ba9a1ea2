"use client";

import Link from "next/link";

import { alertsHref } from "@/lib/alert-filters";
import { numberOf, serviceOf, usesOf } from "@/lib/assets";
import { assetHref } from "@/lib/asset-filters";
import { count } from "@/lib/format";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Time } from "@/ui/time";
import { ClassWord, DeedMark, DeedWord } from "./marks";
import type { Graph, Pair } from "./map-layout";

const t = texts.inventory.map;
const words = texts.inventory;

/** MapChoice says what is behind the host or the line that is chosen. */
export function MapChoice({ facility, graph, at, name, onChoose }: { facility: string; graph: Graph; at: string; name: (id: string) => string; onChoose: (at: string) => void }) {
  const host = graph.hosts.get(at);
  const pair = graph.pairs.find((p) => p.id === at);
  return (
    <aside aria-label={t.chosen} aria-live="polite" className="rounded-lg border border-line bg-surface text-sm @5xl:sticky @5xl:top-16 @5xl:max-h-[calc(100dvh-5rem)] @5xl:overflow-y-auto">
      {!host && !pair ? (
        <p className="px-4 py-3 text-muted">{t.hint}</p>
      ) : (
        <>
          <div className="flex items-start justify-between gap-3 px-4 pt-3">
            <h2 className="min-w-0 text-base font-semibold break-words">{host ? name(host.id) : `${name(pair!.client)} → ${name(pair!.server)}`}</h2>
            <Button aria-label={t.close} title={t.close} className="shrink-0" onClick={() => onChoose("")}>
              ×
            </Button>
          </div>
          <div className="px-4 pb-4">{host ? <OfHost {...{ facility, graph, id: host.id, name, onChoose }} /> : <OfPair {...{ facility, pair: pair!, name }} />}</div>
        </>
      )}
    </aside>
  );
}

function OfHost({ facility, graph, id, name, onChoose }: { facility: string; graph: Graph; id: string; name: (id: string) => string; onChoose: (at: string) => void }) {
  const { asset, level } = graph.hosts.get(id)!;
  return (
    <>
      <p className="text-muted">
        {asset?.name && <span className="font-mono">{id} · </span>}
        {words.roles[asset?.role ?? "unknown"]} · {words.levels[level]}
        {asset?.zone && ` · ${asset.zone}`}
      </p>
      {asset ? (
        <p className="flex flex-wrap gap-x-4 gap-y-1 pt-2">
          <Link href={assetHref(facility, id)} className="font-medium text-accent underline-offset-4 hover:underline">
            {t.page}
          </Link>
          {asset.open_alerts > 0 && (
            <Link href={alertsHref({ facility: [facility], search: id, status: ["new", "acknowledged"] })} className="font-medium text-accent underline-offset-4 hover:underline">
              {texts.dashboard.facilities.open(asset.open_alerts)}
            </Link>
          )}
        </p>
      ) : (
        <p className="pt-2 text-muted">{t.neverSent}</p>
      )}
      <Peers title={t.asks} pairs={graph.pairs.filter((p) => p.client === id)} peer={(p) => p.server} name={name} onChoose={onChoose} />
      <Peers title={t.answers} pairs={graph.pairs.filter((p) => p.server === id)} peer={(p) => p.client} name={name} onChoose={onChoose} />
    </>
  );
}

function Peers({ title, pairs, peer, name, onChoose }: { title: string; pairs: readonly Pair[]; peer: (p: Pair) => string; name: (id: string) => string; onChoose: (at: string) => void }) {
  if (!pairs.length) return null;
  return (
    <>
      <h3 className="pt-3 pb-1 text-xs font-medium text-muted">
        {title} ({count(pairs.length)})
      </h3>
      <ul className="-mx-2 max-h-80 overflow-y-auto">
        {pairs.map((p) => (
          <li key={p.id}>
            <button type="button" onClick={() => onChoose(p.id)} className="flex w-full items-center gap-2 rounded px-2 py-1 text-left hover:bg-hover">
              <DeedMark deed={p.deed} />
              <span className="min-w-0 flex-1">
                <span className="block truncate">{name(peer(p))}</span>
                <span className="block truncate text-xs text-muted">
                  {words.deeds[p.deed]} · {[...new Set(p.talks.map((c) => c.protocol))].join(", ")}
                </span>
              </span>
              <span className="text-xs text-muted">{count(p.messages)}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function OfPair({ facility, pair, name }: { facility: string; pair: Pair; name: (id: string) => string }) {
  const uses = usesOf(pair.talks);
  return (
    <>
      <p className="pt-1">
        <DeedWord deed={pair.deed} /> <span className="text-muted">· {t.messages(pair.messages)}</span>
      </p>
      <p className="flex flex-wrap gap-x-4 gap-y-1 pt-2">
        {[pair.client, pair.server].map((id) => (
          <Link key={id} href={assetHref(facility, id)} className="text-accent underline-offset-4 hover:underline">
            {name(id)}
          </Link>
        ))}
      </p>
      <ul className="divide-y divide-line pt-2">
        {pair.talks.map((c) => (
          <li key={`${c.protocol} ${c.port}`} className="py-1.5">
            <p className="flex justify-between gap-3">
              <span className="font-mono">{serviceOf(c)}</span>
              <span>{t.messages(c.count)}</span>
            </p>
            <p className="text-xs text-muted">
              <Time at={c.first_seen} /> – <Time at={c.last_seen} />
            </p>
          </li>
        ))}
      </ul>
      {uses.length > 0 && (
        <>
          <h3 className="pt-2 pb-1 text-xs font-medium text-muted">{t.functions}</h3>
          <ul className="space-y-1">
            {uses.map((u) => (
              <li key={`${u.protocol} ${numberOf(u)}`} className="flex gap-2">
                <span className="w-9 shrink-0 text-right font-mono text-muted">{numberOf(u)}</span>
                <span className="min-w-0 flex-1">
                  {u.name} <span className="text-xs">(<ClassWord of={u.class} />)</span>
                </span>
                <span>{texts.alerts.times(u.count)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
