import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { alert, created, page } from "@/test/factories/alert";
import { attack, cameTrue, detail, matrix, names } from "@/test/factories/attack";
import { prediction } from "@/test/factories/prediction";
import { show, where } from "@/test/page";
import { asked, serve } from "@/test/server";
import { AttackView } from "./attack-view";
import { elements } from "./picture";
import { format, parse } from "./use-attack-url";
import { arrived } from "./use-news";
import { saidOf } from "./why-predicted";

let answers: Parameters<typeof serve>[0];

beforeEach(() => {
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(null); // as a browser has it that draws nothing
  answers = {
    "/api/mitre/graph": attack(),
    "/api/mitre/matrix": matrix(attack()),
    "/api/mitre/techniques": Object.entries(names).map(([id, name]) => ({ id, name })),
    "/api/system/status": { facilities: [{ id: "north", name: "north" }, { id: "south", name: "south" }] },
    "/api/mitre/technique/T0831": detail("T0831", { other_ids: ["T1690"] }),
    "/api/mitre/technique/T0855": detail("T0855"),
    "/api/predictions": { predictions: [] },
    "/api/alerts": page([]),
  };
});

function open(url = "/attack-graph") {
  serve(answers);
  return show(<AttackView />, url);
}

const list = (name: string) => within(screen.getByRole("list", { name })).getAllByRole("listitem").map((li) => li.textContent ?? "");
const panel = () => within(screen.getByRole("dialog"));

describe("the lists", () => {
  test("say what the graph says: what was seen, in order, and what may come", async () => {
    open();
    await screen.findByText("3 techniques seen, 1 of them as predicted; 2 may come next");
    const [scan, , command] = list("Seen, in order of time");
    expect(scan).toContain("T0846 Remote System Discovery");
    expect(command).toContain("25 s later");
    expect(command).toContain("north · 2 alerts · predicted with 16 % after T0840");
    const [first] = list("May come next");
    expect(first).toContain("T0831 Manipulation of Control");
    expect(first).toContain("after T0855");
    expect(first).toContain("21 %");
    await screen.findByText("The graph could not be drawn. The lists below say the same."); // here, where there is no canvas
  });

  test("choose a technique by keyboard, and the focus comes back", async () => {
    const { user } = open();
    const row = await screen.findByRole("link", { name: /T0831/ });
    row.focus();
    await user.keyboard("{Enter}");
    expect(where()).toBe("/attack-graph?technique=T0831");
    await panel().findByRole("heading", { name: "T0831 Manipulation of Control" });
    await user.keyboard("{Escape}");
    expect(where()).toBe("/attack-graph");
    await waitFor(() => expect(document.activeElement).toBe(row));
  });
});

describe("live", () => {
  test("a prediction that comes true changes how its technique stands, and is said", async () => {
    const { hear } = open("/attack-graph?technique=T0831");
    await screen.findByText("3 techniques seen, 1 of them as predicted; 2 may come next");
    await waitFor(() => expect(panel().getByTestId("standing").textContent).toBe("Predicted"));
    answers["/api/mitre/graph"] = cameTrue();
    await hear(created(alert().build()));
    await screen.findByText("4 techniques seen, 2 of them as predicted; 1 may come next", undefined, { timeout: 5_000 });
    expect(panel().getByTestId("standing").textContent).toBe("Seen as predicted");
    expect(list("Seen, in order of time").at(-1)).toContain("predicted with 21 % after T0855");
    expect(screen.getByTestId("news").textContent).toContain("A prediction has come true: T0831 Manipulation of Control was seen.");
  });

  test("news are what was seen since, what was predicted last", () => {
    expect(arrived(attack(), attack())).toEqual([]);
    expect(arrived({ nodes: [], links: [] }, cameTrue()).map((n) => `${n.id} ${n.foreseen}`)).toEqual(["T0846 false", "T0840 false", "T0855 true", "T0831 true"]);
  });
});

