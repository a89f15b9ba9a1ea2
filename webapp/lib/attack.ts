// What was seen of ATT&CK for ICS here, and what may come, as a graph; what is known of one technique. The graph has no
// messages of its own: it is asked for again when alerts or predictions change (see hooks/use-websocket.ts), as is all
// under the key "mitre".

import { queryOptions } from "@tanstack/react-query";

import { asQuery, everything, type Filters, type Range } from "./alert-filters";
import type { Alert } from "./alerts";
import type { Answer } from "./answer";
import { api, ask, unlessRefused } from "./api-client";
import { asSearch } from "./search";

export type AttackGraph = Answer<"/api/mitre/graph">;
export type GraphNode = AttackGraph["nodes"][number];
export type GraphLink = AttackGraph["links"][number];
export type AttackMatrix = Answer<"/api/mitre/matrix">;
export type MatrixTechnique = AttackMatrix["tactics"][number]["techniques"][number];
export type Technique = Answer<"/api/mitre/technique/{id}">;

/** Scope is what of the alerts and predictions counts. The range "" is the last 7 days of each facility's data, "all" whatever is kept. */
export interface Scope extends Pick<Filters, "facility" | "from" | "to"> {
  range: Range | "all" | "";
}

/** techniqueHref is where a technique is shown in the attack graph. */
export const techniqueHref = (id: string) => `/attack-graph?technique=${encodeURIComponent(id)}`;

const scopeQuery = ({ facility, range, from, to }: Scope) => ({
  ...(facility.length && { facility }),
  ...(range === "all" ? { span: range } : range ? { time_range: range } : from || to ? { ...(from && { from }), ...(to && { to }) } : { span: "recent" as const }),
});

export const attackGraph = (scope: Scope) =>
  queryOptions({
    queryKey: ["mitre", "graph", scope] as const,
    queryFn: ({ signal }): Promise<AttackGraph> => ask(api.GET("/api/mitre/graph", { params: { query: scopeQuery(scope) }, signal })),
  });

export const attackMatrix = (scope: Scope) =>
  queryOptions({
    queryKey: ["mitre", "matrix", scope] as const,
    queryFn: ({ signal }): Promise<AttackMatrix> => ask(api.GET("/api/mitre/matrix", { params: { query: scopeQuery(scope) }, signal })),
  });

/** layerHref is the address of the same as a layer of the ATT&CK Navigator. */
export const layerHref = (scope: Scope) => `/api/mitre/layer?${asSearch(scopeQuery(scope))}`;

/** technique is all that ATT&CK says of one. It is part of the program; one that does not exist is not asked for again. */
export const technique = (id: string) =>
  queryOptions({
    queryKey: ["technique", id] as const,
    queryFn: ({ signal }): Promise<Technique> => ask(api.GET("/api/mitre/technique/{id}", { params: { path: { id } }, signal })),
    staleTime: Infinity,
    retry: unlessRefused,
  });

/** showing is the filter of the alerts that showed a technique, by any of its ids. */
export const showing = (ids: readonly string[], { facility, range, from, to }: Scope): Filters => ({
  ...everything, technique: [...ids], facility, range: range === "all" ? "" : range, from, to, muted: "false", status: ["new", "acknowledged", "resolved"],
});

/** alertsShowing is the newest of those alerts, and how many there are. */
export const alertsShowing = (ids: readonly string[], scope: Scope) =>
  queryOptions({
    queryKey: ["mitre", "alerts", ids, scope] as const,
    queryFn: async ({ signal }): Promise<{ alerts: Alert[]; total: number }> => {
      const { alerts, total } = await ask(api.GET("/api/alerts", { params: { query: { ...asQuery(showing(ids, scope)), limit: 8 } }, signal }));
      return { alerts: alerts ?? [], total };
    },
  });

/** Standing is how a technique stands: seen, predicted, or seen after it was predicted. */
export type Standing = "seen" | "foreseen" | "predicted";

/** foreseen is the link by which a technique was predicted before it was seen; of several the likeliest. */
export const foreseen = (graph: AttackGraph, id: string): GraphLink | undefined =>
  graph.links.filter((l) => l.target === id && l.type === "validated").sort((a, b) => b.probability - a.probability)[0];

/** standings is how each technique of the graph stands. */
export const standings = (graph: AttackGraph): ReadonlyMap<string, Standing> =>
  new Map(graph.nodes.map((n) => [n.id, n.type === "predicted" ? "predicted" : foreseen(graph, n.id) ? "foreseen" : "seen"]));

/** inOrder is the techniques that were seen, in the order in which they first were; those that only an engine has seen come last. */
export const inOrder = (graph: AttackGraph): GraphNode[] =>
  graph.nodes.filter((n) => n.type === "current").sort((a, b) => moment(a) - moment(b));

const moment = (n: GraphNode) => (n.first_seen ? Date.parse(n.first_seen) : Infinity);

/** linkId names a link: there is one for each pair. */
export const linkId = (l: Pick<GraphLink, "source" | "target">) => `${l.source}>${l.target}`;

const certainty = { validated: 2, observed: 1, predicted: 0 } as const;

/**
 * pathTo is the links by which the attack came, or may come, to a technique, from the first that was seen on: of several
 * that lead to a technique one that was gone, else the likeliest.
 */
export function pathTo(graph: AttackGraph, id: string): GraphLink[] {
  const path: GraphLink[] = [];
  const been = new Set([id]);
  for (let at = id; ; ) {
    const into = graph.links
      .filter((l) => l.target === at && !been.has(l.source) && (at === id || l.type !== "predicted"))
      .sort((a, b) => certainty[b.type] - certainty[a.type] || b.probability - a.probability)[0];
    if (!into) return path;
    path.unshift(into);
    been.add(into.source);
    at = into.source;
  }
}

/** found is whether a technique's id or name has the words that are looked for. */
export const found = ({ id, name }: { id: string; name: string }, search: string) => {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length > 0 && words.every((w) => `${id} ${name}`.toLowerCase().includes(w));
};

/** heat is how much was seen of a technique beside what was seen most often, 0 (nothing) to 5, which takes ten alerts at least. */
export const heat = (alerts: number, most: number) => (alerts > 0 ? Math.ceil((5 * Math.log1p(alerts)) / Math.log1p(Math.max(most, alerts, 10))) : 0);
