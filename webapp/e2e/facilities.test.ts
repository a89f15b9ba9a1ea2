import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, inject, test } from "vitest";

import type { Asset, AssetDetail, Talk } from "../lib/assets";
import { sizes } from "./browser";
import { stage } from "./stage";

const { server, browser } = await stage();

async function go(path = "/facilities") {
  await browser.page.goto(server.url + path);
  await browser.page.locator("[data-state=live]").waitFor();
}

const assets = async (query = "") => (await server.ask<{ assets: Asset[]; total: number }>(`/api/assets?limit=200${query}`));
const talks = (facility: string) => server.ask<{ conversations: Talk[]; total: number }>(`/api/facilities/${facility}/conversations?limit=2000`);
const rows = () => browser.page.getByRole("list", { name: "Assets" }).getByRole("listitem");
const card = (name: string) => browser.page.getByRole("region", { name, exact: true }).first();
const map = () => browser.page.getByTestId("map");

test("where nothing was seen yet it says how that changes", async () => {
  await go();
  await browser.page.getByRole("heading", { name: "No assets yet" }).waitFor();
  await browser.picture("facilities-empty");
  await browser.expectAccessible();
});

test("assets appear by themselves, as the API has them", async () => {
  const { page } = browser;
  await go();
  await server.replay(inject("captures").three, "--facility", "north", "--now");
  const { assets: all, total } = await assets();
  expect(total).toBeGreaterThan(5);
  await expect.poll(() => page.getByTestId("total").innerText(), { timeout: 25_000 }).toBe(`${total} assets`);
  expect(await rows().locator("a").allInnerTexts()).toEqual(all.map((a) => a.ip ?? a.mac));
  expect(await card("Facilities").locator("[data-facility=north]").innerText()).toContain("Active");
});

test("a facility is chosen, its assets narrowed down, and all of it is in the URL", async () => {
  const { page } = browser;
  await go();
  await card("Facilities").getByRole("link", { name: "north" }).click();
  await page.waitForURL("**/facilities?facility=north");
  await card("north").getByText("what is normal here").waitFor();
  await page.getByRole("button", { name: "Kind", exact: true }).click();
  await page.getByRole("checkbox", { name: "Controller" }).check();
  await page.waitForURL("**/facilities?facility=north&role=controller");
  await page.keyboard.press("Escape");
  const { total } = await assets("&role=controller");
  await page.getByText(`${total} assets in this filter`).waitFor();
  await page.getByRole("searchbox", { name: "Search assets" }).fill(".11");
  await page.getByText("1 asset in this filter").waitFor();
  await page.reload();
  await page.getByText("1 asset in this filter").waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export CSV" }).click();
  const lines = (await (await download).createReadStream().then((s) => s.toArray())).join("").trim().split("\n");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^north,10\.0\.0\.11,/);
});

