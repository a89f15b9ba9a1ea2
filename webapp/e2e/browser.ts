// Debian's Chromium, watched: a page that complains on its console or asks another host fails its test.

import { createRequire } from "node:module";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";

const flags =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ");

const executablePath = process.env.CHROMIUM_BIN ?? "/usr/bin/chromium";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** gone is what the browser complains of where a server ends under it, and what was under way with it. */
export const gone = /WebSocket connection to .* failed|ERR_(CONNECTION_(REFUSED|RESET)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

export const sizes = { desktop: { width: 1440, height: 900 }, phone: { width: 360, height: 780 }, wall: { width: 3840, height: 2160 } };

export class Browser {
  complaints: string[] = [];
  /** expected is what the running test itself makes the browser complain of. */
  expected: RegExp | undefined;

  private constructor(
    private context: BrowserContext,
    private folder: string,
    readonly page: Page,
  ) {}

  /** open starts a browser that remembers nothing. */
  static async open(): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), "breakwater-chromium-"));
    const context = await chromium.launchPersistentContext(folder, { executablePath, args: flags, viewport: sizes.desktop, timezoneId: "Europe/Berlin" });
    context.setDefaultTimeout(15_000);
    const page = context.pages()[0] ?? (await context.newPage());
    const browser = new Browser(context, folder, page);
    context.on("request", (r) => {
      const { protocol, hostname, host } = new URL(r.url());
      if (["data:", "blob:"].includes(protocol)) return;
      // Where a test itself goes is this machine; what a page asks is where it came from.
      if (r.isNavigationRequest() ? hostname !== "127.0.0.1" : host !== new URL(r.frame().url()).host) browser.complaints.push(`asked ${r.url()}`);
    });
    const listens = (of: Page) =>
      of.on("websocket", (socket) => {
        if (new URL(socket.url()).host !== new URL(of.url()).host) browser.complaints.push(`listens to ${socket.url()}`);
      });
    listens(page);
    context.on("page", listens);
    context.on("console", (m) => {
      if (m.type() === "error" || m.type() === "warning") browser.complaints.push(`console: ${m.text()} (${m.location().url})`);
    });
    context.on("weberror", (e) => browser.complaints.push(`thrown: ${e.error().message}`));
    return browser;
  }

  async close(): Promise<void> {
    await this.context.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** expectNoComplaints is for the end of each test. */
  expectNoComplaints(): void {
    const rest = this.complaints.filter((c) => !this.expected?.test(c));
    this.complaints = [];
    this.expected = undefined;
    expect(rest).toEqual([]);
  }

  /** expectAccessible runs axe on the page as it stands. */
  async expectAccessible(): Promise<void> {
    await this.settled();
    await this.page.evaluate(axe);
    const found = await this.page.evaluate(async () => {
      const { violations } = await (globalThis as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> } }).axe.run({ rules: { "target-size": { enabled: true } } }); // WCAG 2.2, 2.5.8: axe leaves it off by itself
      return violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.html} (${n.failureSummary})`).join("; ")}`);
    });
    expect(found).toEqual([]);
  }

  /** picture saves what the page looks like, where SCREENSHOTS names a folder. */
  async picture(name: string): Promise<void> {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    await mkdir(folder, { recursive: true });
    await this.settled();
    await this.page.screenshot({ path: join(folder, `${name}.png`) });
  }

  /** settled waits until fonts are there and no animation runs but those that never end: half a colour is no contrast to judge. */
  private settled(): Promise<unknown> {
    return this.page.evaluate(() => {
      const ends = document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity);
      return Promise.all([document.fonts.ready, ...ends.map((a) => a.finished.catch(() => undefined))]);
    });
  }
}
