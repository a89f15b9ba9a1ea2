import { beforeEach, expect, inject, test } from "vitest";

import { gone } from "./browser";
import { pause } from "./breakwater";
import { stage } from "./stage";

const captures = inject("captures");

const { server, browser } = await stage();
beforeEach(() => {
  // That the server has gone, which is what these tests do to it.
  browser.expected = new RegExp(`${gone.source}|ERR_INTERNET_DISCONNECTED`);
});

const rows = () => browser.page.locator("ol > li");
const links = () => rows().locator("a[data-alert]");
const live = () => browser.page.locator("[data-state=live]").waitFor();

/** shown is the ids on the screen, from top to bottom. */
const shown = () => links().evaluateAll((all) => all.map((a) => (a as HTMLElement).dataset.alert));

test("a replayed attack appears by itself, within a second of being known", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts`);
  await page.getByRole("heading", { name: "No alerts yet" }).waitFor();
  await browser.picture("empty");
  await live();
  await page.evaluate(() => {
    // When each alert was first on the screen, by the clock that this machine shares with the server.
    const at: Record<string, number> = {};
    Object.assign(window, { at, reloaded: false });
    new MutationObserver(() => {
      for (const a of document.querySelectorAll<HTMLElement>("a[data-alert]")) at[a.dataset.alert!] ??= Date.now();
    }).observe(document.body, { subtree: true, childList: true });
  });

  const known: Record<string, number> = {};
  let done = false;
  const replay = server.replay(captures.write).finally(() => (done = true));
  while (!done) {
    for (const { id } of (await server.alerts()).alerts) known[id] ??= Date.now();
    await pause(20);
  }
  await replay;
  const { alerts, total } = await server.alerts();
  expect(total).toBeGreaterThan(0);
  for (const { id } of alerts) known[id] ??= Date.now();
  for (const { id } of alerts) await page.locator(`a[data-alert="${id}"]`).waitFor();

  const at = await page.evaluate(() => (window as unknown as { at?: Record<string, number> }).at);
  expect(at, "the page was loaded anew").toBeDefined();
  for (const { id, title } of alerts) expect(at![id]! - known[id]!, title).toBeLessThan(1_000);

  const written = alerts.find((a) => a.attack_type === "T0855");
  expect(written, "an alert for the write").toBeDefined();
  const row = rows().filter({ has: page.locator(`a[data-alert="${written!.id}"]`) });
  await row.getByText(written!.description).waitFor();
  await page.getByText(`${total} alert${total === 1 ? "" : "s"}`, { exact: true }).waitFor();
  expect(await shown()).toEqual(alerts.map((a) => a.id));
});

test("the same capture again changes nothing on the screen", async () => {
  const before = await browser.page.locator("ol").innerText();
  await server.replay(captures.write);
  await pause(500);
  expect(await browser.page.locator("ol").innerText()).toBe(before);
});

test.each(["SIGINT", "SIGKILL"] as const)("a server that is started again (%s) under the open page loses and doubles nothing", async (signal) => {
  const { page } = browser;
  await server.halt(signal);
  await page.locator("[data-state=reconnecting], [data-state=offline]").waitFor();
  if (signal === "SIGINT") {
    await page.getByText(/^Offline since \d\d:\d\d:\d\d$/).waitFor();
    await browser.picture("offline");
  }
  const before = (await shown()).length;

  await server.begin();
  // Raised before the page is back: it has to ask for them.
  await server.replay(captures.three, "--facility", signal.toLowerCase());
  await live();
  const { alerts, total } = await server.alerts();
  expect(total).toBeGreaterThan(before);
  await expect.poll(shown, { timeout: 5_000 }).toEqual(alerts.slice(0, 50).map((a) => a.id));
  await page.getByText(`${total} alerts`, { exact: true }).waitFor();

  // Raised after: they come by themselves.
  await server.replay(captures.write, "--facility", `${signal.toLowerCase()}-after`);
  const after = await server.alerts();
  expect(after.total).toBeGreaterThan(total);
  await expect.poll(shown, { timeout: 5_000 }).toEqual(after.alerts.slice(0, 50).map((a) => a.id));
  await page.getByText(`${after.total} alerts`, { exact: true }).waitFor();
});

test("a network that goes away for a moment costs nothing", async () => {
  const { page } = browser;
  await page.context().setOffline(true);
  await page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await page.locator("[data-state=reconnecting], [data-state=offline]").waitFor();
  await server.replay(captures.three, "--facility", "meanwhile");
  await page.context().setOffline(false);
  await live();
  const { alerts } = await server.alerts();
  await expect.poll(shown, { timeout: 5_000 }).toEqual(alerts.slice(0, 50).map((a) => a.id));
});