test("names come from a file, and show at once", async () => {
  const { page } = browser;
  await go("/facilities?facility=north");
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(join(tmpdir(), "breakwater-names-"));
  try {
    await writeFile(join(folder, "names.csv"), "ip;name;zone\n10.0.0.2;HMI control room;Level 2\n10.0.0.11;PLC tank 1;L1 cell 3\n10.0.0.300;no;\n");
    await page.getByRole("button", { name: "Import names" }).click();
    await page.getByLabel("CSV file").setInputFiles(join(folder, "names.csv"));
    await page.getByRole("button", { name: "Import", exact: true }).click();
    await page.getByText("2 assets named.").waitFor();
    await page.getByText(/^Line 4 .*not an IP address/).waitFor();
    await browser.picture("facilities-import");
    await browser.expectAccessible();
    await page.getByRole("button", { name: "Close" }).click();
    await rows().getByText("PLC tank 1").waitFor();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("an asset's page is what was seen of it, and leads to its alerts", async () => {
  const { page } = browser;
  await go("/facilities?facility=north");
  await rows().getByText("PLC tank 1").click();
  await page.getByRole("heading", { level: 1, name: "PLC tank 1" }).waitFor();
  const want = await server.ask<AssetDetail>("/api/facilities/north/assets/10.0.0.11");
  const uses = want.conversations.filter((c) => c.server === "10.0.0.11").flatMap((c) => c.functions ?? []);
  const asked = card("Functions asked of it");
  const reads = uses.filter((u) => u.function === 3 && u.name === "read holding registers").reduce((n, u) => n + u.count, 0);
  expect(reads).toBeGreaterThan(100);
  const row = asked.getByRole("row", { name: /modbus 3 / });
  expect((await row.getByRole("cell").allInnerTexts()).slice(0, 4)).toEqual(["modbus 3", "read holding registers", "Read", reads.toLocaleString("en")]);
  await asked.getByRole("row", { name: /modbus 5 .*Write/ }).waitFor();
  const [first] = want.newest_alerts;
  expect(first, "an alert about the controller").toBeDefined();
  await card("Alerts about it").getByRole("link", { name: first!.title }).first().click();
  await page.getByRole("dialog").locator("article").waitFor();
  await page.goBack();
  await card("Who it talks with").getByRole("link", { name: "10.0.0.57" }).click();
  await page.getByRole("heading", { level: 1, name: "10.0.0.57" }).waitFor();
  await page.getByRole("textbox", { name: "Name" }).fill("Unknown laptop");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Unknown laptop" }).waitFor();
});

test("the map shows who writes to whom; by keyboard to a host, its line and its page", async () => {
  const { page } = browser;
  await go("/facilities?view=map&facility=north");
  const { conversations } = await talks("north");
  const pairs = new Set(conversations.map((c) => `${c.client}~${c.server}`));
  await map().waitFor();
  expect(new Set(await map().locator("[data-line]").evaluateAll((all) => all.map((g) => g.getAttribute("data-line"))))).toEqual(pairs);
  expect(await map().locator("[data-line='10.0.0.57~10.0.0.11']").innerHTML()).toContain(">P<"); // it was scanned for every function
  expect(await map().locator("[data-line='10.0.0.2~10.0.0.11']").innerHTML()).toContain(">W<");
  expect(await map().locator("[data-line='10.0.0.5~10.0.0.11']").innerHTML()).not.toContain("<text");
  await map().locator("[data-host='10.0.0.57']").focus();
  await page.keyboard.press("Enter");
  const chosen = page.getByRole("complementary", { name: "Chosen" });
  await chosen.getByRole("heading", { name: "Unknown laptop" }).waitFor();
  await chosen.getByRole("button", { name: /PLC tank 1/ }).focus();
  await page.keyboard.press("Enter");
  await chosen.getByRole("heading", { name: "Unknown laptop → PLC tank 1" }).waitFor();
  await chosen.getByText("write single coil").waitFor();
  await browser.picture("facilities-map-chosen");
  await browser.expectAccessible();
  await chosen.getByRole("link", { name: "PLC tank 1" }).click();
  await page.getByRole("heading", { level: 1, name: "PLC tank 1" }).waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Table" }).click();
  await expect.poll(() => page.getByRole("table", { name: "Conversations" }).getByRole("row").count()).toBe(conversations.length + 1);
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  const pages = {
    list: "/facilities?facility=north",
    all: "/facilities",
    asset: "/facilities?facility=north&asset=10.0.0.11",
    map: "/facilities?view=map&facility=north",
  };
  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("axe finds nothing wrong on a %s screen, and nothing is cut off", async (size) => {
    const { page } = browser;
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize(sizes[size]);
    for (const [name, path] of Object.entries(pages)) {
      await go(path);
      await (name === "map" ? map().locator("[data-host]").first() : name === "asset" ? card("Functions asked of it").getByRole("row").nth(1) : rows().first()).waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), name).toBe(0);
      await browser.picture(`facilities-${name}-${size}-${theme}`);
      await browser.expectAccessible();
    }
  });
});

test("ten thousand assets and two thousand conversations stay quick, and what is left out is told", async () => {
  const { page } = browser;
  await page.emulateMedia({ colorScheme: "light" });
  const at = new Date(Date.UTC(2026, 2, 1, 8)).toISOString();
  const ip = (n: number) => `10.20.${Math.floor(n / 250)}.${1 + (n % 250)}`;
  const batch = (from: number) => ({
    facility_id: "large",
    assets: Array.from({ length: 250 }, (_, i) => ({
      facility_id: "large", ip: ip(from + i), role: "controller", traits: ["answers"], protocols: ["modbus"], peers: [], vendor: "", name: "", zone: "", first_seen: at, last_seen: at,
    })),
    talks:
      from < 2_000
        ? Array.from({ length: 250 }, (_, i) => ({
            facility_id: "large", client: `10.19.0.${1 + (i % 20)}`, server: ip(from + i), protocol: "modbus", port: 502, first_seen: at, last_seen: at, count: 5 + i,
            functions: [{ function: i % 9 ? 3 : 16, name: i % 9 ? "read holding registers" : "write multiple registers", class: i % 9 ? "read" : "write", count: 5 + i, exceptions: 0 }],
          }))
        : [],
  });
  for (let from = 0; from < 10_000; from += 250) {
    const tally = await server.ask<{ accepted: number; errors: { detail: string }[] }>("/api/ingest/batches", "POST", [batch(from)]);
    expect(tally).toMatchObject({ accepted: 1 });
  }
  await go("/facilities?facility=large");
  await page.getByText("10,000 assets", { exact: true }).waitFor();
  expect(await rows().count()).toBeLessThan(80);
  // To the end, page after page, as a wheel does it.
  await expect
    .poll(
      async () => {
        await page.evaluate(() => window.scrollTo({ top: document.documentElement.scrollHeight }));
        return page.getByText("That is all: 10,000 assets.").count();
      },
      { timeout: 60_000 },
    )
    .toBe(1);
  expect(await rows().count()).toBeLessThan(80);
  await rows().getByText(ip(9_999)).waitFor();

  await go("/facilities?view=map&facility=large");
  await page.getByText("2,020 hosts, 2,000 pairs that talk").waitFor();
  await page.getByText(/lines? with the fewest messages are not drawn|hosts are put together/).waitFor();
  expect(await map().locator("[data-line]").count()).toBeLessThanOrEqual(160);
  expect(await map().locator("[data-host]").count()).toBeLessThan(80);
  await browser.picture("facilities-map-large");
  await browser.expectAccessible();
  await page.getByRole("searchbox", { name: "Find a host" }).fill(ip(1_777));
  await map().locator(`[data-host='${ip(1_777)}']`).waitFor();
});
