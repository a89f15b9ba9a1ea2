import { beforeAll, beforeEach, describe, expect, inject, test } from "vitest";

import { sizes } from "./browser";
import { stage } from "./stage";

const { server, browser } = await stage();

beforeAll(async () => {
  await server.replay(inject("captures").three);
});

const panel = () => browser.page.getByRole("dialog");
const links = () => browser.page.locator("a[data-alert]");

/** go opens a page and waits until it has its alerts. */
async function go(path: string) {
  await browser.page.goto(server.url + path);
  await links().first().waitFor();
}

describe("details", () => {
  test("are those of the API", async () => {
    const { page } = browser;
    await go("/alerts");
    const { alerts } = await server.alerts();
    const alert = await server.alert(alerts.find((a) => a.techniques!.includes("T0855"))!.id);
    await page.locator(`a[data-alert="${alert.id}"]`).click();
    await panel().getByRole("heading", { name: alert.title }).waitFor();
    const text = await panel().innerText();
    for (const words of [alert.asset, alert.facility_id, alert.attack_name, alert.description, alert.correlation_summary, alert.context_analysis]) {
      expect(text).toContain(words);
    }
    for (const source of alert.sources ?? []) {
      for (const words of [source.model_name, source.evidence, source.look_at]) expect(text).toContain(words);
    }
    expect(alert.history?.length).toBeGreaterThan(0);
    expect(text).toContain(alert.history!.at(-1)!.text);
    expect(text).toContain(`${alert.timestamp.slice(0, 10)} ${alert.timestamp.slice(11, 19)}`); // UTC
  });

  test("have an address that can be opened, and Back closes them", async () => {
    const { page } = browser;
    await go("/alerts");
    await links().first().click();
    await panel().locator("article").waitFor();
    const address = page.url();
    await page.goBack();
    await panel().waitFor({ state: "detached" });
    await page.goto(address);
    await panel().locator("article").waitFor();
  });

  test("of an alert that is not there say so", async () => {
    browser.expected = /status of 404/; // the console tells of each
    await go("/alerts?id=01930a7e-3c00-7abc-8def-0123456789ab");
    await panel().getByText("There is no such alert").first().waitFor();
  });
});

test("filters are in the address, and a reload keeps them", async () => {
  const { page } = browser;
  await go("/alerts");
  const severity = (await server.alerts()).alerts[0]!.severity;
  const name = severity[0]!.toUpperCase() + severity.slice(1);
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.waitForURL(`**/alerts?severity=${severity}&status=new`);

  const want = (await server.alerts(`severity=${severity}&status=new`)).total;
  const all = (await server.alerts()).total;
  const check = async () => {
    await page.getByText(`${want} alert${want === 1 ? "" : "s"} in this filter`).waitFor();
    await expect.poll(() => links().count()).toBe(want);
  };
  await check();
  await page.reload();
  await check();
  expect(await page.getByRole("button", { name, exact: true }).getAttribute("aria-pressed")).toBe("true");
  await page.goBack();
  await page.goBack();
  await expect.poll(() => links().count()).toBe(all);
});

