import { describe, expect, test } from "vitest";

import { deedOf, nameTable, usesOf } from "@/lib/assets";
import { asset, talk, used } from "@/test/factories/asset";
import { box, compareAddresses, curve, graphOf, layout, linesAtMost } from "./map-layout";

const hmi = asset({ ip: "10.0.0.2", role: "master", level: "2" });
const plc = asset({ ip: "10.0.0.11", role: "controller", level: "1" });
const reads = talk("10.0.0.2", "10.0.0.11", { count: 40, functions: [used()] });
const writes = talk("10.0.0.2", "10.0.0.12", { count: 3, functions: [used({ function: 16, class: "write" }), used()] });

describe("a graph", () => {
  test("has one pair for all that two say, with the most that was done", () => {
    const { hosts, pairs } = graphOf([reads, talk("10.0.0.2", "10.0.0.11", { port: 80, protocol: "tcp", count: 2 }), writes], [hmi, plc]);
    expect(pairs.map((p) => [p.id, p.deed, p.messages, p.talks.length])).toEqual([
      ["10.0.0.2~10.0.0.12", "writes", 3, 1],
      ["10.0.0.2~10.0.0.11", "reads", 42, 2],
    ]);
    expect([...hosts.values()].map((h) => [h.id, h.level, h.messages, h.peers])).toEqual([
      ["10.0.0.2", "2", 45, 2],
      ["10.0.0.11", "1", 42, 1],
      ["10.0.0.12", "unknown", 3, 1], // no asset: it never sent a packet
    ]);
  });

  test.each([
    ["talks", []],
    ["reads", [used({ class: "identify" })]],
    ["writes", [used({ class: "write" }), used()]],
    ["programs", [used({ class: "write" }), used({ class: "control" })]],
    ["programs", [used({ class: "program" })]],
  ] as const)("knows who %s", (want, functions) => expect(deedOf([...functions])).toBe(want));
});

