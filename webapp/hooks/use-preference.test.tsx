import { act, render } from "@testing-library/react";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";

import { preference } from "@/lib/preference";
import { usePreference } from "./use-preference";

const size = preference("test-size", 1, (kept) => Number(kept));

function Shown() {
  return <p>{usePreference(size)}</p>;
}

test("what was chosen is shown, wherever it is chosen; before the browser has it, the fallback", () => {
  localStorage.setItem("breakwater-test-size", "2");
  expect(renderToString(<Shown />)).toBe("<p>1</p>");
  const { container } = render(<Shown />);
  expect(container.textContent).toBe("2");
  act(() => size.write(3));
  expect(container.textContent).toBe("3");
  act(() => {
    localStorage.setItem("breakwater-test-size", "4"); // another tab
    window.dispatchEvent(new StorageEvent("storage", { key: "breakwater-test-size" }));
  });
  expect(container.textContent).toBe("4");
});
