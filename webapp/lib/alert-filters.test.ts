import { describe, expect, test } from "vitest";

import { alert } from "@/test/factories/alert";
import { alertsHref, asQuery, everything, filterSearch, inOrder, isFiltered, matches, noFilters, parseFilters, type Filters } from "./alert-filters";

const some: Filters = {
  severity: ["critical", "high"], status: ["new"], facility: ["north", "south"], technique: ["T0855", "T0846.001"], assignee: ["ada", "unassigned"],
  search: "10.0.0 wrote", range: "", from: "2026-03-04T05:00:00.000Z", to: "2026-03-05T05:00:00.000Z", muted: "false", sort: "-severity",
};

describe("a URL", () => {
  test("says every filter, and is read back as it was", () => {
    const search = filterSearch(some);
    expect(decodeURIComponent(search)).toBe(
      "severity=critical,high&status=new&facility=north,south&technique=T0855,T0846.001&assignee=ada,unassigned&search=10.0.0 wrote&from=2026-03-04T05:00:00.000Z&to=2026-03-05T05:00:00.000Z&muted=false&sort=-severity",
    );
    expect(parseFilters(new URLSearchParams(search))).toEqual(some);
  });

  test("says nothing of what filters nothing out", () => {
    expect(filterSearch(everything)).toBe("");
    expect(alertsHref({})).toBe("/alerts");
    expect(alertsHref({ status: ["new"] }, "a b")).toBe("/alerts?status=new&id=a%20b");
    expect(parseFilters(new URLSearchParams(""))).toEqual(everything);
  });

  test.each([
    ["severity=fatal,high", { severity: ["high"] }],
    ["facility=NO!,north", { facility: ["north"] }],
    ["technique=T0855,x", { technique: ["T0855"] }],
    ["time_range=1y", { range: "" }],
    ["from=yesterday", { from: "" }],
    ["from=2026-03-04", { from: "2026-03-04T00:00:00.000Z" }],
    ["sort=title", { sort: "-timestamp" }],
    ["muted=maybe", { muted: "" }],
    ["status=new,new", { status: ["new"] }],
  ])("takes what it understands: %s", (search, want) => expect(parseFilters(new URLSearchParams(search))).toMatchObject(want));

  test("with a range says no from and to, which the server would refuse beside it", () => {
    expect(asQuery({ ...some, range: "24h" })).toMatchObject({ time_range: "24h" });
    expect(asQuery({ ...some, range: "24h" })).not.toHaveProperty("from");
  });
});

test("a search without a letter or digit is none: the server would refuse it", () => {
  expect(isFiltered({ ...everything, search: "..." })).toBe(false);
  expect(isFiltered({ ...everything, search: "ä" })).toBe(true);
});

test("clearing the filters leaves the order", () => expect(noFilters(some)).toEqual({ ...everything, sort: "-severity" }));

describe("an alert", () => {
  const now = Date.parse("2026-03-04T12:00:00Z");
  const at = (hours: number) => new Date(now - hours * 3_600_000).toISOString();
  const a = alert().critical().with({ facility_id: "north", techniques: ["T0846", "T0855"], assignee: "ada", timestamp: at(2), muted: false }).build();

  test.each<[string, Partial<Filters>, boolean | undefined]>([
    ["nothing", {}, true],
    ["its severity", { severity: ["critical", "low"] }, true],
    ["another severity", { severity: ["low"] }, false],
    ["its status", { status: ["new"] }, true],
    ["another status", { status: ["resolved"] }, false],
    ["its facility", { facility: ["north"] }, true],
    ["another facility", { facility: ["south"] }, false],
    ["one of its techniques", { technique: ["T0855"] }, true],
    ["another technique", { technique: ["T0831"] }, false],
    ["its assignee", { assignee: ["ada"] }, true],
    ["nobody", { assignee: ["unassigned"] }, false],
    ["only muted", { muted: "true" }, false],
    ["from before it", { from: at(3) }, true],
    ["from after it", { from: at(1) }, false],
    ["to before it", { to: at(2) }, false],
    ["a range it is well within", { range: "24h" }, true],
    ["a search, which only the server knows", { search: "wrote" }, undefined],
    ["a search, but another severity", { search: "wrote", severity: ["low"] }, false],
  ])("against %s", (_, filter, want) => expect(matches(a, { ...everything, ...filter }, now)).toBe(want));

  test.each([
    ["24h", 23.5, undefined],
    ["24h", 24.5, undefined],
    ["24h", 26, false],
    ["7d", 26, true],
    ["30d", -1, undefined],
  ] as const)("at the edge of %s, %i h old, is for the server to say", (range, hours, want) =>
    expect(matches({ ...a, timestamp: at(hours) }, { ...everything, range }, now)).toBe(want),
  );
});

describe("the order", () => {
  const [old, young] = [alert().low().build(), alert().build()];
  const worst = alert().critical().with({ timestamp: old.timestamp, last_seen: young.last_seen }).build();
  const all = [young, old, worst];
  test.each([
    ["-timestamp", [young, worst, old]],
    ["timestamp", [old, worst, young]],
    ["-last_seen", [worst, young, old]],
    ["-severity", [worst, young, old]],
  ] as const)("%s", (sort, want) => expect([...all].sort(inOrder(sort)).map((a) => a.id)).toEqual(want.map((a) => a.id)));
});
