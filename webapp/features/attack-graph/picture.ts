// The graph as Cytoscape.js draws it on a canvas, laid out by dagre: from left to right, or downwards where that shows more. React knows nothing of it but
// this class; both libraries come with this file, which the page fetches after its first paint.

import cytoscape, { type Core, type ElementDefinition, type NodeSingular, type Position, type StylesheetJson } from "cytoscape";
import dagre, { type DagreLayoutOptions } from "cytoscape-dagre";

import { foreseen, found, heat, linkId, pathTo, standings, type AttackGraph, type GraphNode, type Standing } from "@/lib/attack";
import { texts } from "@/lib/texts";

cytoscape.use(dagre);

const t = texts.attack;

/** Marked is what stands out of the graph. */
export interface Marked {
  chosen: string | null;
  at: string | null; // where the keyboard is
  search: string;
}

/** Layout is a place for each technique, and the zoom at which all of them are to be seen. */
interface Layout {
  places: ReadonlyMap<string, Position>;
  zoom: number;
}

export type Way = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

const signs: Record<Standing, string> = { seen: "●", foreseen: "✓", predicted: "◇" };
const legible = 0.6; // the least zoom at which a label can be read
const duration = 350; // ms

/** more is what is said of a technique beside its name. */
export const more = (n: GraphNode) => (n.type === "predicted" ? t.percent(n.probability) : t.alerts(n.alerts));

/** elements is what is drawn of a graph. */
export function elements(graph: AttackGraph): ElementDefinition[] {
  const standing = standings(graph);
  const most = Math.max(0, ...graph.nodes.map((n) => n.alerts));
  return [
    ...graph.nodes.map((n): ElementDefinition => {
      const is = standing.get(n.id) ?? "seen";
      const was = is === "foreseen" ? `, ${t.percent(foreseen(graph, n.id)?.probability ?? 0)}` : "";
      return { group: "nodes", data: { id: n.id, name: n.name, standing: is, heat: heat(n.alerts, most), label: `${signs[is]} ${n.id}  ${more(n)}${was}\n${n.name}` } };
    }),
    ...graph.links.map((l): ElementDefinition => ({ group: "edges", data: { id: linkId(l), source: l.source, target: l.target, type: l.type } })),
  ];
}

export class Picture {
  #cy: Core;
  #graph: AttackGraph = { nodes: [], links: [] };
  #marked: Marked = { chosen: null, at: null, search: "" };
  #moved = false; // whether somebody has chosen what part is to be seen

