import { readFile } from "node:fs/promises";

import { describe, expect, test } from "vitest";

import type { AttackGraph, AttackMatrix } from "../lib/attack";
import type { DemoState } from "../lib/demo";
import type { Prediction } from "../lib/predictions";
import { sizes } from "./browser";
import { stage } from "./stage";

const { server, browser } = await stage();

async function go(query = "") {
  await browser.page.goto(`${server.url}/attack-graph${query}`);
  await browser.page.locator("[data-state=live]").waitFor();
}

const canvas = () => browser.page.getByTestId("graph");
/** drawn is what Cytoscape.js holds: `T0855:predicted`. */
const drawn = async () => ((await canvas().locator("[data-drawn]").getAttribute("data-drawn")) ?? "").split(" ");
const list = (name: string) => browser.page.getByRole("list", { name, exact: true });
const panel = () => browser.page.getByRole("dialog");
const graph = () => server.ask<AttackGraph>("/api/mitre/graph");

test("where nothing was seen yet it says how that changes", async () => {
  await go();
  await browser.page.getByRole("heading", { name: "No technique was seen" }).waitFor();
  await browser.expectAccessible();
});

test("a prediction is validated on the graph, without a reload", { timeout: 180_000 }, async () => {
  const { page } = browser;
  await go();
  await page.evaluate(() => Object.assign(window, { same: true }));
  await server.ask("/api/demo/scenarios/multi-stage", "POST", {});

  // First it is predicted: on the graph, and in the list of what may come.
  const awaited = list("May come next").getByRole("link", { name: /T0855/ });
  await awaited.waitFor({ timeout: 60_000 });
  await expect.poll(drawn, { timeout: 10_000 }).toContain("T0855:predicted");
  await awaited.click();
  await expect.poll(() => panel().getByTestId("standing").innerText()).toBe("Predicted");
  const [open] = (await server.ask<{ predictions: Prediction[] }>("/api/predictions?technique=T0855&status=open")).predictions;
  const rank = open!.predicted_techniques.find((t) => t.technique_id === "T0855")!;
  await expect.poll(() => panel().getByTestId("prediction").innerText()).toContain(`${Math.round(rank.probability * 100)} %, rank ${rank.rank}`);
  expect(await panel().getByTestId("prediction").innerText()).toContain(rank.why![0]!.name);
  await browser.picture("attack-graph-predicted");

  // Then it comes.
  await expect.poll(drawn, { timeout: 60_000 }).toContain("T0855:foreseen");
  await page.getByTestId("news").getByText(/A prediction has come true: T\d{4}/).waitFor();
  await expect.poll(() => panel().getByTestId("standing").innerText()).toBe("Seen as predicted");
  await panel().getByTestId("shown-in").getByRole("link").first().waitFor();
  await list("Seen, in order of time").locator("[data-standing=foreseen]", { hasText: "T0855" }).getByText(/predicted with [\d.]+ % after T\d{4}/).waitFor();
  await expect.poll(drawn, { timeout: 60_000 }).toContain("T0831:foreseen");
  expect(await page.evaluate(() => "same" in window)).toBe(true);
  await expect.poll(async () => (await server.ask<DemoState>("/api/demo/status")).scenarios[0]!.status, { timeout: 60_000, interval: 500 }).toBe("completed");
});

test("graph, lists and matrix say what the API says", async () => {
  const { page } = browser;
  const { nodes } = await graph();
  await go();
  await expect.poll(async () => (await drawn()).map((d) => d.split(":")[0]).sort()).toEqual(nodes.map((n) => n.id).sort());
  const seen = nodes.filter((n) => n.type === "current").sort((a, b) => Date.parse(a.first_seen!) - Date.parse(b.first_seen!));
  expect(await list("Seen, in order of time").getByRole("link").evaluateAll((all) => all.map((a) => (a as HTMLElement).dataset.technique))).toEqual(seen.map((n) => n.id));
  await page.getByRole("link", { name: "Matrix", exact: true }).click();
  await page.waitForURL("**/attack-graph?view=matrix");
  await page.getByRole("grid").waitFor();
  const { tactics } = await server.ask<AttackMatrix>("/api/mitre/matrix?span=recent");
  const cells = await page.getByRole("grid").getByRole("link").evaluateAll((all) => all.map((a) => a.textContent));
  expect(cells.length).toBe(tactics.reduce((n, t) => n + t.techniques.length, 0));
  for (const { id, alerts, predictions } of tactics.flatMap((t) => t.techniques)) {
    const cell = cells.find((c) => c.startsWith(id))!;
    if (alerts) expect(cell, id).toContain(alerts === 1 ? "1 alert" : `${alerts} alerts`);
    else expect(cell, id).not.toContain("alert");
    expect(cell.includes("Predicted "), id).toBe(predictions > 0);
  }
});

