import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

import { answer } from "./server";

configure({ asyncUtilTimeout: 5_000 }); // ms: a busy machine draws a page in more than the usual second

afterEach(() => {
  cleanup();
  window.history.replaceState(null, "", "/");
});

// jsdom has no layout: it can neither scroll nor match a screen. A test's screen is a wide one.
Element.prototype.scrollTo = () => {};
Element.prototype.scrollIntoView = () => {};
window.scrollTo = () => {};
window.scrollBy = () => {};
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
window.matchMedia = (media) => Object.assign(new EventTarget(), { media, matches: false, onchange: null, addListener() {}, removeListener() {} });
// It does not know CSS.escape either; the ids that are escaped are UUIDs.
globalThis.CSS ??= { escape: (s: string) => s } as typeof CSS;

// Before lib/api-client.ts is loaded, which keeps the fetch that it finds.
globalThis.fetch = answer;
