// Triage as two analysts do it at the same time, by pointer and by keyboard alone.

import { readFile } from "node:fs/promises";
import type { Page, Route } from "playwright-core";
import { beforeEach, describe, expect, inject, test } from "vitest";

import { sizes } from "./browser";
import { pause } from "./breakwater";
import { stage } from "./stage";
import { storm } from "./storm";

const captures = inject("captures");

const { server, browser } = await stage();

const live = (page: Page) => page.locator("[data-state=live]").waitFor();
const row = (page: Page, id: string) => page.locator("li[data-row]").filter({ has: page.locator(`a[data-alert="${id}"]`) });

/** ofFacility is the alerts of a facility, newest first. */
const ofFacility = async (id: string) => (await server.alerts(`facility=${id}&limit=200`)).alerts;

/** person is what people did with an alert. */
const person = async (id: string) => (await server.alert(id)).history!.filter((l) => l.kind !== "detection").map((l) => l.text);

test("a replayed attack appears, is found, filtered, and acknowledged in one window: a second window shows it", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts`);
  await live(page);
  const second = await page.context().newPage();
  await second.goto(`${server.url}/alerts?sort=-severity`);
  await live(second);

  await server.replay(captures.three, "--facility", "north");
  const written = (await ofFacility("north")).find((a) => a.techniques!.includes("T0855"))!;
  await row(page, written.id).waitFor();
  await row(second, written.id).waitFor();

  await page.getByRole("searchbox", { name: "Search alerts" }).fill(written.title.split(" ").slice(-2).join(" "));
  await page.waitForURL("**/alerts?search=*");
  await page.getByRole("button", { name: "Technique" }).click();
  await page.getByRole("checkbox", { name: /^T0855 Unauthorized Command Message/ }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Facility" }).click();
  await page.getByRole("checkbox", { name: "north" }).click();
  await page.keyboard.press("Escape");
  await page.waitForURL("**/alerts?facility=north&technique=T0855&search=*");
  await page.getByText("1 alert in this filter").waitFor();
  await page.reload(); // the address has it all
  await page.getByText("1 alert in this filter").waitFor();

  await row(page, written.id).click();
  await page.getByRole("dialog").getByRole("button", { name: "Acknowledge" }).click();
  await page.getByText("Acknowledged 1 alert.").waitFor();
  await row(second, written.id).getByText("Acknowledged").last().waitFor();
  expect((await server.alert(written.id)).status).toBe("acknowledged");
  await second.close();
});

test("who is overtaken by a colleague is told by whom and how, and changes nothing", async () => {
  const { page } = browser;
  browser.expected = /status of 412/; // the console tells of each
  const [alert] = (await ofFacility("north")).filter((a) => a.status === "new");
  await page.goto(`${server.url}/alerts?id=${alert!.id}`);
  const panel = page.getByRole("dialog");
  await panel.locator("article").waitFor();
  // The colleague's change comes to the server just before this one.
  const first = async (route: Route) => {
    await server.ask(`/api/alerts/${alert!.id}/status`, "PUT", { status: "resolved", note: "announced work" });
    await route.continue();
  };
  await page.route("**/api/alerts/*/status", first, { times: 1 });
  await panel.getByRole("button", { name: "Acknowledge" }).click();
  const said = page.locator("main [role=alert]");
  await said.getByText(/A colleague was quicker.*it is resolved now/).waitFor();
  expect(await said.innerText()).toContain("announced work");
  await panel.getByText("Resolved", { exact: true }).first().waitFor();
  expect((await server.alert(alert!.id)).status).toBe("resolved");
  await panel.getByRole("button", { name: "Reopen" }).click();
  await page.getByText("Reopened 1 alert.").waitFor();
});

test("a whole triage needs no pointer", async () => {
  await server.replay(captures.three, "--facility", "keys");
  const alerts = await ofFacility("keys");
  expect(alerts.length).toBeGreaterThanOrEqual(2);
  const { page } = browser;
  const { keyboard } = page;
  await page.goto(`${server.url}/alerts?facility=keys`);
  await page.getByText(`${alerts.length} alerts in this filter`).waitFor();
  const current = () => page.evaluate(() => document.activeElement?.getAttribute("data-alert"));

  await keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await browser.expectAccessible();
  await browser.picture("keys");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // Look for something, and come back to the list.
  await keyboard.press("/");
  await keyboard.type("10.0.0.57");
  await keyboard.press("Enter");
  await page.waitForURL("**search=10.0.0.57");
  await page.getByText(`${alerts.length} alerts in this filter`).waitFor();

  // Acknowledge the first; resolve the second with a note; mark all as false positive with another.
  await expect.poll(current).toBe(alerts[0]!.id);
  await keyboard.press("a");
  await page.getByText("Acknowledged 1 alert.").waitFor();
  await keyboard.press("j");
  await expect.poll(current).toBe(alerts[1]!.id);
  await keyboard.press("r");
  await page.getByRole("dialog", { name: "Resolve 1 alert" }).waitFor();
  await keyboard.type("seen with the shift");
  await keyboard.press("Enter");
  await page.getByText("Resolved 1 alert.").waitFor();
  expect((await server.alert(alerts[0]!.id)).status).toBe("acknowledged");
  expect((await server.alert(alerts[1]!.id)).status).toBe("resolved");
  expect((await person(alerts[1]!.id)).join()).toContain("seen with the shift");

  await expect.poll(current).toBe(alerts[1]!.id);
  await keyboard.press("x");
  await keyboard.press("k");
  await keyboard.press("x");
  await page.getByText("2 selected").waitFor();
  await keyboard.press("f");
  await page.getByRole("dialog", { name: "Mark 2 alerts as false positive" }).waitFor();
  await keyboard.type("a test of ours");
  await keyboard.press("Enter");
  await page.getByText("Marked 2 alerts as false positive.").waitFor();
  for (const { id } of alerts.slice(0, 2)) {
    expect((await server.alert(id)).status).toBe("false-positive");
    expect((await person(id)).join()).toContain("a test of ours");
  }

  // Open, read on, assign, comment, close.
  await expect.poll(current).toBe(alerts[0]!.id);
  await keyboard.press("Enter");
  const panel = page.getByRole("dialog");
  await panel.locator("article").waitFor();
  await keyboard.press("j");
  await page.waitForURL(`**id=${alerts[1]!.id}*`);
  await keyboard.press("k");
  await page.waitForURL(`**id=${alerts[0]!.id}*`);
  await panel.getByRole("button", { name: "Assign" }).waitFor();
  for (let i = 0; i < 20 && (await page.evaluate(() => document.activeElement?.textContent)) !== "Assign"; i++) await keyboard.press("Tab");
  await keyboard.press("Enter");
  await keyboard.type("ada");
  await keyboard.press("Enter");
  await panel.getByText("ada", { exact: true }).waitFor();
  for (let i = 0; i < 60 && (await page.evaluate(() => document.activeElement?.tagName)) !== "TEXTAREA"; i++) await keyboard.press("Tab");
  await keyboard.type("asked the shift");
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await panel.getByText("asked the shift").waitFor();
  await keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await expect.poll(current).toBe(alerts[0]!.id);
  expect(await server.alert(alerts[0]!.id)).toMatchObject({ assignee: "ada" });
});

test("many are resolved at once, with a note, and those selected are exported", async () => {
  await server.replay(captures.three, "--facility", "bulk");
  const alerts = await ofFacility("bulk");
  const { page } = browser;
  await page.goto(`${server.url}/alerts?facility=bulk`);
  await page.getByRole("checkbox", { name: /^Select the/ }).check();
  await page.getByText(`${alerts.length} selected`).waitFor();
  await browser.picture("bulk");
  await page.getByRole("toolbar", { name: "What to do" }).getByRole("button", { name: "Resolve" }).click();
  await page.getByRole("dialog").getByRole("textbox", { name: "Note" }).fill("one exercise");
  await browser.expectAccessible();
  await page.getByRole("dialog").getByRole("button", { name: /^Resolve/ }).click();
  await page.getByText(`Resolved ${alerts.length} alerts.`).waitFor();
  for (const a of await ofFacility("bulk")) expect(a.status).toBe("resolved");

  await page.getByRole("button", { name: "Export" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /^CSV/ }).click()]);
  const text = await readFile((await download.path())!, "utf8");
  expect(text.trim().split("\n").length).toBeGreaterThan(alerts.length);
  for (const a of alerts) expect(text).toContain(a.id);
});

test("no row moves under the pointer; what came is counted, and shown on demand", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts`);
  await live(page);
  const first = page.locator("li[data-row]").first();
  await first.hover();
  const id = await first.locator("a[data-alert]").getAttribute("data-alert");
  const at = await first.boundingBox();
  await server.replay(captures.write, "--facility", "arriving", "--now");
  const came = await ofFacility("arriving");
  expect(came.length).toBeGreaterThan(0);
  const pill = page.getByRole("button", { name: /^Show \d+ new alert/ });
  await pill.waitFor();
  expect(await row(page, id!).boundingBox()).toEqual(at);
  await browser.picture("waiting");
  await browser.expectAccessible();
  await pill.click();
  await row(page, came[0]!.id).waitFor();
  await page.mouse.move(10, 10);
});

