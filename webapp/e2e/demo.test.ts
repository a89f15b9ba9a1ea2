import { expect, inject, test } from "vitest";

import type { DemoState } from "../lib/demo";
import { stage } from "./stage";

const { server, browser } = await stage();

const scenario = (name: string) => browser.page.locator(`[data-scenario="${name}"]`);

test("a scenario is started, followed on every page, and what was expected is found", async () => {
  const { page } = browser;
  await page.goto(`${server.url}/settings`);
  await page.locator("[data-state=live]").waitFor();
  await page.getByRole("button", { name: "Start: Port scan" }).click();
  await scenario("port-scan").getByText("Running").waitFor();
  await page.getByTestId("demo-strip").getByText("Demo: Port scan").waitFor();
  await scenario("port-scan").scrollIntoViewIfNeeded();
  await browser.picture("demo-running");
  await page.getByRole("link", { name: "Dashboard" }).first().click();
  await page.getByTestId("demo-strip").waitFor();
  await page.getByTestId("verdict").getByText(/alerts? (is|are) open/).waitFor({ timeout: 45_000 });
  await page.getByRole("link", { name: "Settings" }).click();
  await page.locator('[data-scenario="port-scan"][data-status="completed"]').waitFor({ timeout: 45_000 });
  const { scenarios } = await server.ask<DemoState>("/api/demo/status");
  const text = await scenario("port-scan").innerText();
  for (const check of scenarios[0]!.expected) {
    expect(check.found, check.what).toBe(true);
    expect(text).toContain(check.what);
    expect(text).toContain(check.detail);
  }
  await scenario("port-scan").getByText("after").first().scrollIntoViewIfNeeded();
  await browser.picture("demo-found");
  await browser.expectAccessible();
});

test("what demos made is removed, and nothing else", async () => {
  const { page } = browser;
  await server.replay(inject("captures").write, "--facility", "ours", "--now");
  const ours = await server.alerts("facility=ours");
  expect(ours.total).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Remove what demos made" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.locator('[data-scenario="port-scan"]:not([data-status])').waitFor();
  expect((await server.alerts()).total).toBe(ours.total);
  await page.getByRole("link", { name: "Dashboard" }).first().click();
  await page.locator("[data-facility=ours]").waitFor();
  expect(await page.locator("[data-facility]").count()).toBe(1);
});
