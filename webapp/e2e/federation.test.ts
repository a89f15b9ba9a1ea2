import { describe, expect, test } from "vitest";

import type { ModelPage } from "../lib/models";
import type { EndedRound, Round } from "../lib/rounds";
import { gone, sizes } from "./browser";
import { stage } from "./stage";

const { server, browser } = await stage();

const card = (name: string) => browser.page.getByRole("region", { name, exact: true });
const client = (id: string) => browser.page.locator(`[data-client="${id}"]`);
const progress = () => browser.page.getByTestId("progress");
const rows = () => card("History").locator("tr[data-round]");

async function go(path = "/fl-status") {
  await browser.page.goto(server.url + path);
  await browser.page.locator("[data-state=live]").waitFor();
}

const soon = { timeout: 5_000 };
const report = (id: number, body: object) => server.ask<Round>(`/api/fl/rounds/${id}/progress`, "PUT", body);

test("before the first round it says what a round needs", async () => {
  await go();
  await card("Current round").getByText("No round yet").waitFor();
  await card("Clients").getByText(/^No client yet/).waitFor();
  await browser.picture("federation-empty");
  await browser.expectAccessible();
});

test("a round that another engine reports moves by itself, to its end", async () => {
  const { page } = browser;
  await go();
  await page.evaluate(() => Object.assign(window, { same: true }));
  const clients = [
    { id: "north", facility_id: "north", status: "active", progress: 20, current_epoch: 1, total_epochs: 5, loss: 0.4, accuracy: 0.8 },
    { id: "south", facility_id: "south", name: "South works", status: "delayed", progress: 0, current_epoch: 0, total_epochs: 5 },
  ];
  await report(1, { round_number: 1, phase: "distributing", progress: 0, clients });
  await card("Current round").getByText("Round 1").waitFor();
  await client("south").getByText("Delayed").waitFor();

  await report(1, { round_number: 1, phase: "training", progress: 42, epsilon: 0.7, delta: 1e-5, privacy_budget_remaining: 7.3, data_size: 123_456, encryption: "TLS 1.3" });
  await expect.poll(() => progress().innerText(), soon).toBe("42 %");
  await page.locator("[data-phase=training][data-state=now]").waitFor();
  await card("Privacy and traffic").getByText("123.5 kB").waitFor();
  await card("Privacy and traffic").getByText("91.3 % of the budget").waitFor();

  await server.ask("/api/fl/clients/south", "PUT", { facility_id: "south", name: "South works", status: "active", progress: 60, current_epoch: 3, total_epochs: 5, loss: 0.31, accuracy: 0.88 });
  await client("south").getByText("3 of 5").waitFor();
  await client("south").getByText("88 %").waitFor();
  await browser.picture("federation-round");

  await server.ask("/api/fl/rounds/1/complete", "POST", { status: "completed" });
  await card("Last round").getByText("Completed").waitFor();
  await expect.poll(() => rows().count(), soon).toBe(1);
  await page.goto(`${server.url}/`);
  await card("Federated learning").getByText("Round 1").waitFor();
});

test("a round that is started here trains, finishes and gives models that can be gone back to", async () => {
  const { page } = browser;
  // Two facilities with enough of normal operation to train on: the demo's, whose round trains once already.
  await server.ask("/api/demo/scenarios/fl-round", "POST", { speed: "max" });
  await go();
  await expect.poll(() => rows().count(), { timeout: 60_000 }).toBe(2);

  await page.getByRole("button", { name: "Start a round" }).click();
  await page.getByRole("dialog").getByText(/clients are known/).waitFor();
  await browser.picture("federation-start");
  await browser.expectAccessible();
  await page.getByRole("dialog").getByRole("button", { name: "Start" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByText("Round 3", { exact: true }).first().waitFor();
  await expect.poll(() => rows().count(), { timeout: 60_000 }).toBe(3);
  await card("Last round").getByText("Completed").waitFor();

  const [newest] = await server.ask<EndedRound[]>("/api/fl/rounds/history");
  expect(newest).toMatchObject({ round_number: 3, status: "completed" });
  expect(await rows().first().innerText()).toContain(newest!.clients);
  expect(await card("Over the rounds").getByRole("slider", { name: /Accuracy/ }).getAttribute("aria-valuetext")).toMatch(/^Round 3: [\d.]+ %$/);
  await browser.picture("federation-completed");

  const { models } = await server.ask<ModelPage>("/api/models?limit=50");
  const before = models.find((m) => !m.active && m.source === "federation")!;
  const older = page.getByRole("button", { name: "Older versions" });
  const use = page.getByRole("button", { name: `Use this one: version ${before.version} at ${before.facility_id}`, exact: true });
  while (!(await use.count()) && (await older.count())) await older.click();
  await use.click();
  await page.getByRole("dialog").getByRole("button", { name: "Use it" }).click();
  await page.locator(`[data-model="${before.version}"]`).getByText("In use").waitFor();
  const after = await server.ask<ModelPage>("/api/models?limit=50");
  expect(after.models.find((m) => m.version === before.version)!.active).toBe(true);
});

test("a server that is started again under the open page loses nothing of it", async () => {
  const { page } = browser;
  browser.expected = gone;
  await go();
  await expect.poll(() => rows().count(), soon).toBe(3);
  await server.halt("SIGKILL");
  await page.getByTestId("offline").waitFor();
  await server.begin();
  await report(4, { round_number: 4, phase: "training", progress: 10 });
  await page.locator("[data-state=live]").waitFor();
  await card("Current round").getByText("Round 4").waitFor();
  expect(await rows().count()).toBe(3);
  await server.ask("/api/fl/rounds/4/complete", "POST", { status: "failed", reason: "the power failed" });
  await card("Last round").getByText("the power failed").waitFor();
  await expect.poll(() => rows().count(), soon).toBe(4);
});

test("the history's filters are in the address, and a reload keeps them", async () => {
  const { page } = browser;
  await go();
  await page.getByRole("button", { name: "Failed", exact: true }).click();
  await page.waitForURL("**/fl-status?status=failed");
  await expect.poll(() => rows().count(), soon).toBe(1);
  await page.reload();
  await expect.poll(() => rows().count(), soon).toBe(1);
  await page.goBack();
  await expect.poll(() => rows().count(), soon).toBe(4);
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("axe finds nothing wrong on a %s screen, and nothing is cut off", async (size) => {
    const { page } = browser;
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize(sizes[size]);
    await go();
    await rows().first().waitFor();
    await page.locator("tr[data-model]").first().waitFor();
    await card("Over the rounds").getByRole("slider").first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    await browser.picture(`federation-${size}-${theme}`);
    await browser.expectAccessible();
  });
});
