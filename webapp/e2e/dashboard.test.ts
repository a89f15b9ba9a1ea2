import { describe, expect, inject, test } from "vitest";

import type { Prediction } from "../lib/predictions";
import type { SystemStatus } from "../lib/system";
import { gone, sizes } from "./browser";
import { stage } from "./stage";

const { server, browser } = await stage();

const card = (name: string) => browser.page.getByRole("region", { name, exact: true });
const verdict = () => browser.page.getByTestId("verdict");

async function go(path = "/") {
  await browser.page.goto(server.url + path);
  await browser.page.locator("[data-state=live]").waitFor();
}

test("where nothing is watched yet it says how that changes", async () => {
  await go();
  await browser.page.getByRole("heading", { name: "Nothing is being watched yet" }).waitFor();
  await card("Demo").getByRole("button", { name: "Start: Port scan" }).waitFor();
  await browser.picture("dashboard-empty");
  await browser.expectAccessible();
});

test("a first facility and its alerts appear by themselves", async () => {
  const { page } = browser;
  await go();
  await server.replay(inject("captures").three, "--facility", "north", "--now");
  await page.locator("[data-facility=north]").waitFor();
  const { total } = await server.alerts("status=new,acknowledged");
  expect(total).toBeGreaterThan(0);
  await expect.poll(() => card("Facilities").getByRole("listitem").innerText(), { timeout: 5_000 }).toContain(`${total} open alert`);
  await expect.poll(() => verdict().innerText(), { timeout: 5_000 }).toMatch(/^\d+ (critical )?alerts? (is|are) open.* The facility is active\.$/);
});

test("every figure is what the API says", async () => {
  const { page } = browser;
  await go();
  const { alerts, total } = await server.alerts();
  const newest = card("Newest alerts").getByRole("link");
  await expect.poll(() => newest.evaluateAll((all) => all.slice(1).map((a) => a.textContent)), { timeout: 5_000 }).toEqual(alerts.slice(0, 6).map((a) => a.title));

  for (const severity of ["critical", "high", "medium", "low"]) {
    const { total: want } = await server.alerts(`severity=${severity}&time_range=24h`);
    await expect.poll(() => page.getByTestId(`day-${severity}`).innerText(), { message: severity, timeout: 5_000 }).toBe(String(want));
  }
  const chart = card("Alerts of the last 24 hours").getByRole("slider");
  expect(await chart.getAttribute("aria-valuetext")).toMatch(/^From \d\d:00: /);
  expect(total).toBeGreaterThan(0);

  const status = await server.ask<SystemStatus>("/api/system/status");
  await expect.poll(() => card("System").locator("dl > div", { hasText: "Open alerts" }).innerText(), { timeout: 5_000 }).toContain(String(status.active_alerts));
  const prediction = await server.ask<Prediction | null>("/api/predictions/latest");
  expect(prediction, "a prediction after an attack").not.toBeNull();
  const shown = await card("Newest prediction").innerText();
  expect(shown).toContain(prediction!.current_technique);
  for (const { technique_id, technique_name } of prediction!.predicted_techniques.slice(0, 4)) expect(shown).toContain(`${technique_id} ${technique_name}`);
  expect(shown).toMatch(/\d+ (d|h|min|s)( \d+ (h|min|s))? left/);
});

test("each figure leads to its reason", async () => {
  const { page } = browser;
  await go();
  await card("Alerts of the last 24 hours").getByRole("link", { name: /^High/ }).click();
  await page.waitForURL("**/alerts?severity=high&time_range=24h");
  await page.goBack();
  await card("System").locator("dl > div", { hasText: "Open alerts" }).getByRole("link").click();
  await page.waitForURL("**/alerts?status=new,acknowledged");
  await page.goBack();
  await card("Newest alerts").getByRole("listitem").first().getByRole("link").click();
  await page.getByRole("dialog").locator("article").waitFor();
  await page.goBack();
  await card("Federated learning").getByRole("link", { name: "All rounds" }).click();
  await page.getByRole("heading", { level: 1, name: "Federated learning" }).waitFor();
});

test("a server that goes away is told of, and what was missed comes when it is back", async () => {
  const { page } = browser;
  browser.expected = gone;
  await go();
  await server.halt("SIGKILL");
  await page.getByTestId("offline").getByText(/^No connection to the server since \d\d:\d\d:\d\d\./).waitFor();
  await browser.picture("dashboard-offline");
  await browser.expectAccessible();
  await server.begin();
  await server.replay(inject("captures").write, "--facility", "south", "--now");
  await page.locator("[data-state=live]").waitFor();
  await page.locator("[data-facility=south]").waitFor();
  expect(await page.getByTestId("offline").count()).toBe(0);
  const { alerts } = await server.alerts();
  const newest = card("Newest alerts").getByRole("link");
  await expect.poll(() => newest.evaluateAll((all) => all.slice(1).map((a) => a.textContent)), { timeout: 5_000 }).toEqual(alerts.slice(0, 6).map((a) => a.title));
});

test("by keyboard: the menu of a phone, and a chart", async () => {
  const { page } = browser;
  await page.setViewportSize(sizes.phone);
  await go();
  await page.getByRole("button", { name: "Menu" }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/facilities");
  await page.goBack();
  const chart = card("Alerts of the last 24 hours").getByRole("slider");
  const last = await chart.getAttribute("aria-valuetext");
  await chart.focus();
  await page.keyboard.press("ArrowLeft");
  expect(await chart.getAttribute("aria-valuetext")).not.toBe(last);
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("axe finds nothing wrong on a %s screen, and nothing is cut off", async (size) => {
    const { page } = browser;
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize(sizes[size]);
    await go();
    await verdict().waitFor();
    await card("Alerts of the last 24 hours").getByRole("slider").waitFor();
    await card("Newest prediction").getByRole("listitem").first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    await browser.picture(`dashboard-${size}-${theme}`);
    await browser.expectAccessible();
  });
});
