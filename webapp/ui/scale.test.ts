import { describe, expect, test } from "vitest";

import { scale } from "./scale";

describe("the marks of an axis", () => {
  test.each([
    [[3, 7], { from: 0 }, [0, 2, 4, 6, 8]],
    [[0], { from: 0, least: 1 }, [0, 1]],
    [[3], { from: 0, least: 1 }, [0, 1, 2, 3]],
    [[0.58, 0.61], { to: 1 }, [0.4, 0.6, 0.8, 1]],
    [[5], {}, [4.5, 5, 5.5]],
    [[1], { to: 1 }, [0.9, 0.95, 1]],
    [[0], {}, [-0.1, -0.05, 0, 0.05, 0.1]],
    [[], { from: 0 }, [0, 0.5, 1]],
    [[120, 5_000], { from: 0 }, [0, 2_000, 4_000, 6_000]],
  ])("%j %j", (values, options, want) => {
    const marks = scale(values, options);
    expect(marks[0]).toBeLessThanOrEqual(Math.min(...values, Infinity));
    expect(marks.at(-1)).toBeGreaterThanOrEqual(Math.max(...values, -Infinity));
    expect(marks).toEqual(want);
  });

  test("surround any values, evenly, and are few", () => {
    for (let i = 1; i < 500; i++) {
      const values = [Math.sin(i) * 10 ** (i % 9), Math.cos(i * 7) * 10 ** (i % 7)];
      const marks = scale(values);
      expect(marks[0]).toBeLessThanOrEqual(Math.min(...values));
      expect(marks.at(-1)).toBeGreaterThanOrEqual(Math.max(...values));
      expect(marks.length).toBeGreaterThan(1);
      expect(marks.length).toBeLessThan(8);
    }
  });
});
