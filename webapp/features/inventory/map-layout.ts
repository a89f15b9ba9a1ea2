// From conversations to a picture: hosts in bands by Purdue level, and between each two that talk one line for all they
// say. What would be too much to see is put together, and counted, so that the page can say what it leaves out.

import { deedOf, deeds, idOf, type Asset, type Deed, type Talk } from "@/lib/assets";
import { levels, type Level } from "@/lib/asset-filters";

/** Host is who talks: an asset, or an address that never sent a packet. */
export interface Host {
  id: string;
  asset?: Asset;
  level: Level;
  messages: number;
  peers: number;
}

/** Pair is a client and a server, with all their conversations. */
export interface Pair {
  id: string; // client~server
  client: string;
  server: string;
  talks: Talk[];
  messages: number;
  deed: Deed;
}

/** Graph is who talks to whom. */
export interface Graph {
  hosts: Map<string, Host>;
  pairs: Pair[]; // those that matter most first
}

export const pairId = (client: string, server: string) => `${client}~${server}`;

/** graphOf puts conversations together by client and server. */
export function graphOf(talks: readonly Talk[], assets: readonly Asset[]): Graph {
  const known = new Map(assets.map((a) => [idOf(a), a]));
  const hosts = new Map<string, Host>();
  const pairs = new Map<string, Pair>();
  const host = (id: string) => {
    let h = hosts.get(id);
    if (!h) {
      const asset = known.get(id);
      h = { id, asset, level: asset?.level ?? "unknown", messages: 0, peers: 0 };
      hosts.set(id, h);
    }
    return h;
  };
  for (const t of talks) {
    const [client, server] = [t.client ?? "", t.server ?? ""];
    if (!client || !server) continue;
    const id = pairId(client, server);
    const pair = pairs.get(id) ?? { id, client, server, talks: [], messages: 0, deed: "talks" as Deed };
    if (!pair.talks.length) {
      pairs.set(id, pair);
      host(client).peers++;
      host(server).peers++;
    }
    pair.talks.push(t);
    pair.messages += t.count;
    const deed = deedOf(t.functions);
    if (deeds.indexOf(deed) > deeds.indexOf(pair.deed)) pair.deed = deed;
    host(client).messages += t.count;
    host(server).messages += t.count;
  }
  return { hosts, pairs: [...pairs.values()].sort((a, b) => deeds.indexOf(b.deed) - deeds.indexOf(a.deed) || b.messages - a.messages || (a.id < b.id ? -1 : 1)) };
}

// The sizes of the picture, px.
export const box = { width: 148, height: 40 };
const gap = { x: 18, y: 22 };
const band = { head: 26, foot: 18, gap: 26 };
const rowsAtMost = 3; // of a band
export const linesAtMost = 160;

/** Node is a host at its place, or the rest of a band. */
export interface Node {
  id: string;
  host?: Host;
  rest: Host[]; // of the band, that have no place of their own
  x: number; // of its middle
  y: number;
}

export interface Band {
  level: Level;
  y: number;
  height: number;
  hosts: number;
}

/** Line is what goes from one node to another. */
export interface Line {
  id: string;
  from: Node;
  to: Node;
  start: number; // how far from the middle of a node it begins and ends, px: no two at one place
  end: number;
  bow: number; // how far aside it goes to pass by what stands between, px
  deed: Deed;
  messages: number;
  pairs: Pair[];
}

export interface Picture {
  width: number;
  height: number;
  bands: Band[];
  nodes: Node[];
  lines: Line[];
  hidden: { lines: number; hosts: number };
}

/** restOf is the id of the node that stands for the rest of a band. */
const restOf = (level: Level) => `rest:${level}`;

/**
 * layout gives every host a place. keep, where there is one, is what must be seen by itself: the hosts of what is chosen.
 * The same conversations give the same picture at the same width.
 */
