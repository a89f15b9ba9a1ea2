import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";

import { alarm } from "@/lib/alarm";
import { shortcuts } from "@/lib/keys";
import { zone } from "@/lib/time";
import { show } from "@/test/page";
import { asked, sent, serve } from "@/test/server";
import { detailOf } from "./baseline";
import { whatIsMuted } from "./mutes";
import { SettingsView } from "./settings-view";

afterEach(() => {
  localStorage.clear();
  vi.unstubAllGlobals();
});

const seen = { first_seen: "2026-03-01T08:00:00Z", last_seen: "2026-03-01T09:00:00Z", count: 3 };
const device = { kind: "device" as const, addr: "10.0.0.2", macs: ["02:00:0a:00:00:02"], ...seen };
const pair = { kind: "pair" as const, client: "10.0.0.2", server: "10.0.0.11", protocol: "modbus", port: 502, ...seen };
const rule = {
  id: "write-from-new-host", title: "{src} wrote", severity: "high", technique: "T0855", technique_name: "Unauthorized Command Message", confidence: 0.9,
  hits: 7, alerts: 2, last_hit: "2026-03-01T09:00:00Z", why: "Nobody else writes.", look_at: "Ask the shift.", on: ["write"], hash: "x",
};
const mute = {
  id: "m1", facility_id: "north", asset: "", rule: "write-from-new-host", technique: "", reason: "Pump 2 is exchanged", by: "ada",
  from: "2026-03-01T08:00:00Z", until: "2999-03-01T08:00:00Z", created_at: "2026-03-01T08:00:00Z",
};

function open(more: Parameters<typeof serve>[0] = {}) {
  serve({
    "/api/system/status": { facilities: [{ id: "north", name: "north" }, { id: "south", name: "south" }] },
    "/api/mutes": { mutes: [mute], total: 1, page: 1, pages: 1, limit: 200 },
    "/api/facilities/north/baseline": { version: 1, left_out: 4, entries: [device, pair] },
    "/api/facilities/south/baseline": {},
    "/api/rules": { rules: [{ ...rule, id: "arp-sweep", hits: 0, alerts: 0, last_hit: null }, rule] },
    "/api/mitre/techniques": [],
    ...more,
  });
  return show(<SettingsView models={null} demo={null} />, "/settings");
}

const card = (name: string) => within(screen.getByRole("region", { name }));

describe("this browser's", () => {
  test("theme, zone and shortcuts are chosen", async () => {
    const { user } = open();
    const look = card("Appearance");
    await user.click(look.getByRole("radio", { name: "Dark" }));
    expect(document.documentElement.dataset.theme).toBe("dark");
    await user.selectOptions(look.getByRole("combobox"), "Asia/Tokyo");
    expect(zone.read()).toBe("Asia/Tokyo");
    await user.click(look.getByRole("switch"));
    expect(shortcuts.read()).toBe(false);
  });

  test("notification is asked for, and stays off where the browser refuses", async () => {
    const notification = { permission: "default", requestPermission: vi.fn(async () => (notification.permission = "denied")) };
    vi.stubGlobal("Notification", notification);
    const { user } = open();
    const box = card("Critical alerts").getByRole("switch", { name: /^Browser notification/ });
    await user.click(box);
    await screen.findByText(/^The browser refuses notifications/);
    expect(alarm.read().notify).toBe(false);
    expect(box).toHaveProperty("disabled", true);
  });

  test("notification and sound are kept", async () => {
    vi.stubGlobal("Notification", { permission: "granted" });
    const { user } = open();
    await user.click(card("Critical alerts").getByRole("switch", { name: /^Browser notification/ }));
    await user.click(card("Critical alerts").getByRole("switch", { name: /^Sound/ }));
    await waitFor(() => expect(alarm.read()).toEqual({ notify: true, sound: true }));
  });
});

