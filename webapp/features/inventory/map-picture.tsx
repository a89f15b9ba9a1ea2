"use client";

import { useMemo, useRef, useState, type KeyboardEvent } from "react";

import { useWidth } from "@/hooks/use-width";
import { nameOf } from "@/lib/assets";
import { texts } from "@/lib/texts";
import { letters, Letter, strokes } from "./marks";
import { box, curve, layout, type Graph, type Line, type Node } from "./map-layout";

const t = texts.inventory.map;
const words = texts.inventory;

const fits = { name: 17, address: 20 }; // letters

/** MapPicture draws hosts on their levels and a line for each two that talk. What is chosen stands out; keys go from host to host. */
export function MapPicture({ graph, found, at, onChoose }: { graph: Graph; found: ReadonlySet<string> | null; at: string; onChoose: (at: string) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const { width, scale } = useWidth(place);
  const [over, setOver] = useState("");
  const chosen = useMemo(() => new Set(at ? at.split("~") : []), [at]);
  const picture = useMemo(() => (width ? layout(graph, width / scale, new Set([...chosen, ...(found ?? [])])) : null), [graph, width, scale, chosen, found]);

  const focus = over || at;
  // What a line is about: the hosts behind its ends, also those that are put together.
  const touches = (line: Line) => (focus.includes("~") ? line.pairs.some((p) => p.id === focus) || line.id === focus : line.from.id === focus || line.to.id === focus);
  const lit = (line: Line) => (focus ? touches(line) : found ? line.pairs.some((p) => found.has(p.client) || found.has(p.server)) : true);
  const near = new Set(focus && picture ? picture.lines.filter(touches).flatMap((l) => [l.from.id, l.to.id]) : []);
  const dim = (node: Node) => (focus ? node.id !== focus && !near.has(node.id) : found !== null && !found.has(node.id));
  const choose = (id: string) => onChoose(id === at ? "" : id);

  return (
    <div ref={place} className="min-h-40 overflow-hidden rounded-lg border border-line bg-surface">
      {picture && (
        <svg width={picture.width * scale} height={picture.height * scale} viewBox={`0 0 ${picture.width} ${picture.height}`} role="group" aria-label={t.title} data-testid="map" onKeyDown={(e) => step(e, picture.nodes)} className="block">
          {picture.bands.map((b) => (
            <rect key={b.level} x={4} y={b.y} width={picture.width - 8} height={b.height} rx={8} fill="var(--sunken)" />
          ))}
          {/* The lit lines last, over the others. */}
          {picture.lines
            .toReversed()
            .sort((a, b) => Number(lit(a)) - Number(lit(b)))
            .map((line) => (
              <Wire key={line.id} line={line} faint={!lit(line)} chosen={at !== "" && line.id === at} onOver={setOver} onChoose={choose} />
            ))}
          {picture.bands.map((b) => (
            <text key={b.level} x={14} y={b.y + 17} fontSize={12} fontWeight={600} fill="var(--muted)" stroke="var(--sunken)" strokeWidth={4} strokeLinejoin="round" paintOrder="stroke" pointerEvents="none">
              {words.levels[b.level]}
              <tspan fontWeight={400}> · {t.hosts(b.hosts)}</tspan>
            </text>
          ))}
          {picture.nodes.map((node) => (
            <Box key={node.id} node={node} faint={dim(node)} chosen={chosen.has(node.id)} onOver={setOver} onChoose={choose} />
          ))}
        </svg>
      )}
      {picture && (picture.hidden.lines > 0 || picture.hidden.hosts > 0) && (
        <p className="border-t border-line px-3 py-2 text-xs text-muted">
          {picture.hidden.lines > 0 && t.hiddenLines(picture.hidden.lines)} {picture.hidden.hosts > 0 && t.hiddenHosts(picture.hidden.hosts)}
        </p>
      )}
    </div>
  );
}

/** step moves the focus to the next host in the direction of an arrow key. */
function step(e: KeyboardEvent<SVGSVGElement>, nodes: readonly Node[]) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
  const id = e.target instanceof Element ? e.target.getAttribute("data-host") : null;
  const here = nodes.find((n) => n.id === id);
  if (!way || !here || e.ctrlKey || e.metaKey || e.altKey) return;
  const ahead = nodes
    .map((node) => ({ node, along: (node.x - here.x) * way[0]! + (node.y - here.y) * way[1]!, aside: Math.abs((node.x - here.x) * way[1]!) + Math.abs((node.y - here.y) * way[0]!) }))
    .filter(({ along }) => along > 1)
    .sort((a, b) => a.along + 3 * a.aside - (b.along + 3 * b.aside))[0];
  e.preventDefault();
  if (ahead) e.currentTarget.querySelector<SVGElement>(`[data-host="${CSS.escape(ahead.node.id)}"]`)?.focus();
}

