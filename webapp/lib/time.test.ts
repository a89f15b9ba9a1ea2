import { afterEach, describe, expect, test } from "vitest";

import { fromInput, localParts, toInput, utc, zone } from "./time";

afterEach(() => localStorage.clear());

describe("a time", () => {
  test("is shown with its date, its clock and UTC", () => {
    const iso = "2026-11-24T09:05:03.120Z";
    expect(localParts(iso).clock).toMatch(/^\d\d:05:03$/);
    expect(localParts(iso).date).toMatch(/^\d\d Nov 2026$/);
    expect(utc(iso)).toBe("2026-11-24 09:05:03.120");
  });

  test("that is none is shown as it is", () => {
    expect(localParts("soon")).toEqual({ date: "", clock: "soon" });
    expect(utc("soon")).toBe("soon");
  });

  test("is shown in the zone that was chosen", () => {
    zone.write("Asia/Tokyo");
    expect(localParts("2026-11-24T20:05:03Z")).toEqual({ date: "25 Nov 2026", clock: "05:05:03" });
  });

  test("is shown in this machine's zone where the kept one is none", () => {
    localStorage.setItem("breakwater-zone", '"Mars/Olympus"');
    expect(zone.read()).toBe("");
  });
});

describe("a field's time", () => {
  test.each([
    ["UTC", "2026-11-24T09:05", "2026-11-24T09:05:00.000Z"],
    ["Europe/Berlin", "2026-11-24T09:05", "2026-11-24T08:05:00.000Z"],
    ["Europe/Berlin", "2026-07-24T09:05", "2026-07-24T07:05:00.000Z"],
    ["America/New_York", "2026-01-01T00:30", "2026-01-01T05:30:00.000Z"],
    ["Asia/Kolkata", "2026-01-01T00:30", "2025-12-31T19:00:00.000Z"],
  ])("in %s %s is %s, and back", (inZone, text, iso) => {
    expect(fromInput(text, inZone)).toBe(iso);
    expect(toInput(iso, inZone)).toBe(text);
  });

  test("that summer time skips is the moment after", () => {
    expect(fromInput("2026-03-29T02:30", "Europe/Berlin")).toBe("2026-03-29T01:30:00.000Z"); // 03:30 by the new clock
  });

  test("that is empty stays empty", () => {
    expect(fromInput("")).toBe("");
    expect(toInput("")).toBe("");
  });
});