export function layout({ hosts, pairs }: Graph, width: number, keep: ReadonlySet<string> = new Set()): Picture {
  const columns = Math.max(2, Math.floor((width - gap.x) / (box.width + gap.x)));
  const matter = (h: Host) => (keep.has(h.id) ? 2 : (h.asset?.open_alerts ?? 0) > 0 ? 1 : 0);
  const used = levels.map((level) => ({ level, all: [...hosts.values()].filter((h) => h.level === level) })).filter(({ all }) => all.length > 0);
  const nodes: Node[] = [];
  const nodeOf = new Map<string, Node>();
  const rows = used.map(({ level, all }) => {
    const room = columns * rowsAtMost;
    all.sort((a, b) => matter(b) - matter(a) || b.messages - a.messages || (a.id < b.id ? -1 : 1));
    const shown = all.length > room ? all.slice(0, room - 1) : all;
    const own = shown.map((host): Node => ({ id: host.id, host, rest: [], x: 0, y: 0 }));
    for (const node of own) nodeOf.set(node.id, node);
    if (shown.length < all.length) {
      const rest: Node = { id: restOf(level), rest: all.slice(room - 1), x: 0, y: 0 };
      own.push(rest);
      for (const h of rest.rest) nodeOf.set(h.id, rest);
    }
    nodes.push(...own);
    return { level, own, hosts: all.length };
  });

  // Hosts stand near those that they talk to: each at the middle of its peers, over and over.
  const around = new Map<Node, Node[]>();
  for (const p of pairs) {
    const [a, b] = [nodeOf.get(p.client)!, nodeOf.get(p.server)!];
    if (a === b) continue;
    around.set(a, [...(around.get(a) ?? []), b]);
    around.set(b, [...(around.get(b) ?? []), a]);
  }
  const place = (own: Node[]) => own.forEach((n, i) => (n.x = ((i % Math.min(columns, own.length)) + 0.5) / Math.min(columns, own.length)));
  for (const { own } of rows) {
    own.sort((a, b) => byId(a, b));
    place(own);
  }
  for (let sweep = 0; sweep < 6; sweep++) {
    for (const { own } of sweep % 2 ? rows.toReversed() : rows) {
      if (own.length > columns) continue; // several rows: in order of address, where one finds them
      const middle = new Map(own.map((n) => [n, mean((around.get(n) ?? []).map((o) => o.x)) ?? n.x]));
      own.sort((a, b) => middle.get(a)! - middle.get(b)! || byId(a, b));
      place(own);
    }
  }

  let y = 8;
  const bands = rows.map(({ level, own, hosts: n }): Band => {
    const across = Math.min(columns, own.length);
    const down = Math.ceil(own.length / across);
    const height = band.head + down * box.height + (down - 1) * gap.y + band.foot;
    const step = width / across;
    own.forEach((node, i) => {
      node.x = step * ((i % across) + 0.5);
      node.y = y + band.head + Math.floor(i / across) * (box.height + gap.y) + box.height / 2;
    });
    const at = y;
    y += height + band.gap;
    return { level, y: at, height, hosts: n };
  });

  const lines = new Map<string, Line>();
  for (const p of pairs) {
    const [from, to] = [nodeOf.get(p.client)!, nodeOf.get(p.server)!];
    if (from === to) continue; // within the rest of a band
    const id = pairId(from.id, to.id);
    const line = lines.get(id) ?? { id, from, to, start: 0, end: 0, bow: 0, deed: "talks" as Deed, messages: 0, pairs: [] };
    lines.set(id, line);
    line.pairs.push(p);
    line.messages += p.messages;
    if (deeds.indexOf(p.deed) > deeds.indexOf(line.deed)) line.deed = p.deed;
  }
  const kept = (l: Line) => (l.pairs.some((p) => keep.has(p.client) || keep.has(p.server)) ? 1 : 0);
  const sorted = [...lines.values()].sort((a, b) => kept(b) - kept(a) || deeds.indexOf(b.deed) - deeds.indexOf(a.deed) || b.messages - a.messages || (a.id < b.id ? -1 : 1));
  const drawn = sorted.slice(0, linesAtMost);
  fan(drawn);
  for (const line of drawn) line.bow = bowOf(line, nodes, width);
  return {
    width,
    height: Math.max(y - band.gap + 8, 40),
    bands,
    nodes,
    lines: drawn,
    hidden: { lines: Math.max(0, sorted.length - linesAtMost), hosts: nodes.reduce((n, node) => n + node.rest.length, 0) },
  };
}