describe("the picture", () => {
  test("has a band for each level that is used, the process at the bottom, the unknown below", () => {
    const { bands, nodes, lines, hidden } = layout(graphOf([reads, writes], [hmi, plc]), 800);
    expect(bands.map((b) => b.level)).toEqual(["2", "1", "unknown"]);
    for (const [i, b] of bands.entries()) if (i) expect(b.y).toBeGreaterThanOrEqual(bands[i - 1]!.y + bands[i - 1]!.height);
    expect(nodes.map((n) => n.id)).toEqual(["10.0.0.2", "10.0.0.11", "10.0.0.12"]);
    expect(lines.map((l) => l.id)).toEqual(["10.0.0.2~10.0.0.12", "10.0.0.2~10.0.0.11"]);
    expect(hidden).toEqual({ lines: 0, hosts: 0 });
  });

  const many = Array.from({ length: 2_000 }, (_, i) => talk(`10.0.${i % 10}.2`, `10.1.${Math.floor(i / 250)}.${i % 250}`, { count: 2_000 - i, functions: [used()] }));

  test.each([360, 900, 3_800])("of 2,000 conversations stays small and says what it leaves out, %i px wide", (width) => {
    const graph = graphOf(many, []);
    const { nodes, lines, hidden, height } = layout(graph, width);
    expect(lines.length).toBeLessThanOrEqual(linesAtMost);
    const own = nodes.filter((n) => n.host).length;
    expect(own + hidden.hosts).toBe(graph.hosts.size);
    expect(nodes.length).toBeLessThanOrEqual(80);
    expect(height).toBeLessThan(700);
    expect(nodes.flatMap((n) => n.rest)).toHaveLength(hidden.hosts);
    for (const n of nodes) {
      expect(n.x - box.width / 2).toBeGreaterThanOrEqual(0);
      expect(n.x + box.width / 2).toBeLessThanOrEqual(width);
    }
  });

  test("no two hosts lie on each other", () => {
    const { nodes } = layout(graphOf(many.slice(0, 40), []), 900);
    for (const [i, a] of nodes.entries())
      for (const b of nodes.slice(i + 1)) expect(Math.abs(a.x - b.x) >= box.width || Math.abs(a.y - b.y) >= box.height, `${a.id} and ${b.id}`).toBe(true);
  });

  test("shows by itself what is chosen, and what has open alerts", () => {
    const quiet = "10.1.7.249"; // the one with the fewest messages
    const graph = graphOf(many, [asset({ ip: "10.1.7.248", open_alerts: 2 })]);
    const shown = (keep?: Set<string>) => layout(graph, 900, keep).nodes.filter((n) => n.host).map((n) => n.id);
    expect(shown()).not.toContain(quiet);
    expect(shown()).toContain("10.1.7.248");
    expect(shown(new Set([quiet]))).toContain(quiet);
  });

  test("is the same for the same conversations, in whatever order they come", () => {
    const a = layout(graphOf(many.slice(0, 300), []), 900);
    const b = layout(graphOf(many.slice(0, 300).reverse(), []), 900);
    expect(b.nodes.map((n) => [n.id, n.x, n.y])).toEqual(a.nodes.map((n) => [n.id, n.x, n.y]));
  });

  test("lines begin and end at the edges of boxes, each at a place of its own", () => {
    const both = [reads, ...many.slice(0, 5), talk(many[0]!.server!, many[0]!.client!), talk("10.0.1.2", "10.0.2.2")];
    const { lines } = layout(graphOf(both, [hmi]), 900);
    expect(lines.length).toBe(8);
    const ends = lines.flatMap((l) => {
      const [fx, fy] = curve(l).d.slice(1).split("C")[0]!.split(",").map(Number) as [number, number];
      const [tx, ty] = curve(l).d.split(" ").at(-1)!.split(",").map(Number) as [number, number];
      for (const [x, y, n] of [[fx, fy, l.from], [tx, ty, l.to]] as const) {
        expect(Math.abs(x - n.x)).toBeLessThan(box.width / 2);
        expect(Math.abs(y - n.y)).toBe(box.height / 2);
      }
      return [`${fx} ${fy}`, `${tx} ${ty}`];
    });
    expect(new Set(ends).size).toBe(ends.length);
  });

  test("a line goes around the host that stands in its way", () => {
    const station = asset({ ip: "10.0.0.3", role: "engineering-workstation", level: "3" });
    const { lines, nodes } = layout(graphOf([reads, talk("10.0.0.3", "10.0.0.11", { functions: [used()] })], [hmi, plc, station]), 900);
    const around = curve(lines.find((l) => l.from.id === "10.0.0.3")!);
    expect(Math.abs(around.x - nodes.find((n) => n.id === "10.0.0.2")!.x)).toBeGreaterThan(box.width / 2);
    expect(lines.find((l) => l.from.id === "10.0.0.2")!.bow).toBe(0);
  });
});

test("addresses are in the order of their numbers", () => {
  expect(["fd00::2", "10.0.0.11", "10.0.0.2", "9.1.1.1"].sort(compareAddresses)).toEqual(["9.1.1.1", "10.0.0.2", "10.0.0.11", "fd00::2"]);
});

test("functions of conversations are added up", () => {
  const all = usesOf([reads, writes, talk("a", "b", { functions: [used({ count: 1, exceptions: 2 }), used({ function: 8, subfunction: 4 })] })]);
  expect(all.map((u) => [u.function, u.subfunction, u.class, u.count, u.exceptions, u.peers])).toEqual([
    [3, undefined, "read", 21, 2, 3],
    [8, 4, "read", 10, 0, 1],
    [16, undefined, "write", 10, 0, 1],
  ]);
});

test("a name is quoted for its table", () => {
  expect(nameTable({ ip: "10.0.0.2" }, 'Pump "A", left', "")).toBe('ip,name,zone\n"10.0.0.2","Pump ""A"", left",""\n');
  expect(nameTable({ mac: "00:01:02:03:04:05" }, "x", "y")).toBe('mac,name,zone\n"00:01:02:03:04:05","x","y"\n');
});
