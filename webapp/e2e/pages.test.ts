import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

import { stage } from "./stage";

const pages = readdirSync(`${import.meta.dirname}/../app`, { recursive: true, encoding: "utf8" })
  .filter((file) => /(^|\/)page\.tsx$/.test(file))
  .map((file) => `/${file.replace(/\/?page\.tsx$/, "")}`);

const { server } = await stage();
const most = 250_000; // bytes of JavaScript, gzip, before a page is there

test.each(pages)("%s is there before much JavaScript is", async (path) => {
  const html = await (await fetch(server.url + path)).text();
  const scripts = [...new Set([...html.matchAll(/<script src="([^"]+)"(?![^>]*nomodule)/gi)].map((m) => m[1]!))];
  const sizes = await Promise.all(scripts.map(async (src) => gzipSync(Buffer.from(await (await fetch(server.url + src)).arrayBuffer())).length));
  const total = sizes.reduce((a, b) => a + b, 0);
  console.log(`first-load JavaScript of ${path}: ${Math.round(total / 1000)} kB gzip in ${scripts.length} files`);
  expect(scripts.length).toBeGreaterThan(3);
  expect(total).toBeLessThan(most);
});