const mean = (all: number[]) => (all.length ? all.reduce((a, b) => a + b, 0) / all.length : undefined);

/** byId puts addresses in the order of their numbers, and the rest of a band last. */
function byId(a: Node, b: Node): number {
  if (!a.host !== !b.host) return a.host ? -1 : 1;
  return compareAddresses(a.id, b.id);
}

/** compareAddresses orders IPv4 addresses by their numbers, before all else. */
export function compareAddresses(a: string, b: string): number {
  const number = (text: string) => (/^\d+(\.\d+){3}$/.test(text) ? text.split(".").reduce((n, part) => n * 256 + Number(part), 0) : Infinity);
  const [x, y] = [number(a), number(b)];
  return x === y ? (a < b ? -1 : a > b ? 1 : 0) : x - y;
}

const sideBySide = (a: Node, b: Node) => Math.abs(a.y - b.y) < 1;

/** fan spreads the lines of each side of each node along it, in the order of where they go to. */
function fan(lines: readonly Line[]): void {
  const sides = new Map<string, { other: Node; set: (offset: number) => void }[]>();
  const add = (at: Node, other: Node, set: (offset: number) => void) => {
    const side = `${at.id} ${other.y > at.y + 1}`; // below; neighbours meet above
    sides.set(side, [...(sides.get(side) ?? []), { other, set }]);
  };
  for (const line of lines) {
    add(line.from, line.to, (offset) => (line.start = offset));
    add(line.to, line.from, (offset) => (line.end = offset));
  }
  for (const ends of sides.values()) {
    ends.sort((a, b) => a.other.x - b.other.x || a.other.y - b.other.y);
    ends.forEach(({ set }, i) => set(((i + 1) / (ends.length + 1) - 0.5) * (box.width - 16)));
  }
}

/** bowOf is how far aside a line must go where a host stands in its way: into the gap beside it. */
function bowOf(line: Line, nodes: readonly Node[], width: number): number {
  const [fx, tx] = [line.from.x + line.start, line.to.x + line.end];
  const [top, bottom] = [Math.min(line.from.y, line.to.y), Math.max(line.from.y, line.to.y)];
  const middle = (fx + tx) / 2;
  const inWay = nodes.filter((n) => n.y > top + 1 && n.y < bottom - 1 && Math.abs(n.x - middle) < box.width / 2 + 4);
  if (!inWay.length || Math.abs(fx - tx) > box.width) return 0;
  const at = inWay[0]!.x;
  const aside = box.width / 2 + 10; // the middle of a line at the middle of the gap
  const left = at - aside > 8 && (middle < at || at + aside > width - 8);
  return ((left ? at - aside : at + aside) - middle) / 0.75;
}

/** curve is the way of a line, from the edge of one box to that of the other, where its middle is, and where it ends, downwards or upwards. */
export function curve({ from, to, start, end: arrival, bow }: Pick<Line, "from" | "to" | "start" | "end" | "bow">): { d: string; x: number; y: number; end: { x: number; y: number; down: boolean } } {
  const half = box.height / 2;
  const [fx, tx] = [from.x + start, to.x + arrival];
  if (sideBySide(from, to)) {
    // Side by side: over the top, the further the higher.
    const lift = Math.min(band.head + 6, 14 + Math.abs(fx - tx) / 14);
    const top = from.y - half;
    return { d: `M${r(fx)},${r(top)}C${r(fx)},${r(top - lift)} ${r(tx)},${r(top - lift)} ${r(tx)},${r(top)}`, x: (fx + tx) / 2, y: top - lift * 0.75, end: { x: tx, y: top, down: true } };
  }
  const down = to.y > from.y;
  const [fy, ty] = [from.y + (down ? half : -half), to.y - (down ? half : -half)];
  const bend = (ty - fy) * 0.45;
  return { d: `M${r(fx)},${r(fy)}C${r(fx + bow)},${r(fy + bend)} ${r(tx + bow)},${r(ty - bend)} ${r(tx)},${r(ty)}`, x: (fx + tx) / 2 + bow * 0.75, y: (fy + ty) / 2, end: { x: tx, y: ty, down } };
}

const r = (n: number) => n.toFixed(1);