describe("the matrix", () => {
  test("says how often each technique was seen, and how likely it is, in words", async () => {
    open("/attack-graph?view=matrix");
    const grid = within(await screen.findByRole("grid", { name: "ATT&CK for ICS 18.1" }));
    expect(grid.getAllByRole("columnheader").map((h) => h.textContent)).toEqual(["Discovery2 seen", "Collection0 seen", "Impair Process Control1 seen", "Impact0 seen"]);
    expect(grid.getByRole("link", { name: /T0855/ }).textContent).toContain("Seen as predicted, 2 alerts");
    expect(grid.getByRole("link", { name: /T0831/ }).textContent).toContain("Predicted 21 %");
    expect(grid.getByRole("link", { name: /T0801/ }).textContent).toBe("T0801 Technique T0801");
  });

  test("is one stop of the Tab key, and arrows go through it", async () => {
    const { user } = open("/attack-graph?view=matrix");
    const grid = within(await screen.findByRole("grid"));
    expect(grid.getAllByRole("link").filter((a) => a.tabIndex === 0).map((a) => a.dataset.technique)).toEqual(["T0840"]);
    grid.getByRole("link", { name: /T0840/ }).focus();
    const at = () => (document.activeElement as HTMLElement).dataset.technique;
    for (const [key, want] of [["ArrowDown", "T0842"], ["ArrowDown", "T0846"], ["ArrowDown", "T0846"], ["ArrowRight", "T0801"], ["ArrowLeft", "T0840"], ["End", "T0828"], ["ArrowDown", "T0831"], ["ArrowRight", "T0831"], ["Home", "T0842"]] as const) {
      await user.keyboard(`{${key}}`);
      expect(at(), key).toBe(want);
    }
    await user.keyboard("{End}{ArrowDown}{Enter}");
    expect(where()).toBe("/attack-graph?view=matrix&technique=T0831");
  });

  test("leaves out what was neither seen nor predicted, where that is wanted", async () => {
    const { user } = open("/attack-graph?view=matrix");
    await user.click(await screen.findByRole("checkbox", { name: "Only what was seen or predicted" }));
    expect(where()).toBe("/attack-graph?view=matrix&cells=marked");
    expect(screen.getAllByRole("columnheader").map((h) => h.textContent)).toEqual(["Discovery2 seen", "Impair Process Control1 seen", "Impact0 seen"]);
    expect(screen.queryByRole("link", { name: /T0842/ })).toBeNull();
  });
});

describe("the technique", () => {
  test("says what a prediction of it rests on, and what became of the others", async () => {
    const why = [{ kind: "campaign", id: "C0025", name: "2016 Ukraine Electric Power Attack", share: 0.34, path: ["T0855", "C0025", "T0831"], seen: ["T0855"] }];
    const predicted = (status: "open" | "expired" | "validated", probability: number, observed_in: string | null = null) => {
      const p = prediction({ status });
      return { ...p, predicted_techniques: [{ ...p.predicted_techniques[1]!, probability, why, observed_in, observed_at: observed_in && p.timestamp }] };
    };
    answers["/api/predictions"] = { predictions: [predicted("expired", 0.9), predicted("open", 0.21), predicted("validated", 0.3, "01930a7e-3c00-7abc-8def-0123456789ab")] };
    open("/attack-graph?technique=T0831&facility=north");
    const best = await panel().findByTestId("prediction");
    expect(best.textContent).toContain("21 %, rank 2 Open");
    expect(best.textContent).toContain("Campaign 2016 Ukraine Electric Power Attack C0025 weight 34 %, has 1 technique of those seen");
    expect(best.textContent).toContain("T0855 → 2016 Ukraine Electric Power Attack → T0831");
    expect(panel().getByText("Came true")).toBeTruthy();
    expect(panel().getByText("Did not come")).toBeTruthy();
    expect(panel().getByRole("link", { name: /^seen / }).getAttribute("href")).toBe("/alerts?id=01930a7e-3c00-7abc-8def-0123456789ab");
    expect(asked).toContain("/api/predictions?technique=T0831,T1690&facility=north&limit=20");
    const path = [...panel().getByTestId("path").children].map((li) => li.textContent);
    expect(path).toEqual(["T0846 Remote System Discovery", "↳ T0840 Network Connection Enumeration was seen next", "↳ T0855 Unauthorized Command Message was seen next, as predicted, 16 %", "↳ T0831 Manipulation of Control may come next, 21 %"]);
  });

  test("names the alerts that showed it, who used it, what helps, and what it is aimed at", async () => {
    const one = alert().at("10.0.0.11").build();
    answers["/api/alerts"] = { ...page([one]), total: 12 };
    open("/attack-graph?technique=T0855&time_range=24h");
    const link = await panel().findByRole("link", { name: one.title });
    expect(link.getAttribute("href")).toBe(`/alerts?id=${one.id}`);
    expect(panel().getByRole("link", { name: "All 12 alerts" }).getAttribute("href")).toBe("/alerts?status=new,acknowledged,resolved&technique=T0855&time_range=24h&muted=false");
    for (const words of ["2016 Ukraine Electric Power Attack", "Industroyer", "Sandworm Team", "Communication Authenticity", "Programmable Logic Controller", "Network Traffic Content", "What MITRE says."]) {
      expect(panel().getAllByText(words, { exact: false }).length, words).toBeGreaterThan(0);
    }
  });

  test("that does not exist says so", async () => {
    open("/attack-graph?technique=T9999");
    await panel().findByText("the reason for 404");
    expect(panel().getByRole("heading", { name: "There is no such technique" })).toBeTruthy();
  });

  test("that is likeliest and open comes first, then one that came true", () => {
    const of = (status: "open" | "expired" | "validated", probability: number, observed_at: string | null = null) => {
      const p = prediction({ status });
      return { ...p, predicted_techniques: [{ ...p.predicted_techniques[0]!, probability, observed_at }] };
    };
    const order = (...predictions: ReturnType<typeof of>[]) => saidOf(predictions, ["T0855"]).map((s) => s.technique.probability);
    expect(order(of("expired", 0.9), of("validated", 0.5, "2026-03-04T05:00:00Z"), of("open", 0.1), of("open", 0.2))).toEqual([0.2, 0.9, 0.5, 0.1]);
    expect(order(of("expired", 0.9), of("validated", 0.5, "2026-03-04T05:00:00Z"))).toEqual([0.5, 0.9]);
    expect(saidOf([prediction()], ["T0000"])).toEqual([]);
  });
});

