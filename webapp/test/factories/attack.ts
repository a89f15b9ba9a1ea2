import type { AttackGraph, AttackMatrix, GraphLink, GraphNode, Technique } from "@/lib/attack";

export const names: Record<string, string> = {
  T0846: "Remote System Discovery", T0840: "Network Connection Enumeration", T0855: "Unauthorized Command Message", T0831: "Manipulation of Control", T0828: "Loss of Productivity and Revenue",
};

const tactics: Record<string, string> = { T0846: "Discovery", T0840: "Discovery", T0855: "Impair Process Control", T0831: "Impact", T0828: "Impact" };

/** seen is a technique that was first seen that many seconds after five o'clock. */
export const seen = (id: string, after: number, change: Partial<GraphNode> = {}): GraphNode => ({
  id, name: names[id] ?? id, type: "current", probability: 1, tactics: [tactics[id] ?? "Discovery"], alerts: 1, facilities: ["north"],
  first_seen: at(after), last_seen: at(after + 10), ...change,
});

export const awaited = (id: string, probability: number): GraphNode => ({ ...seen(id, 0), type: "predicted", probability, alerts: 0, facilities: [], first_seen: null, last_seen: null });

export const link = (source: string, target: string, type: GraphLink["type"] = "observed", probability = type === "observed" ? 1 : 0.2): GraphLink => ({ source, target, type, probability });

/** attack is a scan, a command that was predicted, and two techniques that may come next. */
export const attack = (): AttackGraph => ({
  nodes: [seen("T0846", 0), seen("T0840", 5), seen("T0855", 30, { alerts: 2 }), awaited("T0831", 0.21), awaited("T0828", 0.042)],
  links: [link("T0846", "T0840"), link("T0840", "T0855", "validated", 0.16), link("T0855", "T0831", "predicted", 0.21), link("T0855", "T0828", "predicted", 0.042), link("T0846", "T0828", "predicted", 0.01)],
});

/** cameTrue is the same after T0831 was seen. */
export function cameTrue(): AttackGraph {
  const before = attack();
  return {
    nodes: [...before.nodes.slice(0, 3), seen("T0831", 65), awaited("T0828", 0.042)],
    links: [...before.links.slice(0, 2), link("T0855", "T0831", "validated", 0.21), link("T0831", "T0828", "predicted", 0.042)],
  };
}

/** matrix is three tactics with what that attack has marked. */
export function matrix(graph: AttackGraph): AttackMatrix {
  const cell = (id: string) => {
    const n = graph.nodes.find((one) => one.id === id);
    return { id, name: names[id] ?? `Technique ${id}`, alerts: n?.alerts ?? 0, predictions: n?.type === "predicted" ? 1 : 0, probability: n?.type === "predicted" ? n.probability : 0 };
  };
  const tactic = (id: string, name: string, ...of: string[]) => ({ id, name, shortname: name.toLowerCase(), techniques: of.map(cell) });
  return {
    version: "18.1",
    tactics: [tactic("TA0102", "Discovery", "T0840", "T0842", "T0846"), tactic("TA0100", "Collection", "T0801"), tactic("TA0106", "Impair Process Control", "T0806", "T0855"), tactic("TA0105", "Impact", "T0828", "T0831")],
  };
}

export const detail = (id: string, change: Partial<Technique> = {}): Technique => ({
  id, name: names[id] ?? id, other_ids: [], tactics: [tactics[id] ?? "Discovery"], platforms: [], description: "What MITRE says.", url: `https://attack.mitre.org/techniques/${id}/`, version: "18.1", stands_for: [id],
  detection: [{ id: "DET0797", name: "Detection of it", data_components: [{ id: "DC0085", name: "Network Traffic Content", kind: "data-component" }] }],
  mitigation: [{ id: "M0802", name: "Communication Authenticity", kind: "mitigation" }],
  affected_assets: [{ id: "A0003", name: "Programmable Logic Controller", kind: "asset" }],
  used_by: [{ id: "C0025", name: "2016 Ukraine Electric Power Attack", kind: "campaign" }, { id: "S0604", name: "Industroyer", kind: "software" }, { id: "G0034", name: "Sandworm Team", kind: "group" }],
  ...change,
});

const at = (seconds: number) => new Date(Date.UTC(2026, 2, 4, 5) + seconds * 1_000).toISOString();
