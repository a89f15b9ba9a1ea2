import { fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, test } from "vitest";

import { ColumnChart, LineChart } from "./chart";
import type { Point } from "./sparkline";

const slider = () => screen.getByRole("slider");
const said = () => slider().getAttribute("aria-valuetext");

function line(points: Point[]) {
  return render(
    <LineChart label="Accuracy" points={points} to={1} axis={String} ends={["first", "last"]} readout={({ x, y }) => `${x}: ${y ?? "unknown"}`} />,
  ).container;
}

describe("a line", () => {
  test("says its newest value, and each other one to the arrow keys", () => {
    line([{ x: 1, y: 0.5 }, { x: 2, y: null }, { x: 3, y: 0.75 }]);
    expect(said()).toBe("3: 0.75");
    for (const [key, want] of [["ArrowLeft", "2: unknown"], ["ArrowLeft", "1: 0.5"], ["ArrowLeft", "1: 0.5"], ["End", "3: 0.75"], ["Home", "1: 0.5"], ["ArrowRight", "2: unknown"]] as const) {
      fireEvent.keyDown(slider(), { key });
      expect(said(), key).toBe(want);
    }
    fireEvent.blur(slider());
    expect(said()).toBe("3: 0.75");
  });

  test("is broken where no value is known", () => {
    const d = line([{ x: 1, y: 0.5 }, { x: 2, y: null }, { x: 3, y: 0.75 }, { x: 4, y: 0.75 }]).querySelector('path[fill="none"]')!.getAttribute("d")!;
    expect(d.match(/M/g)).toHaveLength(2);
    expect(d.match(/L/g)).toHaveLength(1);
  });

  test("of one point stands in the middle", () => {
    expect(line([{ x: 7, y: 1 }]).querySelector('path[fill="none"]')!.getAttribute("d")).toMatch(/^M50.00,/);
  });

  test("says the value under the pointer", () => {
    line([{ x: 1, y: 0.5 }, { x: 2, y: 0.6 }, { x: 3, y: 0.75 }]);
    slider().getBoundingClientRect = () => ({ left: 100, width: 200 }) as DOMRect;
    fireEvent(slider(), new MouseEvent("pointermove", { bubbles: true, clientX: 205 }));
    expect(said()).toBe("2: 0.6");
    fireEvent(slider(), new MouseEvent("pointerout", { bubbles: true }));
  });
});

describe("columns", () => {
  test("stand on each other, as high as they count", () => {
    const { container } = render(
      <ColumnChart
        label="Alerts"
        columns={[{ name: "a", parts: [1, 3] }, { name: "b", parts: [0, 2] }]}
        colours={["--low", "--high"]}
        axis={String}
        ends={["a", "b"]}
        readout={({ name, parts }) => `${name} ${parts.join("+")}`}
      />,
    );
    expect(said()).toBe("b 0+2");
    const rects = [...container.querySelectorAll("rect")].map((r) => ["x", "y", "height"].map((a) => Number(r.getAttribute(a))));
    expect(rects).toEqual([[6, 75, 25], [6, 0, 75], [56, 50, 50]]);
  });
});
