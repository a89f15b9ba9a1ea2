import { expect, test } from "vitest";

import { localParts, utc } from "./time";

test("utc is to the millisecond, and what is no time is shown as it came", () => {
  expect(utc("2026-11-24T10:25:49.120Z")).toBe("2026-11-24 10:25:49.120");
  expect(utc("yesterday")).toBe("yesterday");
});

test("local is the reader's own zone, midnight as 00", () => {
  const midnight = new Date(2024, 0, 5, 0, 3, 9);
  expect(localParts(midnight.toISOString())).toEqual({ date: "05 Jan 2024", clock: "00:03:09" });
  expect(localParts("yesterday")).toEqual({ date: "", clock: "yesterday" });
});
