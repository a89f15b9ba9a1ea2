import { act, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import { useVirtualRows } from "./use-virtual-rows";

afterEach(() => vi.unstubAllGlobals());

/** list is a list in a page of `screen` px, whose rows are 50 px high, scrolled by `scrolled`. */
function list(count: number, screen = 500) {
  const at = { scrolled: 0 };
  const element = document.createElement("ol");
  const row = document.createElement("li");
  row.dataset.row = "";
  element.append(row);
  row.getBoundingClientRect = () => ({ height: 50 }) as DOMRect;
  element.getBoundingClientRect = () => ({ top: 100 - at.scrolled }) as DOMRect;
  vi.stubGlobal("innerHeight", screen);
  vi.stubGlobal("requestAnimationFrame", (go: () => void) => (go(), 0));
  const scrolledBy = vi.spyOn(window, "scrollBy").mockImplementation(() => {});
  const ref = { current: element };
  const { result, rerender } = renderHook(({ n }) => useVirtualRows(ref, n), { initialProps: { n: count } });
  const scroll = (to: number) =>
    act(() => {
      at.scrolled = to;
      window.dispatchEvent(new Event("scroll"));
    });
  return { rows: () => result.current, scroll, scrolledBy, count: (n: number) => rerender({ n }) };
}

test("draws what is on the screen, and some around it; the others take their room", () => {
  const { rows, scroll } = list(10_000);
  expect(rows()).toMatchObject({ from: 0, to: 26, before: 0, after: 9_974 * 50, atTop: true });
  scroll(100 + 2_000 * 50);
  expect(rows()).toMatchObject({ from: 1_992, to: 2_018, before: 1_992 * 50, after: (10_000 - 2_018) * 50, atTop: false });
});

test("never draws beyond the end, also when the list gets shorter", () => {
  const { rows, scroll, count } = list(1_000);
  scroll(100 + 990 * 50);
  expect(rows()).toMatchObject({ from: 974, to: 1_000, after: 0 });
  count(5);
  expect(rows()).toMatchObject({ from: 0, to: 5, before: 0, after: 0 });
});

test("reveals a row with as little scrolling as it takes", () => {
  const { rows, scrolledBy, scroll } = list(100);
  rows().reveal(3);
  expect(scrolledBy).not.toHaveBeenCalled();
  rows().reveal(9); // 100 + 10 * 50 is 100 below a screen of 500
  expect(scrolledBy).toHaveBeenLastCalledWith({ top: 100 });
  scroll(1_000);
  rows().reveal(10); // at -400
  expect(scrolledBy).toHaveBeenLastCalledWith({ top: -400 });
});
