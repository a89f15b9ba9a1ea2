import { describe, expect, test } from "vitest";

import { bytes, figure, percent, points, rate, span } from "./format";

describe("figures", () => {
  test.each([
    [bytes(0), "0 B"],
    [bytes(999), "999 B"],
    [bytes(1_000), "1 kB"],
    [bytes(239_120), "239.1 kB"],
    [bytes(999_950), "1 MB"],
    [bytes(3e15), "3,000 TB"],
    [span(0), "0 s"],
    [span(-5), "0 s"],
    [span(59.6), "1 min"],
    [span(65), "1 min 5 s"],
    [span(3_600), "1 h"],
    [span(90_061), "1 d 1 h"],
    [percent(0.582), "58.2 %"],
    [percent(1), "100 %"],
    [points(0.009), "+0.9"],
    [points(-0.0123), "−1.2"],
    [points(0.0001), "±0"],
    [points(0), "±0"],
    [rate(0), "0"],
    [rate(4.27), "4.3"],
    [rate(1_274.6), "1,275"],
    [figure(0), "0"],
    [figure(0.2134), "0.213"],
    [figure(1e-5), "10⁻⁵"],
    [figure(1.25e-5), "1.3 × 10⁻⁵"],
    [figure(3e7), "3 × 10⁷"],
  ])("%s", (got, want) => expect(got).toBe(want));
});