  constructor(private readonly box: HTMLElement, onChoose: (id: string) => void) {
    this.#cy = cytoscape({
      container: box,
      minZoom: 0.15,
      maxZoom: 2.5,
      userZoomingEnabled: matchMedia("(pointer: coarse)").matches, // a wheel scrolls the page; fingers may pinch
      boxSelectionEnabled: false,
      autoungrabify: true,
      autounselectify: true,
    });
    this.paint();
    this.#cy.on("tap", "node", (e) => onChoose((e.target as NodeSingular).id()));
    this.#cy.on("mouseover", "node", () => (box.style.cursor = "pointer"));
    this.#cy.on("mouseout", "node", () => (box.style.cursor = ""));
    this.#cy.on("dragpan pinchzoom", () => (this.#moved = true));
  }

  destroy(): void {
    this.#cy.destroy();
  }

  /** show draws a graph in place of the one before. What stays of it moves to its new place; where nothing came or went, nothing moves. */
  show(graph: AttackGraph): void {
    this.#graph = graph;
    const next = new Map(elements(graph).map((e) => [String(e.data.id), e]));
    const before = new Set(this.#cy.elements().map((e) => e.id()));
    this.#cy.batch(() => {
      this.#cy.elements().filter((e) => !next.has(e.id())).remove();
      for (const [id, e] of next) {
        if (before.has(id)) this.#cy.getElementById(id).data(e.data);
        else this.#cy.add(e);
      }
    });
    const same = before.size === next.size && [...next.keys()].every((id) => before.has(id));
    if (!same) {
      this.#cy.nodes().stop();
      this.#layOut(before.size > 0);
    }
    this.mark(this.#marked);
    this.box.dataset.drawn = this.#cy.nodes().map((n) => `${n.id()}:${n.data("standing") as string}`).join(" ");
  }

  /** mark lets the way to the chosen technique and on from it, and what is looked for, stand out. */
  mark(marked: Marked): void {
    this.#marked = marked;
    const { chosen, at, search } = marked;
    const path = chosen ? pathTo(this.#graph, chosen) : [];
    const onPath = new Set([...(chosen ? [chosen] : []), ...path.flatMap((l) => [l.source, l.target, linkId(l)])]);
    const next = new Set(this.#graph.links.flatMap((l) => (l.source === chosen ? [l.target, linkId(l)] : [])));
    const known = chosen !== null && this.#cy.getElementById(chosen).nonempty();
    this.#cy.batch(() =>
      this.#cy.elements().forEach((e) => {
        const id = e.id();
        e.toggleClass("path", onPath.has(id));
        e.toggleClass("aside", known && !onPath.has(id) && !next.has(id));
        e.toggleClass("chosen", id === chosen);
        e.toggleClass("at", id === at);
        e.toggleClass("match", e.isNode() && found({ id, name: e.data("name") as string }, search));
      }),
    );
  }

  /** step is the technique that lies next to another in a direction; the first one where there is no other. */
  step(from: string | null, way: Way): string | undefined {
    const nodes = this.#cy.nodes();
    const start = this.#cy.getElementById(from ?? "");
    if (start.empty()) return this.#graph.nodes[0]?.id;
    const { x, y } = start.position();
    let best: { id: string; far: number } | undefined;
    nodes.forEach((n) => {
      const [dx, dy] = [n.position().x - x, n.position().y - y];
      const [along, across] = { ArrowRight: [dx, dy], ArrowLeft: [-dx, dy], ArrowDown: [dy, dx], ArrowUp: [-dy, dx] }[way] as [number, number];
      const far = along + 2.5 * Math.abs(across);
      if (along > 1 && (!best || far < best.far)) best = { id: n.id(), far };
    });
    return best?.id;
  }

  /** reveal brings a technique into the part that is seen. */
  reveal(id: string): void {
    const node = this.#cy.getElementById(id);
    if (node.empty()) return;
    const { x1, x2, y1, y2 } = node.renderedBoundingBox();
    if (x1 < 0 || y1 < 0 || x2 > this.#cy.width() || y2 > this.#cy.height()) this.#cy.animate({ center: { eles: node }, duration: this.#time() });
  }

  zoom(by: number): void {
    this.#moved = true;
    this.#cy.animate({ zoom: { level: this.#cy.zoom() * by, renderedPosition: { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } }, duration: this.#time() / 2 });
  }

  /** fit shows all of it. */
  fit(): void {
    this.#moved = false;
    this.#cy.animate({ fit: { eles: this.#cy.elements(), padding: 24 }, duration: this.#time() });
  }

  /** resized is to be called when its place has another size. */
  resized(): void {
    this.#cy.resize();
    if (!this.#moved) this.#layOut(false);
  }

  /** png is the whole picture. */
  png(): Promise<Blob> {
    return this.#cy.png({ output: "blob-promise", full: true, scale: 2, bg: colour("--surface"), maxWidth: 10_000, maxHeight: 10_000 });
  }

  /** paint takes the colours of the page's theme. */
  paint(): void {
    this.#cy.style(sheet());
  }

  /** layOut gives every technique its place; those that had one go there, where they are to move. */
  #layOut(move: boolean): void {
    const before = this.#places();
    const [across, down] = (["LR", "TB"] as const).map((rankDir) => {
      const options: DagreLayoutOptions = { name: "dagre", rankDir, nodeSep: 12, rankSep: rankDir === "LR" ? 38 : 28, edgeSep: 8, fit: false };
      this.#cy.layout(options).run();
      const { w, h } = this.#cy.elements().boundingBox();
      return { places: this.#places(), zoom: Math.min(1, this.#cy.width() / (w + 48), this.#cy.height() / (h + 48)) };
    }) as [Layout, Layout];
    const { places } = down.zoom > across.zoom ? down : across;
    const put = (to: ReadonlyMap<string, Position>) => this.#cy.nodes().positions((n) => to.get(n.id()) ?? n.position());
    put(places);
    if (!this.#moved) this.#frame();
    if (!move || !this.#time()) return;
    put(new Map([...places].map(([id, place]) => [id, before.get(id) ?? place])));
    this.#cy.nodes().forEach((n) => void n.animate({ position: places.get(n.id())! }, { duration }));
  }

  #places = (): ReadonlyMap<string, Position> => new Map(this.#cy.nodes().map((n) => [n.id(), { ...n.position() }]));

  /** frame shows all of it; where that could not be read, what was seen last and what comes next. */
  #frame(): void {
    this.#cy.fit(undefined, 24);
    const most = parseFloat(getComputedStyle(document.documentElement).fontSize) / 15; // as large as the page's own words
    if (this.#cy.zoom() > most) {
      this.#cy.zoom(most);
      this.#cy.center();
    }
    if (this.#cy.zoom() >= legible) return;
    const last = this.#graph.nodes.filter((n) => n.type === "current").at(-1);
    this.#cy.zoom(legible);
    const node = last ? this.#cy.getElementById(last.id) : this.#cy.nodes();
    this.#cy.center(node.union(node.outgoers()));
    // Beyond the end of the graph there is nothing to see.
    const { x1, x2, y1, y2 } = this.#cy.elements().renderedBoundingBox();
    this.#cy.panBy({ x: inward(x1, x2, this.#cy.width()), y: inward(y1, y2, this.#cy.height()) });
  }

  #time = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : duration);
}

/** colour is a colour of the theme as #rrggbb, however the stylesheet writes it. */
function colour(name: string): string {
  const canvas = document.createElement("canvas").getContext("2d")!;
  canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return canvas.fillStyle;
}

/** inward is by how much to move what reaches from a to b so that it leaves no gap in a place of that size; what fits stays. */
const inward = (a: number, b: number, size: number) => (b - a <= size - 48 ? 0 : a > 24 ? 24 - a : b < size - 24 ? size - 24 - b : 0);

/** mix is a colour between two, both as #rrggbb. */
function mix(from: string, to: string, part: number): string {
  const at = (c: string, i: number) => parseInt(c.slice(1 + 2 * i, 3 + 2 * i), 16);
  return `#${[0, 1, 2].map((i) => Math.round(at(from, i) + (at(to, i) - at(from, i)) * part).toString(16).padStart(2, "0")).join("")}`;
}

function sheet(): StylesheetJson {
  const [surface, text, muted, accent, line, ok, hot] = ["--surface", "--text", "--muted", "--accent", "--line-strong", "--ok", "--mark-high"].map(colour) as [string, string, string, string, string, string, string];
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: 196, height: 66, label: "data(label)", color: text, "font-family": getComputedStyle(document.body).fontFamily, "font-size": 15, "line-height": 1.2,
        "text-wrap": "wrap", "text-max-width": "184px", "text-valign": "center", "text-halign": "center", "background-color": surface, "border-width": 1.5, "border-color": muted,
      },
    },
    ...[1, 2, 3, 4, 5].map((level) => ({ selector: `node[heat = ${level}]`, style: { "background-color": mix(surface, hot, level * 0.09) } })),
    { selector: 'node[standing = "predicted"]', style: { "border-style": "dashed", "border-color": accent, "border-width": 1.5 } },
    { selector: 'node[standing = "foreseen"]', style: { "border-style": "double", "border-color": ok, "border-width": 5 } },
    { selector: "edge", style: { width: 1.5, "line-color": line, "target-arrow-color": line, "target-arrow-shape": "triangle", "curve-style": "bezier", "arrow-scale": 0.9 } },
    { selector: 'edge[type = "observed"]', style: { "line-color": muted, "target-arrow-color": muted } },
    { selector: 'edge[type = "predicted"]', style: { "line-style": "dashed" } },
    { selector: 'edge[type = "validated"]', style: { width: 4, "line-color": ok, "target-arrow-color": ok } },
    { selector: ".aside", style: { opacity: 0.35 } },
    { selector: "edge.path", style: { width: 4, "line-color": accent, "target-arrow-color": accent, "z-index": 2 } },
    { selector: "node.match", style: { "underlay-color": accent, "underlay-opacity": 0.25, "underlay-padding": 6, opacity: 1 } },
    { selector: "node.chosen", style: { "border-color": accent, "border-width": 5 } },
    { selector: "node.at", style: { "underlay-color": accent, "underlay-opacity": 0.6, "underlay-padding": 5, opacity: 1 } },
  ] as StylesheetJson;
}