test("a filter that lets nothing through says so", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/alerts?status=resolved`);
  await page.getByRole("heading", { name: "No alert matches these filters" }).waitFor();
  await page.getByRole("button", { name: "Clear filters" }).last().click();
  await links().first().waitFor();
});

test("the theme is kept, and is there before the first paint", async () => {
  const { page } = browser;
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  await page.emulateMedia({ colorScheme: "light" });
  await go("/alerts");
  expect(await theme()).toBe("light");
  await page.getByRole("radio", { name: "Dark" }).click();
  expect(await theme()).toBe("dark");

  await page.addInitScript(() => {
    new PerformanceObserver((list) => {
      if (list.getEntries().some((e) => e.name === "first-paint")) Object.assign(window, { themeAtFirstPaint: document.documentElement.dataset.theme });
    }).observe({ type: "paint", buffered: true });
  });
  await go("/alerts");
  expect(await page.evaluate(() => (window as unknown as { themeAtFirstPaint: string }).themeAtFirstPaint)).toBe("dark");

  await page.getByRole("radio", { name: "As the system" }).click();
  expect(await theme()).toBe("light");
  await page.emulateMedia({ colorScheme: "dark" });
  await expect.poll(theme).toBe("dark");
});

test("everything can be done by keyboard", async () => {
  const { page } = browser;
  const focused = () => page.evaluate(() => (document.activeElement as HTMLElement).dataset.alert ?? document.activeElement!.textContent);
  await go("/alerts");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to content");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement!.id)).toBe("content");

  const ids = (await server.alerts()).alerts.map((a) => a.id);
  await page.keyboard.press("j");
  expect(await focused()).toBe(ids[0]);
  await page.keyboard.press("j");
  expect(await focused()).toBe(ids[1]);
  await page.keyboard.press("k");
  expect(await focused()).toBe(ids[0]);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await panel().locator("article").waitFor();
  expect(page.url()).toContain(`id=${ids[1]}`);
  await page.keyboard.press("k");
  await page.locator(`[data-open] [data-alert="${ids[0]}"]`).waitFor();
  expect(page.url()).toContain(`id=${ids[0]}`);
  await page.keyboard.press("Escape");
  await panel().waitFor({ state: "detached" });
  await expect.poll(focused).toBe(ids[0]);
});

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  beforeEach(async () => {
    await browser.page.emulateMedia({ colorScheme: theme });
  });

  test.each(Object.keys(sizes) as (keyof typeof sizes)[])("axe finds nothing wrong on a %s screen, and nothing is cut off", async (size) => {
    const { page } = browser;
    await page.setViewportSize(sizes[size]);
    await go("/alerts");
    await page.locator("[data-state=live]").waitFor();
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(await overflow()).toBe(0);
    await browser.picture(`alerts-${size}-${theme}`);
    await browser.expectAccessible();

    await links().first().click();
    await panel().locator("article").waitFor();
    expect(await overflow()).toBe(0);
    await browser.picture(`alert-${size}-${theme}`);
    await browser.expectAccessible();
  });

  test("axe finds nothing wrong where nothing is listed, and where there is no page", async () => {
    const { page } = browser;
    await page.goto(`${server.url}/alerts?status=resolved`);
    await page.getByRole("heading", { name: "No alert matches these filters" }).waitFor();
    await browser.expectAccessible();
    browser.expected = /status of 404/;
    const response = await page.goto(`${server.url}/nothing`);
    expect(response!.status()).toBe(404);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await browser.expectAccessible();
    await browser.picture(`not-found-${theme}`);
  });
});

test("a reader who wants no motion gets none", async () => {
  const { page } = browser;
  await page.emulateMedia({ reducedMotion: "reduce" });
  await go("/alerts");
  await server.replay(inject("captures").write, "--facility", "still");
  const fresh = page.locator("li[data-fresh]");
  await fresh.first().waitFor();
  expect(await fresh.first().evaluate((row) => row.getAnimations().length)).toBe(0);
  await page.emulateMedia({ reducedMotion: "no-preference" });
});

test("an injected script does not run", async () => {
  const { page } = browser;
  await go("/alerts");
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    return "injected" in window;
  });
  expect(ran).toBe(false);
  await expect.poll(() => browser.complaints.length).toBe(1);
  expect(browser.complaints.splice(0)[0]).toContain("Content Security Policy");
});

test("the API's documentation works without a network", async () => {
  const { page } = browser;
  await go("/alerts");
  await page.getByRole("link", { name: "API docs" }).click();
  await page.locator(".opblock").first().waitFor();
  await page.getByText("/api/alerts", { exact: true }).first().waitFor();
  await browser.picture("docs");
});
