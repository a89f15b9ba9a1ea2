"use client";

import Link from "next/link";
import { useState } from "react";

import { deedOf, nameOf, serviceOf } from "@/lib/assets";
import { assetHref } from "@/lib/asset-filters";
import { count } from "@/lib/format";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Time } from "@/ui/time";
import { DeedWord } from "./marks";
import type { Graph } from "./map-layout";

const t = texts.inventory.map;

const atOnce = 100; // rows shown until more are asked for

const cell = "px-3 py-1.5 align-top";

/** MapTable is the same as the picture in rows: those who change something first. */
export function MapTable({ facility, graph, found }: { facility: string; graph: Graph; found: ReadonlySet<string> | null }) {
  const [shown, setShown] = useState(atOnce);
  const talks = graph.pairs.filter((p) => !found || found.has(p.client) || found.has(p.server)).flatMap((p) => p.talks);
  const c = t.columns;
  return (
    <div>
      <div className="overflow-x-auto rounded-lg border border-line bg-surface" tabIndex={0} role="region" aria-label={t.table}>
        <table className="w-full text-sm">
          <caption className="sr-only">{t.table}</caption>
          <thead className="border-b border-line text-xs text-muted">
            <tr>
              {Object.values(c).map((name) => (
                <th key={name} scope="col" className={`px-3 py-2 font-medium whitespace-nowrap ${name === c.count ? "text-right" : "text-left"}`}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {talks.slice(0, shown).map((talk) => (
              <tr key={`${talk.client} ${talk.server} ${talk.port}`}>
                {[talk.client ?? "", talk.server ?? ""].map((id, i) => (
                  <td key={i} className={cell}>
                    <HostLink facility={facility} graph={graph} id={id} />
                  </td>
                ))}
                <td className={`${cell} font-mono whitespace-nowrap`}>{serviceOf(talk)}</td>
                <td className={`${cell} whitespace-nowrap`}>
                  <DeedWord deed={deedOf(talk.functions)} />
                </td>
                <td className={`${cell} text-right`}>{count(talk.count)}</td>
                <td className={cell}>
                  <Time at={talk.last_seen} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {talks.length > shown && (
        <Button className="mt-3" onClick={() => setShown(shown + 4 * atOnce)}>
          {t.more(Math.min(4 * atOnce, talks.length - shown))}
        </Button>
      )}
    </div>
  );
}

function HostLink({ facility, graph, id }: { facility: string; graph: Graph; id: string }) {
  const asset = graph.hosts.get(id)?.asset;
  if (!asset) return <span className="font-mono">{id}</span>;
  return (
    <Link href={assetHref(facility, id)} className="text-accent underline-offset-4 hover:underline">
      {asset.name ? (
        <>
          {nameOf(asset)} <span className="font-mono text-xs text-muted">{id}</span>
        </>
      ) : (
        <span className="font-mono">{id}</span>
      )}
    </Link>
  );
}
