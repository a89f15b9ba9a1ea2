"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";

import { alertsHref, rank } from "@/lib/alert-filters";
import { alertsShowing, pathTo, showing, standings, type AttackGraph, type Technique } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { Failure } from "@/ui/failure";
import { Level } from "@/ui/level";
import { Fact, Section } from "@/ui/section";
import { SidePanelTitle } from "@/ui/side-panel";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { Related } from "./related";
import { StandingWord } from "./standing";
import { TechniqueChoice } from "./technique-choice";
import type { PanelProps } from "./technique-panel";
import type { AttackUrl } from "./use-attack-url";
import { WhyPredicted } from "./why-predicted";

const t = texts.attack;

/** TechniqueDetails is one technique in the order in which an analyst asks: how it stands, how it came here, why, in what, and what helps. */
export function TechniqueDetails({ technique: x, graph, url }: PanelProps & { technique: Technique }) {
  const ids = [x.id, ...x.other_ids];
  const node = graph?.nodes.find((n) => ids.includes(n.id) || x.stands_for.includes(n.id));
  const standing = node && graph && standings(graph).get(node.id);
  return (
    <article className="space-y-6 px-5 py-4">
      <header>
        <p className="mb-2" data-testid="standing">
          <StandingWord standing={standing} />
        </p>
        <SidePanelTitle className="text-lg font-semibold tracking-tight">
          <span className="font-mono">{x.id}</span> {x.name}
        </SidePanelTitle>
        <p className="mt-1 text-sm text-muted">{x.tactics.join(", ")}</p>
      </header>
      {node && (
        <dl className="grid grid-cols-2 gap-3 border-y border-line py-4 text-sm">
          {node.first_seen && (
            <Fact name={t.firstSeen}>
              <Time at={node.first_seen} />
            </Fact>
          )}
          {node.last_seen && (
            <Fact name={t.lastSeen}>
              <Time at={node.last_seen} />
            </Fact>
          )}
          {node.facilities.length > 0 && <Fact name={t.facilities}>{node.facilities.join(", ")}</Fact>}
          {node.alerts > 0 && <Fact name={t.count}>{node.alerts}</Fact>}
          {node.type === "predicted" && <Fact name={t.standing.predicted}>{t.percent(node.probability)}</Fact>}
        </dl>
      )}
      {graph && node && <PathHere graph={graph} id={node.id} url={url} />}
      <WhyPredicted ids={ids} url={url} />
      <Shown ids={ids} url={url} />
      <Related technique={x} />
      <Section title={t.about}>
        <p className="whitespace-pre-line">{x.description}</p>
        <p className="mt-2">
          <a href={x.url} target="_blank" rel="noreferrer" className="text-accent underline underline-offset-4">
            {t.mitre}
          </a>
        </p>
      </Section>
    </article>
  );
}

/** PathHere is the way that is marked in the graph, step by step. */
function PathHere({ graph, id, url }: { graph: AttackGraph; id: string; url: AttackUrl }) {
  const path = pathTo(graph, id);
  const name = (of: string) => graph.nodes.find((n) => n.id === of)?.name;
  const step = (of: string) => (
    <TechniqueChoice id={of} url={url} className="underline-offset-4 hover:underline">
      <span className="font-mono">{of}</span> {name(of)}
    </TechniqueChoice>
  );
  if (!path.length) return null;
  return (
    <Section title={path.at(-1)!.type === "predicted" ? t.pathPredicted : t.path}>
      <ol className="space-y-1" data-testid="path">
        <li>{step(path[0]!.source)}</li>
        {path.map((l) => (
          <li key={l.target}>
            <span aria-hidden className="text-muted">↳</span> {step(l.target)}
            <span className="text-xs text-muted">
              {" "}
              {t.links[l.type]}
              {l.type !== "observed" && `, ${t.percent(l.probability)}`}
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}

/** Shown is the alerts that the technique was seen in, newest first. */
function Shown({ ids, url: { scope } }: { ids: readonly string[]; url: AttackUrl }) {
  const { data, error, refetch, isFetching } = useQuery(alertsShowing(ids, scope));
  return (
    <Section title={t.alertsTitle}>
      {!data && !error && <Skeleton label={texts.alerts.loading} rows={2} />}
      {!data && error && <Failure title={t.alertsFailed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && !data.alerts.length && <p className="text-muted">{t.alertsNone}</p>}
      {data && data.alerts.length > 0 && (
        <ul className="space-y-2" data-testid="shown-in">
          {data.alerts.map((a) => (
            <li key={a.id} className="rounded-md border border-line p-2.5">
              <p className="mb-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted">
                <Level rank={rank[a.severity]}>{texts.severity[a.severity]}</Level>
                <span>{texts.status[a.status]}</span>
                <Time at={a.timestamp} className="ml-auto" />
              </p>
              <Link href={alertsHref({}, a.id)} className="font-medium underline decoration-line-strong underline-offset-4 hover:decoration-accent">
                {a.title}
              </Link>
              <p className="text-xs text-muted">
                <span className="font-mono">{a.asset}</span> · {a.facility_id}
              </p>
            </li>
          ))}
        </ul>
      )}
      {data && data.total > data.alerts.length && (
        <p className="mt-2">
          <Link href={alertsHref(showing(ids, scope))} className="text-accent underline underline-offset-4">
            {t.allAlerts(data.total)}
          </Link>
        </p>
      )}
    </Section>
  );
}
