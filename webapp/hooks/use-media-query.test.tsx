import { act, render } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";

import { useMediaQuery } from "./use-media-query";

afterEach(() => void vi.unstubAllGlobals());

function Shown() {
  return <p>{String(useMediaQuery("(max-width: 639px)"))}</p>;
}

test("whether the screen matches is known at once, and when it changes", () => {
  const list = Object.assign(new EventTarget(), { matches: true });
  const asked = vi.fn((query: string) => (query === "(max-width: 639px)" ? list : undefined));
  vi.stubGlobal("matchMedia", asked);
  const [came, gone] = [vi.spyOn(list, "addEventListener"), vi.spyOn(list, "removeEventListener")];
  const { container, unmount } = render(<Shown />);
  expect(container.textContent).toBe("true");
  list.matches = false;
  act(() => void list.dispatchEvent(new Event("change")));
  expect(container.textContent).toBe("false");
  unmount();
  expect(gone.mock.calls).toEqual(came.mock.calls);
});
