"use client";

import { useState } from "react";

import { standings, type AttackGraph, type Standing } from "@/lib/attack";

/** News is the last thing that has happened to the graph since the page was opened. */
export interface News {
  id: string;
  name: string;
  foreseen: boolean; // it was predicted, and has come
}

interface Known {
  graph: AttackGraph;
  scope: string;
  news: News | null;
  fresh: ReadonlySet<string>; // what was seen since
}

const none: ReadonlySet<string> = new Set();

/** useNews is what was seen since the page began to show what it shows. Another scope is no news. */
export function useNews(graph: AttackGraph | undefined, scope: string) {
  const [known, setKnown] = useState<Known | null>(null);
  if (graph && (known?.graph !== graph || known.scope !== scope)) {
    const come = known?.scope === scope ? arrived(known.graph, graph) : [];
    const last = come.at(-1) ?? null;
    const before = known?.scope === scope ? known : null;
    setKnown({ graph, scope, news: last ?? before?.news ?? null, fresh: come.length ? new Set([...(before?.fresh ?? []), ...come.map((n) => n.id)]) : (before?.fresh ?? none) });
  }
  return { news: known?.news ?? null, fresh: known?.fresh ?? none, dismiss: () => setKnown((k) => k && { ...k, news: null }) };
}

/** arrived is what the second graph has as seen, and the first had not, in order; what was predicted comes last. */
export function arrived(before: AttackGraph, after: AttackGraph): News[] {
  const was = standings(before);
  const is = standings(after);
  const saw = (s: Standing | undefined) => s === "seen" || s === "foreseen";
  return after.nodes
    .filter((n) => saw(is.get(n.id)) && (!saw(was.get(n.id)) || (is.get(n.id) === "foreseen" && was.get(n.id) !== "foreseen")))
    .map(({ id, name }) => ({ id, name, foreseen: is.get(id) === "foreseen" }))
    .sort((a, b) => Number(a.foreseen) - Number(b.foreseen));
}
