import { screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { alert } from "@/test/factories/alert";
import { asset, assetPage, detail, plant, talk, used } from "@/test/factories/asset";
import { facility, system } from "@/test/factories/system";
import { show, where } from "@/test/page";
import { asked, sent, serve } from "@/test/server";
import { InventoryView } from "./inventory-view";
import { formatPlace, parsePlace } from "./use-inventory-url";

const hmi = asset({ ip: "10.0.0.2", role: "master", level: "2", name: "HMI hall 2", zone: "control room" });
const plc = asset({ level: "1", open_alerts: 2, alerts: 5, last_alert: "2026-03-01T08:30:00Z" });
const talks = [
  talk("10.0.0.2", "10.0.0.11", { count: 43, functions: [used({ count: 40 }), used({ function: 16, name: "write multiple registers", class: "write", count: 3, exceptions: 1 })] }),
  talk("10.0.0.11", "10.0.0.12", { count: 7, functions: [used({ count: 7 })] }),
];

function open(url: string, more: Parameters<typeof serve>[0] = {}) {
  serve({
    "/api/facilities": { facilities: [plant("north", { active_alerts: 2 }), plant("south", { baseline_version: 0 })], total: 2, page: 1, pages: 1, limit: 200 },
    "/api/system/status": system([facility("north"), facility("south", { status: "silent" })]),
    "/api/assets": assetPage([hmi, plc]),
    "/api/assets/values": { protocols: ["arp", "modbus"], zones: ["cell 3", "hall 1, cell 3"], vendors: ["Siemens"] },
    "/api/facilities/north/conversations": { conversations: talks, total: 2, assets: [hmi, plc] },
    "/api/facilities/north/assets/10.0.0.11": detail(plc, { conversations: talks, assets: [hmi, plc], newest_alerts: [{ ...alert().build(), relative_time: "1 min ago" }] }),
    ...more,
  });
  return show(<InventoryView />, url);
}

test("what the URL says is read, and written again", () => {
  for (const url of [
    "/facilities",
    "/facilities?facility=north",
    "/facilities?facility=north&role=controller,gateway&level=1,unknown&protocol=modbus&zone=cell%203&search=10.0&sort=-last_seen",
    "/facilities?facility=north&asset=10.0.0.11",
    "/facilities?view=map&facility=north&at=10.0.0.2~10.0.0.11",
  ])
    expect(formatPlace(parsePlace(url.split("?")[1] ?? ""))).toBe(url);
  expect(formatPlace(parsePlace("facility=No!&asset=1&role=boss&level=9&sort=colour&at=x&protocol=A%00"))).toBe("/facilities");
});

describe("the list", () => {
  test("of all facilities shows each with its state, and every asset", async () => {
    open("/facilities");
    await screen.findByText("2 assets", { selector: "[data-testid=total]" });
    const cards = within(screen.getByRole("region", { name: "Facilities" }));
    expect(cards.getAllByRole("link").filter((a) => /^(north|south)$/.test(a.textContent)).map((a) => a.getAttribute("href"))).toEqual(["/facilities?facility=north", "/facilities?facility=south"]);
    await cards.findByText("Silent");
    expect(cards.getByText("2 open alerts").getAttribute("href")).toBe("/alerts?status=new,acknowledged&facility=north");
    const rows = within(screen.getByRole("list", { name: "Assets" })).getAllByRole("listitem");
    expect(rows.map((r) => within(r).getByRole("link").textContent)).toEqual(["HMI hall 2", "10.0.0.11"]);
    expect(within(rows[1]!).getAllByText("2 open")[0]).toBeTruthy();
  });

  test("is narrowed down by filters and search, in the URL and at the server", async () => {
    const { user } = open("/facilities?facility=north");
    await user.click(await screen.findByRole("button", { name: /^Protocol/ }));
    await user.click(await screen.findByRole("checkbox", { name: "modbus" }));
    await waitFor(() => expect(where()).toBe("/facilities?facility=north&protocol=modbus"));
    await user.keyboard("{Escape}");
    await user.type(screen.getByRole("searchbox", { name: "Search assets" }), "10.0{Enter}");
    await waitFor(() => expect(asked).toContain("/api/assets?facility=north&protocol=modbus&search=10.0&page=1&limit=200"));
    expect(screen.getByRole("link", { name: "Export CSV" }).getAttribute("href")).toBe("/api/assets/export?facility=north&protocol=modbus&search=10.0");
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(where()).toBe("/facilities?facility=north");
  });

  test("offers zones that can be asked for: none with a comma", async () => {
    const { user } = open("/facilities?facility=north");
    await user.click(await screen.findByRole("button", { name: /^Zone/ }));
    await screen.findByRole("checkbox", { name: "cell 3" });
    expect(screen.getAllByRole("checkbox")).toHaveLength(1);
  });

  test("reads on where there is more than a page", async () => {
    const many = Array.from({ length: 200 }, (_, i) => asset({ ip: `10.1.0.${i}` }));
    open("/facilities", {
      "/api/assets?page=1&limit=200": assetPage(many, 201),
      "/api/assets?page=2&limit=200": assetPage([asset({ ip: "10.2.0.1" })], 201, 2),
    });
    await screen.findByText("201 assets", { selector: "[data-testid=total]" });
    expect(screen.getAllByRole("listitem").length).toBeLessThan(100); // of 200 that are there
  });

  test("says what to do where nothing was seen, and where nothing matches", async () => {
    open("/facilities", { "/api/facilities": { facilities: [], total: 0, page: 1, pages: 0, limit: 200 } });
    await screen.findByText("breakwater replay FILE --facility north --learn 300s");
  });

  test("says that nothing matches, that there is no such facility, and why it has failed", async () => {
    open("/facilities?facility=north&search=zzz", { "/api/assets": assetPage([]) });
    await screen.findByText("No asset matches these filters");
  });

  test("knows a facility that is not there", async () => {
    open("/facilities?facility=nowhere");
    await screen.findByText("There is no such facility");
  });

  test("offers another try where it could not be loaded", async () => {
    const { user } = open("/facilities", { "/api/assets": 503 });
    await screen.findByText("the reason for 503");
    serve({ "/api/assets": assetPage([plc]) });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByText("10.0.0.11");
  });
});

describe("names", () => {
  test("are imported from a file, and what could not be taken is told", async () => {
    const { user } = open("/facilities?facility=south", {
      "POST /api/facilities/south/assets/import": { accepted: 2, rejected: 1, errors: [{ line: 3, detail: "\"x\" is not an IP address" }] },
    });
    await user.click(await screen.findByRole("button", { name: "Import names" }));
    const dialog = within(await screen.findByRole("dialog"));
    expect(dialog.getByRole<HTMLSelectElement>("combobox").value).toBe("south");
    const table = "ip,name\n10.0.0.2,HMI\n";
    const file = Object.assign(new File([table], "names.csv", { type: "text/csv" }), { text: async () => table }); // jsdom's files cannot be read so
    await user.upload(dialog.getByLabelText("CSV file"), file);
    await user.click(dialog.getByRole("button", { name: "Import" }));
    await dialog.findByText("2 assets named.");
    dialog.getByText('Line 3 "x" is not an IP address');
    expect(sent.map((s) => [s.to, s.body])).toEqual([["POST /api/facilities/south/assets/import", "ip,name\n10.0.0.2,HMI\n"]]);
  });
});

describe("an asset's page", () => {
  const url = "/facilities?facility=north&role=controller&asset=10.0.0.11";

  test("says who it is, whom it talks with, by which functions, and its alerts", async () => {
    open(url);
    await screen.findByRole("heading", { level: 1, name: "10.0.0.11" });
    await screen.findByText("2 open");
    const rows = within(screen.getAllByRole("region", { name: "Who it talks with" })[0]!).getAllByRole("row").slice(1);
    expect(rows.map((r) => within(r).getAllByRole("cell").slice(0, 5).map((c) => c.textContent))).toEqual([
      ["answers", "HMI hall 2 10.0.0.2", "modbus 502", "WWrites", "43"],
      ["asks", "10.0.0.12", "modbus 502", "Reads", "7"],
    ]);
    const of = (name: string) => within(screen.getAllByRole("region", { name })[0]!).getAllByRole("row").slice(1).map((r) => within(r).getAllByRole("cell").map((c) => c.textContent));
    expect(of("Functions asked of it")).toEqual([
      ["modbus 3", "read holding registers", "Read", "40", "0", "1"],
      ["modbus 16", "write multiple registers", "Write", "3", "1", "1"],
    ]);
    expect(of("Functions it asks for")).toEqual([["modbus 3", "read holding registers", "Read", "7", "0", "1"]]);
    expect(screen.getByRole("link", { name: "Write from a host that never wrote" }).getAttribute("href")).toMatch(/^\/alerts\?facility=north&id=/);
    expect(screen.getByRole("link", { name: "Show on the communication map" }).getAttribute("href")).toBe("/facilities?view=map&facility=north&at=10.0.0.11");
  });

  test("goes back to the list as it was", async () => {
    const { user } = open(url);
    await user.click(await screen.findByRole("link", { name: "← All assets" }));
    expect(where()).toBe("/facilities?facility=north&role=controller");
  });

  test("takes a name and a zone", async () => {
    const { user } = open(url, { "POST /api/facilities/north/assets/import": { accepted: 1, rejected: 0, errors: [] } });
    await user.type(await screen.findByRole("textbox", { name: "Name" }), "PLC tank 1");
    await user.type(screen.getByRole("textbox", { name: "Zone" }), "L1 cell 3{Enter}");
    await waitFor(() => expect(sent.map((s) => s.body)).toEqual(['ip,name,zone\n"10.0.0.11","PLC tank 1","L1 cell 3"\n']));
    await screen.findByText("Saved.");
  });

  test("says why a name was not taken", async () => {
    const { user } = open(url, { "POST /api/facilities/north/assets/import": { accepted: 0, rejected: 1, errors: [{ line: 2, detail: "has a name that is too long" }] } });
    await user.type(await screen.findByRole("textbox", { name: "Name" }), "x{Enter}");
    await screen.findByText("It was not saved. has a name that is too long");
  });

  test("says that there is none, and leads to the alerts that name it", async () => {
    open("/facilities?facility=north&asset=10.0.0.99");
    await screen.findByRole("heading", { name: "There is no such asset" });
    expect(screen.getByRole("link", { name: "Alerts that name it" }).getAttribute("href")).toBe("/alerts?facility=north&search=10.0.0.99");
  });
});

describe("the communication map", () => {
  const url = "/facilities?view=map&facility=north";

  beforeEach(() => void vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(900)); // jsdom has no layout
  afterEach(() => vi.restoreAllMocks());

  test("draws hosts and lines; a host and a line are chosen and say what is behind them", async () => {
    const { user } = open(url);
    await screen.findByText("3 hosts, 2 pairs that talk");
    const map = within(await screen.findByTestId("map"));
    const host = map.getByRole("button", { name: "10.0.0.11, controller, 2 open alerts" });
    host.focus();
    await user.keyboard("{Enter}");
    expect(where()).toBe(`${url}&at=10.0.0.11`);
    expect(host.getAttribute("aria-pressed")).toBe("true");
    const chosen = within(screen.getByRole("complementary", { name: "Chosen" }));
    chosen.getByRole("heading", { name: "10.0.0.11" });
    await user.click(chosen.getByRole("button", { name: /HMI hall 2/ }));
    expect(where()).toBe(`${url}&at=10.0.0.2~10.0.0.11`);
    chosen.getByRole("heading", { name: "HMI hall 2 → 10.0.0.11" });
    chosen.getByText("write multiple registers");
    await user.click(chosen.getByRole("button", { name: "Clear the choice" }));
    expect(where()).toBe(url);
  });

  test("is walked by arrow keys", async () => {
    const { user } = open(url);
    const map = within(await screen.findByTestId("map"));
    map.getByRole("button", { name: /^HMI hall 2/ }).focus();
    await user.keyboard("{ArrowDown}");
    expect(document.activeElement!.getAttribute("data-host")).toBe("10.0.0.11");
    await user.keyboard("{ArrowUp}{ArrowUp}");
    expect(document.activeElement!.getAttribute("data-host")).toBe("10.0.0.2");
  });

  test("is a table as well, those that change something first", async () => {
    const { user } = open(url);
    await user.click(await screen.findByRole("button", { name: "Table" }));
    const rows = screen.getAllByRole("row").slice(1);
    expect(rows.map((r) => within(r).getAllByRole("cell").slice(0, 5).map((c) => c.textContent))).toEqual([
      ["HMI hall 2 10.0.0.2", "10.0.0.11", "modbus 502", "WWrites", "43"],
      ["10.0.0.11", "10.0.0.12", "modbus 502", "Reads", "7"],
    ]);
    await user.type(screen.getByRole("searchbox", { name: "Find a host" }), "0.12{Enter}");
    await waitFor(() => expect(screen.getAllByRole("row")).toHaveLength(2));
    await user.selectOptions(screen.getByRole("combobox", { name: "What it does" }), "Programs or controls");
    await screen.findByText("No conversation matches.");
  });

  test("says what it leaves out, and where there is nothing", async () => {
    open(url, { "/api/facilities/north/conversations": { conversations: talks, total: 9_000, assets: [] } });
    await screen.findByText("The 2 busiest of 9,000 conversations are taken in.");
  });

  test("says what a conversation is where there is none", async () => {
    open(url, { "/api/facilities/north/conversations": { conversations: [], total: 0, assets: [] } });
    await screen.findByText("No conversation was seen here yet");
  });

  test("asks for a facility where there are many", async () => {
    open("/facilities?view=map");
    await screen.findByText("Choose a facility to see who talks to whom there.");
  });
});