describe("mutes", () => {
  test("are listed with what, why, by whom and how they stand", async () => {
    open();
    await screen.findByText("write-from-new-host at north");
    const mutes = card("Mutes and maintenance windows");
    for (const words of ["Muted now", "Pump 2 is exchanged", /by ada/]) expect(mutes.getByText(words)).toBeTruthy();
  });

  test("are made without what is left empty, in the reader's zone, and say what the server has against them", async () => {
    zone.write("Asia/Tokyo");
    const { user } = open({ "POST /api/mutes": 422 });
    const mutes = card("Mutes and maintenance windows");
    await user.click(mutes.getByRole("button", { name: "Mute something" }));
    await waitFor(() => expect(mutes.getByRole("option", { name: "south" })).toBeTruthy());
    await user.selectOptions(mutes.getByRole("combobox", { name: "Facility" }), "south");
    fireEvent.change(mutes.getByLabelText("From"), { target: { value: "2026-03-04T09:00" } });
    await user.click(mutes.getByRole("button", { name: "8 hours" }));
    await user.type(mutes.getByRole("textbox", { name: /^Reason/ }), "Firewall moves{Enter}");
    await mutes.findByText("the reason for 422");
    expect(sent[0]!.body).toEqual({ facility_id: "south", from: "2026-03-04T00:00:00.000Z", until: "2026-03-04T08:00:00.000Z", reason: "Firewall moves" });
  });

  test("are ended when that is confirmed", async () => {
    const { user } = open({ "DELETE /api/mutes/m1": 404 }); // a colleague was quicker: it is over
    await user.click(await screen.findByRole("button", { name: "End it" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "End it" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(sent.map((s) => s.to)).toEqual(["DELETE /api/mutes/m1"]);
  });

  test.each([
    [{ rule: "flood", technique: "T0814", asset: "10.0.0.11", facility_id: "north" }, "flood, T0814, 10.0.0.11 at north"],
    [{ rule: "", technique: "", asset: "", facility_id: "north" }, "Everything at north"],
    [{ rule: "flood", technique: "", asset: "", facility_id: "" }, "flood"],
  ])("are named in a line", (m, want) => expect(whatIsMuted(m)).toBe(want));
});

describe("the baseline", () => {
  test("is not asked for where there is none", async () => {
    open({ "/api/facilities": { facilities: [{ id: "north", name: "north", baseline_version: 0 }], page: 1, pages: 1, total: 1 } });
    await card("What the baseline has learned").findByRole("button", { name: "Allow something" });
    expect(asked).not.toContain("/api/facilities/north/baseline");
  });

  const put = "PUT /api/facilities/north/baseline";

  test("is listed, searched and filtered by sort", async () => {
    const { user } = open();
    await screen.findByText("2 entries");
    const baseline = card("What the baseline has learned");
    expect(baseline.getByText("talk modbus 502")).toBeTruthy();
    await user.type(baseline.getByRole("searchbox"), "MAC");
    await baseline.findByText("1 of 2 entries");
    await user.clear(baseline.getByRole("searchbox"));
    await user.selectOptions(baseline.getByRole("combobox", { name: "Sort" }), "Conversation");
    expect(baseline.getAllByRole("button", { name: /^Forget/ })).toHaveLength(1);
  });

  test("forgets, and brings back what was forgotten", async () => {
    const { user } = open({ [put]: { version: 2, entries: 1, facility_id: "north" } });
    await user.click(await screen.findByRole("button", { name: /^Forget: 10\.0\.0\.2 is there/ }));
    await screen.findByText(/^Forgotten: 10\.0\.0\.2 is there/);
    expect(sent[0]!.body).toEqual({ version: 1, left_out: 4, entries: [pair] });
    serve({ "/api/facilities/north/baseline": { version: 1, left_out: 4, entries: [pair] }, [put]: {} });
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect((sent[0]!.body as { entries: object[] }).entries).toContainEqual(device);
  });

  test("is not forced upon who was quicker", async () => {
    const { user } = open({ [put]: 412 });
    await user.click(await screen.findByRole("button", { name: /^Forget: 10\.0\.0\.2 is there/ }));
    await screen.findByText(/^It was not changed: somebody/);
    expect(asked.filter((path) => path === "/api/facilities/north/baseline")).toHaveLength(2); // it is read again
  });

  test("allows what was never seen, but nothing twice", async () => {
    const { user } = open({ [put]: {} });
    await screen.findByText("2 entries");
    const baseline = card("What the baseline has learned");
    await user.click(baseline.getByRole("button", { name: "Allow something" }));
    await user.type(baseline.getByRole("textbox", { name: "IP address" }), "10.0.0.2{Enter}");
    await baseline.findByText("That is in the baseline already.");
    await user.selectOptions(baseline.getByRole("combobox", { name: "What" }), "A host that writes");
    await user.type(baseline.getByRole("textbox", { name: "From (IP address)" }), "10.0.0.3");
    await user.type(baseline.getByRole("textbox", { name: "To (IP address)" }), "10.0.0.11{Enter}");
    await baseline.findByText("Allowed: 10.0.0.3 → 10.0.0.11 writes.");
    expect((sent[0]!.body as { entries: object[] }).entries.at(-1)).toMatchObject({ kind: "writer", client: "10.0.0.3", server: "10.0.0.11", count: 1 });
  });

  test("says what to do where nothing was learned", async () => {
    const { user } = open();
    await user.selectOptions(await screen.findByRole("combobox", { name: "Facility" }), "south");
    await screen.findByText(/^Nothing was learned at this facility yet/);
  });

  test.each([
    [device, "is there, with MAC 02:00:0a:00:00:02"],
    [{ ...seen, kind: "link" as const, mac: "02:00:0a:00:00:02" }, "sends"],
    [pair, "talk modbus 502"],
    [{ ...seen, kind: "function" as const, protocol: "modbus", function: 43, subfunction: 14 }, "uses modbus function 43/14"],
    [{ ...seen, kind: "writer" as const }, "writes"],
    [{ ...seen, kind: "addresses" as const, unit: 1, table: "coils", addresses: [[0, 9], [40, 40]] as [number, number][], written: true }, "unit 1: coils 0-9, 40 are written"],
    [{ ...seen, kind: "malformed" as const, protocol: "dnp3" }, "sends malformed dnp3"],
    [{ ...seen, kind: "rate" as const, max: 12, rule: "arp-sweep" }, "at most 12, by the rule arp-sweep"],
    [{ ...seen, kind: "traffic" as const, max: 279 }, "at most 279 packets a second"],
  ])("says what is normal: $kind", (entry, want) => expect(detailOf(entry)).toBe(want));
});

describe("rules", () => {
  test("come by their hits, are searched, and tell why they matter", async () => {
    const { user } = open();
    await screen.findByText("2 rules");
    const rules = card("Rules");
    expect(rules.getAllByRole("group").map((r) => r.querySelector(".font-mono")!.textContent)).toEqual(["write-from-new-host", "arp-sweep"]);
    expect(rules.getByText("Never")).toBeTruthy();
    expect(rules.getAllByText("Nobody else writes.")[0]).toBeTruthy();
    expect(rules.getByRole("link", { name: "Show alerts with T0855" }).getAttribute("href")).toBe("/alerts?technique=T0855");
    await user.type(rules.getByRole("searchbox"), "unauthorized");
    await rules.findByText("2 rules");
    await user.type(rules.getByRole("searchbox"), " write-from");
    await rules.findByText("1 rule");
  });

  test("say when they cannot be loaded", async () => {
    open({ "/api/rules": 500 });
    await screen.findByText("The rules could not be loaded");
  });
});
