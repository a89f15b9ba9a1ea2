import { describe, expect, test } from "vitest";

import { pause } from "./breakwater";
import { stage } from "./stage";
import { storm } from "./storm";

// A storm and a long shift, for `make soak`: they take minutes, and measure time, which a busy machine would spoil.
const minutes = Number(process.env.SOAK_MINUTES);
const perSecond = 200;

const { server, browser } = await stage();

/** heap is what the page holds after a collection, MB. */
async function heap(): Promise<number> {
  const session = await browser.page.context().newCDPSession(browser.page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = (await session.send("Runtime.getHeapUsage")) as { usedSize: number };
  await session.detach();
  return usedSize / 1e6;
}

/** longTasks is how long the main thread was held at a time since the last call, ms, the longest first; under 50 ms is none. */
const longTasks = () =>
  browser.page.evaluate(() => {
    const page = globalThis as unknown as { tasks?: number[] };
    if (!page.tasks) {
      const tasks: number[] = (page.tasks = []);
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => Math.round(e.duration)))).observe({ type: "longtask", buffered: false });
    }
    return page.tasks.splice(0).sort((a, b) => b - a);
  });

describe("with 200 alerts a second", () => {
  test("the list stays usable for a minute, and no task holds the page for longer than 200 ms", { timeout: 180_000 }, async () => {
    const { page } = browser;
    await page.goto(`${server.url}/alerts`);
    await page.locator("[data-state=live]").waitFor();
    await longTasks();
    const going = storm(server, perSecond);
    await page.locator("[data-alert]").first().waitFor();

    // Meanwhile somebody works: opens, acknowledges, closes, scrolls.
    const took: number[] = [];
    const timed = async (action: () => Promise<unknown>) => {
      const from = performance.now();
      await action();
      took.push(Math.round(performance.now() - from));
    };
    const until = Date.now() + 60_000;
    while (Date.now() < until) {
      await page.keyboard.press("j");
      await timed(async () => {
        await page.keyboard.press("Enter");
        await page.getByRole("dialog").locator("article").waitFor();
      });
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await timed(async () => {
        await page.keyboard.press("a");
        await page.getByText("Acknowledged 1 alert.").waitFor();
      });
      await page.mouse.move(700, 500);
      for (let i = 0; i < 5; i++) await page.mouse.wheel(0, 800);
      for (let i = 0; i < 5; i++) await page.mouse.wheel(0, -800);
      await page.mouse.move(5, 5);
      await pause(1_000);
    }
    const { raised, seconds } = await going.stop();
    const tasks = await longTasks();
    console.log(`storm: ${raised} alerts in ${seconds.toFixed(1)} s; tasks over 50 ms: ${tasks.length}, the longest ${tasks.slice(0, 5).join(", ")} ms; actions took ${took.sort((a, b) => b - a).slice(0, 5).join(", ")} ms at most, ${took[took.length >> 1]} in the middle`);
    expect(raised / seconds).toBeGreaterThan(0.95 * perSecond);
    await expect.poll(async () => (await page.getByText(/^[\d,.]+ alerts/).first().innerText()).replace(/\D/g, ""), { timeout: 10_000 }).toBe(String((await server.alerts("limit=1")).total));
    expect(tasks[0] ?? 0).toBeLessThanOrEqual(200);
    expect(took[0], "the longest that an action took").toBeLessThan(1_000);
  });

  test(`after ${minutes} minutes the heap is flat`, { timeout: (minutes + 3) * 60_000 }, async () => {
    const { page } = browser;
    await page.goto(`${server.url}/alerts`);
    await page.locator("[data-state=live]").waitFor();
    const going = storm(server, perSecond);
    const seen: number[] = [];
    for (let i = 0; i <= minutes; i++) {
      await pause(60_000);
      seen.push(await heap());
    }
    const { raised } = await going.stop();
    console.log(`soak: ${raised} alerts; heap after each minute ${seen.map((mb) => mb.toFixed(1)).join(", ")} MB`);
    const middle = (part: number[]) => part.toSorted((a, b) => a - b)[part.length >> 1]!;
    const half = seen.length >> 1;
    expect(middle(seen.slice(half)) / middle(seen.slice(1, half + 1)), "the later half beside the earlier").toBeLessThan(1.1);
  });
});
