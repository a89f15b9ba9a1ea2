import { act, render } from "@testing-library/react";
import { useRef } from "react";
import { afterEach, expect, test, vi } from "vitest";

import { useWidth } from "./use-width";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  document.documentElement.style.fontSize = "";
});

function Shown() {
  const place = useRef<HTMLDivElement>(null);
  const { width, scale } = useWidth(place);
  return <div ref={place}>{`${width} × ${scale}`}</div>;
}

test("the width of an element and the size of text are known at once, and when they change", () => {
  let changed: () => void = () => undefined;
  const disconnect = vi.fn();
  vi.stubGlobal("ResizeObserver", class {
    constructor(look: () => void) {
      changed = look;
    }
    observe() {}
    disconnect = disconnect;
  });
  const width = vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(640);
  document.documentElement.style.fontSize = "16px";
  const { container, unmount } = render(<Shown />);
  expect(container.textContent).toBe("640 × 1");
  width.mockReturnValue(3200);
  document.documentElement.style.fontSize = "26px";
  act(changed);
  expect(container.textContent).toBe("3200 × 1.625");
  unmount();
  expect(disconnect).toHaveBeenCalledOnce();
});
