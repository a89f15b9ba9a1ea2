import { foreseen, found, inOrder, type AttackGraph, type GraphNode, type Standing } from "@/lib/attack";
import { span } from "@/lib/format";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";
import { Card } from "@/ui/card";
import { Progress } from "@/ui/progress";
import { Time } from "@/ui/time";
import { StandingMark } from "./standing";
import { TechniqueChoice } from "./technique-choice";
import type { AttackUrl } from "./use-attack-url";

const t = texts.attack;

interface Props {
  graph: AttackGraph;
  standing: ReadonlyMap<string, Standing>;
  fresh: ReadonlySet<string>; // techniques that were seen since the page was opened
  url: AttackUrl;
}

const row = "relative px-4 py-2 text-sm hover:bg-hover has-aria-[current]:bg-selected";

/** Timeline is what was seen in the order in which it first was, each with the time over which it went on. */
export function Timeline({ graph, standing, fresh, url }: Props) {
  const seen = inOrder(graph);
  const begin = Math.min(...seen.map((n) => ms(n.first_seen) ?? Infinity));
  const end = Math.max(...seen.map((n) => ms(n.last_seen) ?? -Infinity));
  return (
    <Card title={t.timeline}>
      {!seen.length && <p className="py-2 text-sm text-muted">{t.timelineEmpty}</p>}
      <ol aria-label={t.timeline} className="-mx-4 divide-y divide-line">
        {seen.map((n, i) => (
          <li key={n.id} data-standing={standing.get(n.id)} className={`${row} grid grid-cols-[minmax(0,1fr)_auto] gap-x-4 gap-y-0.5 @3xl:grid-cols-[11rem_minmax(0,1fr)_minmax(6rem,16rem)] ${fresh.has(n.id) ? "animate-fresh" : ""}`}>
            <When node={n} before={seen[i - 1]} />
            <Name node={n} standing={standing.get(n.id)} url={url}>
              {note(graph, n)}
            </Name>
            <span className="hidden items-center @3xl:flex">
              {n.first_seen && n.last_seen && end > begin && <Bar node={n} begin={begin} end={end} />}
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}

const ms = (at: string | null) => (at ? Date.parse(at) : undefined);

function When({ node: n, before }: { node: GraphNode; before: GraphNode | undefined }) {
  const at = ms(n.first_seen);
  const last = ms(before?.first_seen ?? null);
  if (!n.first_seen || at === undefined) return <span className="text-muted">{t.noTime}</span>;
  return (
    <span className="order-3 col-span-2 text-xs text-muted @3xl:order-none @3xl:col-span-1 @3xl:text-sm">
      <span className="sr-only">{t.firstSeen} </span>
      <Time at={n.first_seen} />
      {last !== undefined && at - last >= 500 && <span className="text-xs text-muted @3xl:block"> {t.later(span((at - last) / 1_000))}</span>}
    </span>
  );
}

/** Name is the technique, as a link that covers its row, and what is said of it. */
function Name({ node: n, standing, url, children }: { node: GraphNode; standing: Standing | undefined; url: AttackUrl; children: React.ReactNode }) {
  return (
    <span className="min-w-0">
      {standing && <StandingMark standing={standing} />}{" "}
      <TechniqueChoice id={n.id} url={url} className={`font-medium after:absolute after:inset-0 ${found(n, url.search) ? "underline decoration-accent decoration-2 underline-offset-4" : ""}`}>
        <span className="font-mono">{n.id}</span> {n.name}
      </TechniqueChoice>
      <span className="block text-xs text-muted">
        {n.tactics.join(", ")}
        {children}
      </span>
    </span>
  );
}

/** note is what a seen technique's row says beside its tactics. */
function note(graph: AttackGraph, n: GraphNode) {
  const said = foreseen(graph, n.id);
  return (
    <>
      {" · "}
      {n.facilities.length > 0 && `${n.facilities.join(", ")} · `}
      {t.alerts(n.alerts)}
      {said && <span className="font-medium text-ok"> · {t.wasPredicted(t.percent(said.probability), said.source)}</span>}
    </>
  );
}

/** Bar is from when to when a technique was seen, within the time of the whole attack. */
function Bar({ node: n, begin, end }: { node: GraphNode; begin: number; end: number }) {
  const [first, last] = [n.first_seen!, n.last_seen!];
  const place = (at: string) => ((Date.parse(at) - begin) / (end - begin)) * 100;
  const wide = Math.max(1.5, place(last) - place(first));
  return (
    <svg role="img" aria-label={t.from(localParts(first).clock, localParts(last).clock)} viewBox="0 0 100 10" preserveAspectRatio="none" className="h-2 w-full text-accent">
      <path d="M0,5H100" stroke="var(--line)" vectorEffect="non-scaling-stroke" />
      <rect x={Math.min(place(first), 100 - wide)} width={wide} height="10" fill="currentColor" />
    </svg>
  );
}

/** MayCome is what is predicted, the likeliest first. */
export function MayCome({ graph, url }: Pick<Props, "graph" | "url">) {
  const predicted = graph.nodes.filter((n) => n.type === "predicted");
  const after = (id: string) => graph.links.filter((l) => l.target === id && l.type === "predicted").sort((a, b) => b.probability - a.probability)[0]?.source;
  return (
    <Card title={t.next}>
      {!predicted.length && <p className="py-2 text-sm text-muted">{t.nextEmpty}</p>}
      <ol aria-label={t.next} className="-mx-4 divide-y divide-line">
        {predicted.map((n) => (
          <li key={n.id} data-standing="predicted" className={`${row} grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1`}>
            <Name node={n} standing="predicted" url={url}>
              {after(n.id) && ` · ${t.after(after(n.id)!)}`}
            </Name>
            <span className="text-right font-medium">{t.percent(n.probability)}</span>
            <Progress label={`${n.id} ${n.name}`} value={n.probability * 100} className="col-span-2" />
          </li>
        ))}
      </ol>
    </Card>
  );
}
