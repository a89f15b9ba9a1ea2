import { afterAll, afterEach, beforeEach } from "vitest";

import { Browser, sizes } from "./browser";
import { Server } from "./breakwater";

/** stage is a server and a browser of a test file's own until its last test is over. Each test begins on a desktop's screen, and the page complains of nothing in it. */
export async function stage(): Promise<{ server: Server; browser: Browser }> {
  const [server, browser] = await Promise.all([Server.start(), Browser.open()]);
  beforeEach(() => browser.page.setViewportSize(sizes.desktop));
  afterEach(() => browser.expectNoComplaints());
  afterAll(async () => {
    await browser.close();
    await server.stop();
  });
  return { server, browser };
}