describe("the URL", () => {
  test.each(["/attack-graph", "/attack-graph?view=matrix&cells=marked&facility=north,south&search=command&time_range=24h&technique=T0855", "/attack-graph?time_range=all", "/attack-graph?from=2026-03-01T00%3A00%3A00.000Z"])("%s says it all", (url) => {
    const again = format(parse(url.split("?")[1] ?? ""));
    expect(parse(again.split("?")[1] ?? "")).toEqual(parse(url.split("?")[1] ?? ""));
    expect([...new URLSearchParams(again.split("?")[1])].sort()).toEqual([...new URLSearchParams(url.split("?")[1])].sort());
  });

  test("decides what is asked for", async () => {
    const { user } = open("/attack-graph?facility=north&time_range=all");
    await screen.findByText(/3 techniques seen/);
    expect(asked).toContain("/api/mitre/graph?facility=north&span=all");
    await user.click(screen.getByRole("button", { name: /Time|All times/ }));
    await user.click(screen.getByRole("button", { name: "Last 24 hours" }));
    await waitFor(() => expect(asked).toContain("/api/mitre/graph?facility=north&time_range=24h"));
    await user.click(screen.getByRole("link", { name: "Matrix" }));
    await waitFor(() => expect(asked).toContain("/api/mitre/matrix?facility=north&time_range=24h"));
    await user.click(screen.getByRole("button", { name: "Export" }));
    expect(screen.getByRole("link", { name: /Navigator layer/ }).getAttribute("href")).toBe("/api/mitre/layer?facility=north&time_range=24h");
  });

  test("keeps what is looked for, and Enter opens the first that is found", async () => {
    const { user } = open();
    const box = await screen.findByRole("searchbox");
    await screen.findByText(/3 techniques seen/);
    await user.type(box, "manip");
    await waitFor(() => expect(where()).toBe("/attack-graph?search=manip"));
    await screen.findByText("1 technique matches");
    await user.keyboard("ulation{Enter}"); // faster than it is looked for
    expect(where()).toBe("/attack-graph?technique=T0831&search=manipulation");
  });
});

describe("nothing to show", () => {
  test("says what to do next", async () => {
    answers["/api/mitre/graph"] = { nodes: [], links: [] };
    open();
    await screen.findByRole("heading", { name: "No technique was seen" });
    expect(screen.getByRole("link", { name: "Go to the alerts" })).toBeTruthy();
  });

  test("in a filter, offers to leave it", async () => {
    answers["/api/mitre/graph"] = { nodes: [], links: [] };
    const { user } = open("/attack-graph?facility=south");
    await user.click(await screen.findByRole("button", { name: "Clear filters" }));
    expect(where()).toBe("/attack-graph");
  });

  test("because it could not be loaded, says why, and can be tried again", async () => {
    answers["/api/mitre/graph"] = 503;
    const { user } = open();
    await waitFor(() => expect(screen.getByRole("alert").textContent).toContain("the reason for 503"));
    answers["/api/mitre/graph"] = attack();
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByText(/3 techniques seen/);
  });
});

test("the picture marks in words and shapes what is seen, foreseen and predicted", () => {
  const drawn = elements(attack()).map((e) => e.data.label as string | undefined);
  expect(drawn).toEqual(["● T0846  1 alert\nRemote System Discovery", "● T0840  1 alert\nNetwork Connection Enumeration", "✓ T0855  2 alerts, 16 %\nUnauthorized Command Message", "◇ T0831  21 %\nManipulation of Control", "◇ T0828  4.2 %\nLoss of Productivity and Revenue", ...Array<undefined>(5).fill(undefined)]);
});