describe("a technique is chosen", () => {
  test("by keyboard in the graph, and its alerts are a step away", async () => {
    const { page } = browser;
    await go();
    await expect.poll(drawn).not.toEqual([""]);
    await canvas().focus();
    const said = canvas().locator("xpath=following-sibling::*[@role='status']");
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => said.innerText()).toMatch(/^T\d{4} .+: Seen, \d+ alert/);
    const before = await said.innerText();
    for (const key of ["ArrowRight", "ArrowDown"]) await page.keyboard.press(key); // one of them, as the graph lies
    await expect.poll(() => said.innerText()).not.toBe(before);
    const id = /^T\d{4}/.exec(await said.innerText())![0];
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/attack-graph?technique=${id}`);
    await panel().getByRole("heading", { name: new RegExp(`^${id}`) }).waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => canvas().evaluate((e) => e === document.activeElement)).toBe(true);

    await page.goto(`${server.url}/attack-graph?technique=T0855`);
    const alert = panel().getByTestId("shown-in").getByRole("link").first();
    await alert.focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/alerts?id=*");
    await page.getByRole("dialog").getByRole("region", { name: "Techniques" }).getByRole("link", { name: /^T0855/ }).click();
    await page.waitForURL("**/attack-graph?technique=T0855");
    await panel().getByRole("heading", { name: /^T0855/ }).waitFor();
  });

  test("by the pointer on the canvas", async () => {
    const { page } = browser;
    await go();
    await expect.poll(drawn).not.toEqual([""]);
    const box = (await canvas().boundingBox())!;
    // A hand shows where there is something to choose.
    const hand = () => canvas().locator("[data-drawn]").evaluate((e) => (e as HTMLElement).style.cursor === "pointer");
    const places = Array.from({ length: 400 }, (_, i) => [((i % 20) + 0.5) / 20, (Math.floor(i / 20) + 0.5) / 20] as const);
    for (const [x, y] of places) {
      await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
      if (await hand()) break;
    }
    expect(await hand()).toBe(true);
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForURL(/technique=T\d{4}/);
  });

  test("by what one looks for", async () => {
    const { page } = browser;
    await go();
    await page.getByRole("searchbox").fill("manipulation of control");
    await page.getByText("1 technique matches").waitFor();
    await page.keyboard.press("Enter");
    await panel().getByRole("heading", { name: "T0831 Manipulation of Control" }).waitFor();
    const steps = await panel().getByTestId("path").getByRole("link").allInnerTexts();
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.at(-1)).toContain("T0831");
  });
});

test("facility and time narrow it down, in the URL", async () => {
  const { page } = browser;
  await go("?facility=nowhere");
  await page.getByRole("heading", { name: "No technique was seen" }).waitFor();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect.poll(drawn).not.toEqual([""]);
  await page.getByRole("button", { name: "Time", exact: true }).click();
  await page.getByRole("button", { name: "Last 24 hours" }).click();
  await page.waitForURL("**/attack-graph?time_range=24h");
  await expect.poll(() => page.getByTestId("summary").innerText()).toMatch(/^\d+ techniques seen/);
  await go("?to=2020-01-01T00:00:00Z");
  await page.getByRole("heading", { name: "No technique was seen" }).waitFor();
});

test("it leaves as a layer of the Navigator and as a picture", async () => {
  const { page } = browser;
  await go();
  await expect.poll(drawn).not.toEqual([""]);
  const download = async (act: () => Promise<void>) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [file] = await Promise.all([page.waitForEvent("download"), act()]);
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) };
  };
  const layer = await download(() => page.getByRole("link", { name: /Navigator layer/ }).click());
  expect(layer.name).toBe("breakwater-layer.json");
  const { domain, techniques } = JSON.parse(layer.bytes.toString()) as { domain: string; techniques: { techniqueID: string }[] };
  expect(domain).toBe("ics-attack");
  expect([...new Set(techniques.map((t) => t.techniqueID))].sort()).toEqual((await graph()).nodes.map((n) => n.id).sort());
  const picture = await download(() => page.getByRole("button", { name: /Picture/ }).click());
  expect(picture.name).toBe("breakwater-attack-graph.png");
  expect(picture.bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(picture.bytes.readUInt32BE(16), "width").toBeGreaterThan(400);
  expect(picture.bytes.length).toBeGreaterThan(5_000);
});

test("is accessible and fits, in both themes, on every screen", { timeout: 180_000 }, async () => {
  const { page } = browser;
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      for (const [name, query] of [["graph", ""], ["technique", "?technique=T0831"], ["matrix", "?view=matrix"]] as const) {
        await go(query);
        await (name === "technique" ? panel().getByTestId("path") : name === "graph" ? canvas().locator("[data-drawn]") : page.getByRole("grid")).waitFor({ state: "attached" });
        await browser.expectAccessible();
        expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), `${name} at ${size}`).toBeLessThanOrEqual(0);
        await browser.picture(`attack-${name}-${size}-${colorScheme}`);
      }
    }
  }
  await page.emulateMedia({ colorScheme: null });
});
