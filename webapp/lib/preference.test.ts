import { afterEach, expect, test, vi } from "vitest";

import { preference } from "./preference";

afterEach(() => {
  localStorage.clear();
  vi.restoreAllMocks();
});

const numbers = () =>
  preference("numbers", 7, (kept) => {
    if (typeof kept !== "number") throw new Error("no number");
    return kept;
  });

test("what was chosen is kept for the next page", () => {
  numbers().write(3);
  expect(numbers().read()).toBe(3);
  expect(localStorage.getItem("breakwater-numbers")).toBe("3");
});

test.each(['"three"', "{", "null"])("what cannot be read is as if nothing was chosen: %s", (kept) => {
  localStorage.setItem("breakwater-numbers", kept);
  expect(numbers().read()).toBe(7);
});

test("the same value is the same object until it changes", () => {
  const list = preference<readonly string[]>("list", [], (kept) => kept as string[]);
  list.write(["a"]);
  expect(list.read()).toBe(list.read());
});

test("who listens hears of a change here and in another tab", () => {
  const p = numbers();
  const heard = vi.fn();
  const leave = p.subscribe(heard);
  p.write(1);
  window.dispatchEvent(new StorageEvent("storage", { key: "breakwater-numbers" }));
  window.dispatchEvent(new StorageEvent("storage", { key: "something else" }));
  leave();
  p.write(2);
  expect(heard).toHaveBeenCalledTimes(2);
});

test("a browser that keeps nothing keeps it for this page", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new Error("denied");
  });
  vi.spyOn(Storage.prototype, "getItem").mockImplementation(() => {
    throw new Error("denied");
  });
  const p = numbers();
  p.write(5);
  expect(p.read()).toBe(5);
});
