import { describe, expect, test } from "vitest";

import { attack, awaited, cameTrue, link, seen } from "@/test/factories/attack";
import { foreseen, found, heat, inOrder, layerHref, pathTo, showing, standings, techniqueHref } from "./attack";

const scope = { facility: [], range: "", from: "", to: "" } as const;
const steps = (id: string, graph = attack()) => pathTo(graph, id).map((l) => `${l.source} ${l.type} ${l.target}`);

test("a technique stands as seen, seen as predicted, or predicted", () => {
  expect([...standings(attack())]).toEqual([["T0846", "seen"], ["T0840", "seen"], ["T0855", "foreseen"], ["T0831", "predicted"], ["T0828", "predicted"]]);
  expect(standings(cameTrue()).get("T0831")).toBe("foreseen");
  expect(foreseen(cameTrue(), "T0831")?.probability).toBe(0.21);
});

test("those that were seen stand in the order in which they first were; one that no alert shows, last", () => {
  const nodes = [seen("T0855", 30), awaited("T0831", 0.2), seen("T0800", 0, { first_seen: null, last_seen: null, alerts: 0 }), seen("T0846", 0)];
  expect(inOrder({ nodes, links: [] }).map((n) => n.id)).toEqual(["T0846", "T0855", "T0800"]);
});

describe("the path to a technique", () => {
  test("begins with what was seen first, and takes the likeliest prediction", () => {
    expect(steps("T0828")).toEqual(["T0846 observed T0840", "T0840 validated T0855", "T0855 predicted T0828"]);
    expect(steps("T0855")).toEqual(["T0846 observed T0840", "T0840 validated T0855"]);
    expect(steps("T0846")).toEqual([]);
    expect(steps("T9999")).toEqual([]);
  });

  test("goes back over what has happened alone, and ends where it would go round", () => {
    const graph = { nodes: [], links: [link("T1", "T2"), link("T2", "T1"), link("T3", "T1", "predicted"), link("T2", "T4", "predicted")] };
    expect(steps("T4", graph)).toEqual(["T1 observed T2", "T2 predicted T4"]);
  });
});

test.each([["0855", true], ["unauthorized mess", true], ["message command", true], ["t0855", true], ["T0856", false], ["", false], ["  ", false]])("looking for %j", (words, want) =>
  expect(found({ id: "T0855", name: "Unauthorized Command Message" }, words)).toBe(want),
);

test("heat grows with the alerts, reaches its end with the most of them, and a few are not hot", () => {
  expect([0, 1, 2, 10].map((n) => heat(n, 2))).toEqual([0, 2, 3, 5]);
  expect([1, 10, 100, 1_000].map((n) => heat(n, 1_000))).toEqual([1, 2, 4, 5]);
});

test("addresses say of where and when", () => {
  expect(techniqueHref("T1692.001")).toBe("/attack-graph?technique=T1692.001");
  expect(layerHref({ ...scope, facility: [] })).toBe("/api/mitre/layer?span=recent");
  expect(layerHref({ ...scope, facility: ["north", "south"], range: "24h" })).toBe("/api/mitre/layer?facility=north,south&time_range=24h");
  expect(layerHref({ ...scope, facility: [], range: "all" })).toBe("/api/mitre/layer?span=all");
  expect(layerHref({ ...scope, facility: [], from: "2026-03-01T00:00:00.000Z" })).toBe("/api/mitre/layer?from=2026-03-01T00%3A00%3A00.000Z");
  expect(showing(["T0855"], { ...scope, facility: ["north"], range: "all" })).toMatchObject({ technique: ["T0855"], facility: ["north"], range: "", muted: "false" });
});
