import { beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { sizes } from "./browser";
import { stage } from "./stage";

const captures = inject("captures");

const { server, browser } = await stage();

beforeAll(async () => {
  await server.replay(captures.three, "--facility", "north");
});

const card = (name: string) => browser.page.getByRole("region", { name });

async function go() {
  await browser.page.goto(`${server.url}/settings`);
  await card("Rules").getByText("rules").first().waitFor();
}

test("times are shown in the zone that is chosen, UTC on hover", async () => {
  const { page } = browser;
  await go();
  await page.getByRole("combobox", { name: /^Time zone/ }).selectOption("Asia/Tokyo");
  await page.goto(`${server.url}/alerts`);
  const [alert] = (await server.alerts()).alerts;
  const time = page.locator("li[data-row] time").first();
  const tokyo = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Tokyo", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(alert!.last_seen));
  await page.getByText(tokyo).first().waitFor();
  expect(await time.getAttribute("title")).toBe(`${alert!.last_seen.slice(0, 10)} ${alert!.last_seen.slice(11, 23)} UTC`);
  await go();
  await page.getByRole("combobox", { name: /^Time zone/ }).selectOption("");
});

test("a maintenance window keeps alerts quiet, and is ended", async () => {
  const { page } = browser;
  await go();
  const mutes = card("Mutes and maintenance windows");
  await mutes.getByRole("button", { name: "Mute something" }).click();
  await mutes.getByRole("combobox", { name: "Facility" }).selectOption("north");
  await mutes.getByLabel("From").fill("2020-01-01T00:00");
  await mutes.getByRole("button", { name: "1 week" }).click();
  await mutes.getByRole("textbox", { name: /^Reason/ }).fill("Pump 2 is exchanged");
  await browser.expectAccessible();
  await mutes.getByRole("button", { name: "Mute", exact: true }).click();
  // That week is over: it shows where those that have ended do.
  await mutes.getByRole("checkbox", { name: "Also those that have ended" }).check();
  await mutes.getByText("Pump 2 is exchanged").waitFor();
  await mutes.getByText("Ended", { exact: true }).waitFor();

  await mutes.getByRole("button", { name: "Mute something" }).click();
  await mutes.getByRole("combobox", { name: "Facility" }).selectOption("north");
  const from = mutes.getByLabel("From"); // the attack of the capture is a little older than now
  await from.fill(new Date(Date.parse(`${await from.inputValue()}Z`) - 600_000).toISOString().slice(0, 16));
  await mutes.getByRole("textbox", { name: /^Reason/ }).fill("Firewall moves");
  await mutes.getByRole("button", { name: "Mute", exact: true }).click();
  await mutes.getByText("Firewall moves").waitFor();
  await server.replay(captures.write, "--facility", "north", "--now");
  await page.goto(`${server.url}/alerts?muted=true&facility=north`);
  await page.locator("li[data-row]").getByText("Muted").first().waitFor();

  await go();
  const row = mutes.locator("li").filter({ hasText: "Firewall moves" });
  await row.getByRole("button", { name: "End it" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
  await row.waitFor({ state: "detached" });
});

test("what was learned is forgotten, brought back, and added to", async () => {
  const { page } = browser;
  await go();
  const learned = async () => (await server.ask<{ entries: { kind: string; addr?: string }[] }>("/api/facilities/north/baseline")).entries;
  const before = await learned();
  const baseline = card("What the baseline has learned");
  await baseline.getByRole("combobox", { name: "Sort" }).selectOption("Device");
  await baseline.getByRole("searchbox", { name: "Find" }).fill("10.0.0.2 ");
  await baseline.getByRole("button", { name: /^Forget: 10\.0\.0\.2 / }).click();
  await baseline.getByText(/^Forgotten: 10\.0\.0\.2 /).waitFor();
  expect((await learned()).length).toBe(before.length - 1);
  await baseline.getByRole("button", { name: "Undo" }).click();
  await baseline.getByRole("button", { name: /^Forget: 10\.0\.0\.2 / }).waitFor();
  expect(await learned()).toEqual(before);

  await baseline.getByRole("button", { name: "Allow something" }).click();
  await baseline.getByRole("textbox", { name: "IP address" }).fill("10.0.0.99");
  await baseline.getByRole("button", { name: "Allow", exact: true }).click();
  await baseline.getByText(/^Allowed: 10\.0\.0\.99/).waitFor();
  expect((await learned()).some((e) => e.kind === "device" && e.addr === "10.0.0.99")).toBe(true);

  // A colleague has changed it: what was read is not forced upon them.
  browser.expected = /status of 412/;
  let quicker = false;
  await page.route("**/api/facilities/north/baseline", async (route) => {
    if (route.request().method() === "PUT" && !quicker) {
      quicker = true;
      const now = await server.ask<{ entries: object[] }>("/api/facilities/north/baseline");
      await server.ask("/api/facilities/north/baseline", "PUT", { ...now, entries: now.entries.slice(1) });
    }
    await route.continue();
  });
  await baseline.getByRole("button", { name: /^Forget: 10\.0\.0\.2 / }).click();
  await baseline.getByText(/^It was not changed: somebody/).waitFor();
});

test("a rule tells why it matters, and leads to its alerts", async () => {
  const { page } = browser;
  await go();
  const rules = card("Rules");
  await rules.getByRole("searchbox", { name: "Find a rule" }).fill("write-from-new-host");
  await rules.locator("summary").first().click();
  await rules.getByText("What to look at").waitFor();
  await rules.getByRole("link", { name: "Show alerts with T0855" }).click();
  await page.waitForURL("**/alerts?technique=T0855");
  await page.locator("li[data-row]").first().waitFor();
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  beforeEach(() => browser.page.emulateMedia({ colorScheme: theme }));

  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("axe finds nothing wrong on a %s screen, and nothing is cut off", async (size) => {
    const { page } = browser;
    await page.setViewportSize(sizes[size]);
    await go();
    await page.getByRole("button", { name: /^Forget: / }).first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
    await browser.picture(`settings-${size}-${theme}`);
    await browser.expectAccessible();
  });
});