test("a saved view brings its filters back, in another tab too", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts?severity=critical,high&status=false-positive`);
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("textbox", { name: /^Name of the view/ }).fill("Wrongly raised");
  await page.keyboard.press("Enter");
  await browser.expectAccessible();
  const second = await page.context().newPage();
  await second.goto(`${server.url}/alerts`);
  await second.getByRole("button", { name: "Views" }).click();
  await second.getByRole("button", { name: "Show the view Wrongly raised" }).click();
  await second.waitForURL("**/alerts?severity=critical,high&status=false-positive");
  await second.close();
});

test("an incident is told as a story, and its alerts are acknowledged together", async () => {
  const { page } = browser;
  const { incidents } = await server.ask<{ incidents: { id: string; attackers: string[] }[] }>("/api/incidents?facility=arriving,north,keys");
  expect(incidents.length).toBeGreaterThan(0);
  await page.goto(`${server.url}/alerts?view=incidents&facility=north`);
  const [north] = (await server.ask<{ incidents: { id: string; attackers: string[]; alert_count: number }[] }>("/api/incidents?facility=north")).incidents;
  await page.locator(`a[data-incident="${north!.id}"]`).click();
  await page.waitForURL(`**incident=${north!.id}*`);
  await page.getByRole("heading", { name: new RegExp(`^${north!.attackers[0]}`) }).waitFor();
  await page.getByRole("heading", { name: "What may come next" }).waitFor();
  const steps = page.locator("article ol > li a[data-alert]");
  expect(await steps.count()).toBe(north!.alert_count);
  const acknowledge = page.getByRole("button", { name: "Acknowledge" });
  if (await acknowledge.isVisible()) {
    await acknowledge.click();
    await page.getByText(/^Acknowledged \d+ alerts?\.$/).waitFor();
    await acknowledge.waitFor({ state: "detached" });
  }
  await steps.first().click();
  await page.getByRole("dialog").locator("article").waitFor();
  await page.goBack();
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("the evidence of an alert is drawn as charts with its moment", async () => {
  const { page } = browser;
  const [alert] = await ofFacility("north");
  const { timeline } = await server.ask<{ timeline: unknown[] }>(`/api/context/${alert!.id}/evidence`);
  expect(timeline.length).toBeGreaterThan(0);
  await page.goto(`${server.url}/alerts?id=${alert!.id}`);
  const chart = page.getByRole("slider", { name: /^Packets a second in the minute before/ });
  await chart.focus();
  await page.keyboard.press("Home");
  await expect.poll(() => chart.getAttribute("aria-valuetext")).toMatch(/^−\d+ s: \d+, (normal|suspicious|attack)$/);
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  beforeEach(() => browser.page.emulateMedia({ colorScheme: theme }));

  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("incidents on a %s screen: axe finds nothing wrong, nothing is cut off", async (size) => {
    const { page } = browser;
    await page.setViewportSize(sizes[size]);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await page.goto(`${server.url}/alerts?view=incidents`);
    await page.locator("a[data-incident]").first().waitFor();
    expect(await overflow()).toBe(0);
    await browser.picture(`incidents-${size}-${theme}`);
    await browser.expectAccessible();
    await page.locator("a[data-incident]").first().click();
    await page.locator("article").waitFor();
    await pause(100);
    expect(await overflow()).toBe(0);
    await browser.picture(`incident-${size}-${theme}`);
    await browser.expectAccessible();
  });
});

// Last, for it leaves hundreds of alerts.
test("keys find their row while alerts pour in", { timeout: 60_000 }, async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts?facility=storm`);
  await live(page);
  storm(server, 200);
  await page.locator("[data-alert]").first().waitFor();
  const dialog = page.getByRole("dialog");
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter"); // as fast as a hand that knows its way
    await dialog.locator("article").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  }
});