function Wire({ line, faint, chosen, onOver, onChoose }: { line: Line; faint: boolean; chosen: boolean; onOver: (id: string) => void; onChoose: (id: string) => void }) {
  const { d, x, y, end } = curve(line);
  const { width, dashes, colour } = strokes[line.deed];
  const whole = !line.from.rest.length && !line.to.rest.length; // one pair: it can be chosen
  const back = end.down ? -8 : 8; // of the arrowhead, px
  return (
    <g
      data-line={line.id}
      opacity={faint ? 0.1 : 1}
      pointerEvents={faint ? "none" : undefined}
      className={whole ? "cursor-pointer" : undefined}
      onPointerEnter={() => whole && onOver(line.id)}
      onPointerLeave={() => onOver("")}
      onClick={() => whole && onChoose(line.id)}
    >
      <path d={d} fill="none" stroke="transparent" strokeWidth={12} />
      <path d={d} fill="none" stroke={colour} strokeWidth={chosen ? width + 2 : width} strokeDasharray={dashes} />
      <path d={`M${end.x - 4},${end.y + back}h8L${end.x},${end.y}Z`} fill={colour} />
      {letters[line.deed] && <Letter letter={letters[line.deed]} x={x} y={y} colour={colour} />}
    </g>
  );
}

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function Box({ node, faint, chosen, onOver, onChoose }: { node: Node; faint: boolean; chosen: boolean; onOver: (id: string) => void; onChoose: (id: string) => void }) {
  const [x, y] = [node.x - box.width / 2, node.y - box.height / 2];
  const { host } = node;
  if (!host) {
    return (
      <g opacity={faint ? 0.35 : 1}>
        <rect x={x} y={y} width={box.width} height={box.height} rx={6} fill="var(--surface)" stroke="var(--line-strong)" strokeDasharray="4 3" />
        <text x={node.x} y={node.y} dy="0.36em" textAnchor="middle" fontSize={12} fill="var(--muted)">
          {t.rest(node.rest.length)}
        </text>
      </g>
    );
  }
  const { asset } = host;
  const role = words.roles[asset?.role ?? "unknown"];
  const open = asset?.open_alerts ?? 0;
  const label = t.host(asset?.name ? `${asset.name}, ${host.id}` : host.id, role, open);
  return (
    <g opacity={faint ? 0.35 : 1} className="*:pointer-events-none [&>rect]:pointer-events-auto">
      {/* The button has no text within: its name says it in another order. */}
      <rect
        data-host={host.id}
        role="button"
        tabIndex={0}
        aria-label={label}
        aria-pressed={chosen}
        className="cursor-pointer outline-none focus-visible:stroke-accent focus-visible:[stroke-width:3]"
        onPointerEnter={() => onOver(host.id)}
        onPointerLeave={() => onOver("")}
        onFocus={(e) => e.currentTarget.matches(":focus-visible") && onOver(host.id)}
        onBlur={() => onOver("")}
        onClick={() => onChoose(host.id)}
        onKeyDown={(e) => {
          if (e.key !== "Enter" && e.key !== " ") return;
          e.preventDefault();
          onChoose(host.id);
        }}
        x={x}
        y={y}
        width={box.width}
        height={box.height}
        rx={6}
        fill={chosen ? "var(--selected)" : "var(--surface)"}
        stroke={chosen ? "var(--accent)" : open ? "var(--mark-critical)" : "var(--line-strong)"}
        strokeWidth={chosen ? 2.5 : open ? 2 : 1}
        strokeDasharray={asset ? undefined : "3 3"}
      >
        <title>{label}</title>
      </rect>
      <text x={x + 10} y={y + 16} fontSize={12} fontWeight={600} fill="var(--text)" className={asset?.name ? undefined : "font-mono"}>
        {cut(asset ? nameOf(asset) : host.id, fits.name)}
      </text>
      <text x={x + 10} y={y + 31} fontSize={11} fill="var(--muted)">
        {cut(asset?.name ? host.id : role, fits.address)}
      </text>
      {open > 0 && (
        <>
          <path d={`M${x + box.width - 15},${y + 6}l6,11h-12Z`} fill="var(--mark-critical)" />
          <text x={x + box.width - 8} y={y + 31} fontSize={11} fontWeight={600} textAnchor="end" fill="var(--text)">
            {open >= 1000 ? "1k+" : open}
          </text>
        </>
      )}
    </g>
  );
}
