import { act, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, test, vi } from "vitest";

import { shortcuts } from "@/lib/keys";
import { views } from "@/lib/views";
import type { AlertMessage, LiveAlerts } from "@/lib/alerts";
import { alert, created, page, updated } from "@/test/factories/alert";
import { show, where } from "@/test/page";
import { asked, sent, serve } from "@/test/server";
import { AlertsView } from "./alerts-view";

const rows = () => within(screen.getByRole("list", { name: "Alerts" })).getAllByRole("listitem");
const titles = () => rows().map((row) => within(row).getByRole("link").textContent);
const lists = () => asked.filter((path) => path.startsWith("/api/alerts?"));

type Answers = Parameters<typeof serve>[0];

/** open shows the page with these alerts on the server, each of which can be opened. */
function open(alerts: ReturnType<typeof alert>[], url = "/alerts", more: Answers = {}) {
  const built = alerts.map((a) => a.build());
  serve({
    "/api/alerts": page(built),
    "/api/system/status": { facilities: [{ id: "north", name: "north" }, { id: "south", name: "south" }] },
    "/api/mitre/techniques": [{ id: "T0855", name: "Unauthorized Command Message" }],
    "/api/alerts/stats": { by_technique: { T0855: 3, T0846: 1 } },
    "/api/predictions": { predictions: [] },
    ...Object.fromEntries(
      alerts.flatMap((a) => [
        [`/api/alerts/${a.build().id}`, a.detail({ time: a.build().timestamp, kind: "detection", by: "write-from-new-host", text: "as it began" })],
        [`/api/context/${a.build().id}/evidence`, { timeline: [], evidence: [] }],
      ]),
    ),
    ...more,
  });
  return { ...show(<AlertsView />, url), alerts: built };
}

/** arrives brings a message in and waits until the screen has it, which is a task later. */
const arrives = (live: LiveAlerts, message: AlertMessage) =>
  act(async () => {
    live.apply(message);
    await new Promise((done) => setTimeout(done));
  });

describe("the list", () => {
  test("says of each alert what happened, to what, how often, and who works on it", async () => {
    const { alerts } = open([alert().critical().at("10.0.0.12").with({ count: 3, status: "acknowledged", assignee: "ada", muted: true })]);
    const row = await screen.findByRole("listitem");
    for (const words of [
      "Critical",
      "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before.",
      "10.0.0.12",
      "T0855",
      "Unauthorized Command Message",
      "3×",
      "Acknowledged",
      "default",
      "ada",
      "Muted",
    ]) {
      expect(within(row).getAllByText(words).length, words).toBeGreaterThan(0);
    }
    expect(within(row).getByRole("link", { name: "Write from a host that never wrote" }).getAttribute("href")).toBe(`/alerts?id=${alerts[0]!.id}`);
    expect(row.querySelector("time")!.title).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
    expect(screen.getByTestId("total").textContent).toBe("1 alert");
  });

  test("takes every filter from the URL", async () => {
    const query = "severity=critical,high&status=new&facility=north&technique=T0855&assignee=ada&search=wrote&time_range=24h&muted=false";
    open([alert()], `/alerts?${query}&sort=-severity&foo=1`);
    await screen.findByRole("listitem");
    expect(lists()).toEqual([`/api/alerts?${query}&sort=-severity&limit=100`]);
    expect(screen.getByRole("button", { name: "High" }).getAttribute("aria-pressed")).toBe("true");
    expect(screen.getByRole("button", { name: "Low" }).getAttribute("aria-pressed")).toBe("false");
    expect(screen.getByRole("searchbox", { name: "Search alerts" })).toHaveProperty("value", "wrote");
    expect(screen.getByRole("button", { name: "Last 24 hours" })).toBeTruthy();
  });

  test("puts filters into the URL", async () => {
    const { user } = open([alert().with({ assignee: "ada" })]);
    await screen.findByRole("listitem");
    await user.click(screen.getByRole("button", { name: "Low" }));
    await user.click(screen.getByRole("button", { name: "Critical" }));
    await user.click(screen.getByRole("button", { name: "New" }));
    expect(where()).toBe("/alerts?severity=critical,low&status=new");
    await user.click(screen.getByRole("button", { name: "Facility" }));
    await user.click(await screen.findByRole("checkbox", { name: "south" }));
    await user.keyboard("{Escape}");
    await user.click(screen.getByRole("button", { name: "Technique" }));
    await user.click(await screen.findByRole("checkbox", { name: /^T0855 Unauthorized Command Message/ }));
    await user.keyboard("{Escape}");
    await user.click(screen.getByRole("button", { name: "Assigned to" }));
    await user.click(await screen.findByRole("checkbox", { name: "ada" }));
    await user.type(screen.getByRole("textbox", { name: "Name" }), "bob{Enter}");
    await user.keyboard("{Escape}");
    await user.click(screen.getByRole("button", { name: "Time" }));
    await user.click(screen.getByRole("button", { name: "Last 7 days" }));
    expect(where()).toBe("/alerts?severity=critical,low&status=new&facility=south&technique=T0855&assignee=ada,bob&time_range=7d");
    await user.selectOptions(screen.getByRole("combobox", { name: "Order" }), "Most severe first");
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(where()).toBe("/alerts?sort=-severity");
  });

  test("takes two moments in place of a range", async () => {
    const { user } = open([alert()], "/alerts?time_range=24h");
    await user.click(await screen.findByRole("button", { name: "Last 24 hours" }));
    fireEvent.change(screen.getByLabelText("From"), { target: { value: "2026-03-04T05:00" } });
    await user.click(screen.getByRole("button", { name: "Apply" }));
    expect(where()).toMatch(/^\/alerts\?from=2026-03-0\dT\d\d:00:00\.000Z$/);
  });

  test("searches while one types, and / leads to the field", async () => {
    const { user } = open([alert()]);
    await screen.findByRole("listitem");
    await user.keyboard("/");
    expect(document.activeElement).toBe(screen.getByRole("searchbox"));
    await user.keyboard("new host x");
    await waitFor(() => expect(where()).toBe("/alerts?search=new host x"));
    expect(screen.queryByText("1 selected")).toBeNull(); // the x was a letter
  });

  test("draws what is near the screen only", async () => {
    open([], "/alerts", { "/api/alerts": page(Array.from({ length: 100 }, () => alert().build()), { total: 1_000_000, next_cursor: "more" }) });
    await screen.findByText("1,000,000 alerts");
    expect(rows().length).toBeLessThan(50);
    expect(rows()[0]!.getAttribute("aria-setsize")).toBe("1000000");
  });

  test("reads on by cursor, and offers to try again where that failed", async () => {
    vi.stubGlobal("innerHeight", 2_500); // a screen on which the end of the page shows
    const first = Array.from({ length: 100 }, () => alert().build()).reverse();
    const behind = "/api/alerts?sort=-timestamp&limit=100&cursor=behind";
    const { user } = open([], "/alerts", { "/api/alerts": page(first, { total: 101, next_cursor: "behind" }), [behind]: 500 });
    await screen.findByText("The next alerts could not be loaded.");
    expect(lists()).toEqual(["/api/alerts?sort=-timestamp&limit=100", behind]); // not again by itself
    serve({ [behind]: page([alert().with({ timestamp: "2026-03-01T00:00:00Z" }).build()], { total: 101 }) });
    await user.click(screen.getByText("Try again"));
    await screen.findByText("That is all: 101 alerts.");
    expect(lists()).toEqual([behind]);
    vi.unstubAllGlobals();
  });

  test("keeps views under a name", async () => {
    const { user } = open([alert()], "/alerts?severity=critical&status=new");
    await screen.findByRole("listitem");
    await user.click(screen.getByRole("button", { name: "Views" }));
    await user.type(screen.getByRole("textbox", { name: /Name of the view/ }), "To triage{Enter}");
    expect(views.read()).toEqual([{ name: "To triage", search: "severity=critical&status=new" }]);
    await user.keyboard("{Escape}");
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    await user.click(screen.getByRole("button", { name: "Views" }));
    await user.click(screen.getByRole("button", { name: "Show the view To triage" }));
    expect(where()).toBe("/alerts?severity=critical&status=new");
    await user.click(screen.getByRole("button", { name: "To triage" }));
    await user.click(screen.getByRole("button", { name: "Remove the view To triage" }));
    expect(views.read()).toEqual([]);
  });

  test("is exported under its filters", async () => {
    const { user } = open([alert()], "/alerts?severity=high");
    await screen.findByRole("listitem");
    await user.click(screen.getByRole("button", { name: "Export" }));
    expect(screen.getAllByRole("link", { name: /CSV|JSON|STIX/ }).map((a) => a.getAttribute("href"))).toEqual(["csv", "json", "stix"].map((f) => `/api/alerts/export?severity=high&format=${f}`));
  });
});

describe("where there is nothing to list", () => {
  test("it says that it is loading", () => {
    serve({ "/api/alerts": new Promise<object>(() => {}) });
    show(<AlertsView />, "/alerts");
    expect(screen.getByRole("status", { name: "Loading alerts" })).toBeTruthy();
  });

  test("it says what to do next", async () => {
    open([]);
    await screen.findByRole("heading", { name: "No alerts yet" });
    expect(screen.getByText("make demo-capture")).toBeTruthy();
    expect(screen.getByText("breakwater replay FILE --learn 300s")).toBeTruthy();
  });

  test("it says that the filter lets nothing through, and clears it", async () => {
    const { user } = open([], "/alerts?severity=low");
    await screen.findByRole("heading", { name: "No alert matches these filters" });
    await user.click(screen.getAllByRole("button", { name: "Clear filters" })[0]!);
    expect(where()).toBe("/alerts");
  });

  test.each([
    [500, "the reason for 500"],
    [0, "The server cannot be reached. Is Breakwater running?"],
  ])("it says why it failed (%i), and tries again", async (status, words) => {
    serve({ "/api/alerts": status });
    const { user } = show(<AlertsView />, "/alerts");
    expect((await screen.findByRole("alert")).textContent).toContain(words);
    serve({ "/api/alerts": page([alert().build()]) });
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("listitem")).toBeTruthy();
  });
});

describe("the panel", () => {
  test("tells all of one alert", async () => {
    const { user } = open([alert().with({ context_analysis: "42 packets/s, usually 21", techniques: ["T0855"] })]);
    await user.click(await screen.findByRole("link", { name: /^Write/ }));
    const panel = await screen.findByRole("dialog", { name: "Write from a host that never wrote" });
    for (const words of ["Ask who works at 10.0.0.57.", "1 detection by 1 model in 1s: write-from-new-host (1)", "42 packets/s, usually 21", "10.0.0.57 → 10.0.0.11:502", "Sources (1)", "Layer 1: something is wrong", "What happened (1)", "as it began", "Nobody has touched this alert yet."]) {
      expect(within(panel).getByText(words), words).toBeTruthy();
    }
  });

  test("opens with Enter and closes with Escape, and the focus is where it was", async () => {
    const { user, alerts } = open([alert(), alert()]);
    await screen.findAllByRole("listitem");
    await user.keyboard("jj");
    const second = within(rows()[1]!).getByRole("link");
    expect(document.activeElement).toBe(second);
    await user.keyboard("{Enter}");
    expect(where()).toBe(`/alerts?id=${alerts[1]!.id}`);
    const panel = await screen.findByRole("dialog");
    expect(panel.contains(document.activeElement)).toBe(true);
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(where()).toBe("/alerts");
    await waitFor(() => expect(document.activeElement).toBe(second));
  });

  test("goes from alert to alert with j and k, and stops at the ends", async () => {
    const [two, one] = [alert().titled("two"), alert().titled("one")];
    const { user, alerts } = open([one, two]);
    await user.click(await screen.findByRole("link", { name: "one" }));
    await screen.findByRole("dialog", { name: "one" });
    await user.keyboard("jj");
    await screen.findByRole("dialog", { name: "two" });
    await user.keyboard("k");
    await screen.findByRole("dialog", { name: "one" });
    expect(where()).toBe(`/alerts?id=${alerts[0]!.id}`);
  });

  test("keeps the filters of the list", async () => {
    const { user, alerts } = open([alert()], "/alerts?severity=high");
    await user.click(await screen.findByRole("link", { name: /^Write/ }));
    expect(where()).toBe(`/alerts?severity=high&id=${alerts[0]!.id}`);
  });

  test("says that there is no such alert", async () => {
    open([alert()], "/alerts?id=01930a7e-3c00-7abc-8def-ffffffffffff");
    await screen.findByRole("dialog", { name: "There is no such alert" });
    await screen.findByRole("listitem");
  });
});

describe("triage", () => {
  const status = (a: ReturnType<typeof alert>) => `PUT /api/alerts/${a.build().id}/status`;

  test("a acknowledges the alert one is at, as it was seen", async () => {
    const a = alert().with({ version: 4 });
    const { user } = open([a], "/alerts", { [status(a)]: { ...a.detail(), version: 5, status: "acknowledged" } });
    await screen.findByRole("listitem");
    await user.keyboard("ja");
    await screen.findByText("Acknowledged 1 alert.");
    expect(sent).toMatchObject([{ to: status(a), ifMatch: '"4"', body: { status: "acknowledged" } }]);
    expect(within(rows()[0]!).getAllByText("Acknowledged").length).toBeGreaterThan(0);
  });

  test("r asks for a note first, and Enter resolves", async () => {
    const a = alert();
    const { user } = open([a], "/alerts", { [status(a)]: { ...a.detail(), version: 2, status: "resolved" } });
    await screen.findByRole("listitem");
    await user.keyboard("jr");
    await screen.findByRole("dialog", { name: "Resolve 1 alert" });
    await user.keyboard("announced work{Enter}");
    await screen.findByText("Resolved 1 alert.");
    expect(sent[0]!.body).toEqual({ status: "resolved", note: "announced work" });
  });

  test("f marks what is selected with x as false positive, and teaches it", async () => {
    const [one, two, three] = [alert(), alert(), alert()];
    const { user, alerts } = open([one, two, three], "/alerts", { "POST /api/alerts/status": { changed: 2, alerts: [], errors: [] } });
    await screen.findAllByRole("listitem");
    await user.keyboard("jxjx");
    expect(screen.getByText("2 selected")).toBeTruthy();
    await user.keyboard("f");
    await user.click(await screen.findByRole("checkbox", { name: /^Learn it as normal/ }));
    await user.click(screen.getByRole("button", { name: "Mark 2 alerts as false positive" }));
    await screen.findByText("Marked 2 alerts as false positive.");
    expect(sent[0]!.body).toEqual({ ids: [alerts[0]!.id, alerts[1]!.id], status: "false-positive", learn: true });
    expect(screen.queryByText("2 selected")).toBeNull();
  });

  test("Shift selects through, the head selects all, Escape selects none", async () => {
    const { user } = open([alert(), alert(), alert(), alert()]);
    await screen.findAllByRole("listitem");
    const boxes = screen.getAllByRole("checkbox", { name: "Select: Write from a host that never wrote" });
    await user.click(boxes[0]!);
    await user.keyboard("{Shift>}");
    await user.click(boxes[2]!);
    await user.keyboard("{/Shift}");
    expect(screen.getByText("3 selected")).toBeTruthy();
    expect(where()).toBe("/alerts"); // a row is not opened by its box
    await user.click(screen.getByRole("checkbox", { name: "Select the 4 alerts loaded so far" }));
    expect(screen.getByText("4 selected")).toBeTruthy();
    await user.keyboard("{Escape}");
    expect(screen.queryByText("4 selected")).toBeNull();
  });

  test("says what a colleague did who was quicker", async () => {
    const a = alert();
    const { user } = open([a], "/alerts", {
      [status(a)]: 412,
      [`/api/alerts/${a.build().id}`]: { ...a.detail({ time: "2026-03-04T06:30:00Z", kind: "status", by: "ada", text: "resolved: announced work" }), version: 9, status: "resolved", assignee: "ada" },
    });
    await screen.findByRole("listitem");
    await user.keyboard("ja");
    const said = await screen.findByRole("alert");
    expect(said.textContent).toContain("A colleague was quicker. Write from a host that never wrote: it is resolved and assigned to ada now.");
    expect(said.textContent).toContain("resolved: announced work");
    await user.click(within(said).getByRole("button", { name: "Show" }));
    expect(where()).toBe(`/alerts?id=${a.build().id}`);
  });

  test("says what failed of many", async () => {
    const { user } = open([alert(), alert()], "/alerts", { "POST /api/alerts/status": { changed: 1, alerts: [], errors: [{ id: "x", status: 404, detail: "there is no alert x" }] } });
    await screen.findAllByRole("listitem");
    await user.click(screen.getByRole("checkbox", { name: /^Select the 2/ }));
    await user.keyboard("a");
    expect((await screen.findByRole("alert")).textContent).toContain("1 alert changed. there is no alert x");
    expect(screen.getByText("2 selected")).toBeTruthy(); // to try again
  });

  test("without an alert says so", async () => {
    const { user } = open([alert()]);
    await screen.findByRole("listitem");
    await user.keyboard("a");
    await screen.findByText("Select an alert first, or go to one with j and k.");
    expect(sent).toEqual([]);
  });

  test("assigns, and comments, from the panel", async () => {
    const a = alert();
    const id = a.build().id;
    const { user } = open([a], `/alerts?id=${id}`, {
      [`PUT /api/alerts/${id}/assignee`]: { ...a.detail(), version: 2, assignee: "ada" },
      [`POST /api/alerts/${id}/comments`]: { ...a.detail({ time: "2026-03-04T06:30:00Z", kind: "comment", by: "local", text: "asked the shift" }), version: 3, assignee: "ada" },
    });
    const panel = await screen.findByRole("dialog", { name: "Write from a host that never wrote" });
    await user.click(within(panel).getByRole("button", { name: "Assign" }));
    await user.clear(within(panel).getByRole("textbox", { name: "Who works on it" }));
    await user.keyboard("ada{Enter}");
    await within(panel).findByText("ada");
    await user.type(within(panel).getByRole("textbox", { name: "Comment" }), "asked the shift");
    await user.click(within(panel).getByRole("button", { name: "Add comment" }));
    await within(panel).findByText("asked the shift");
    expect(sent.map((s) => s.body)).toEqual([{ assignee: "ada" }, { text: "asked the shift" }]);
    expect(within(panel).getByRole("textbox", { name: "Comment" })).toHaveProperty("value", "");
  });

  test("reopens from the panel without a question", async () => {
    const a = alert().with({ status: "resolved" });
    const { user } = open([a], `/alerts?id=${a.build().id}`, { [status(a)]: { ...a.detail(), version: 2, status: "new" } });
    await user.click(await screen.findByRole("button", { name: "Reopen" }));
    await screen.findByText("Reopened 1 alert.");
  });

  test("single letters do nothing where they were turned off; ? is one of them", async () => {
    shortcuts.write(false);
    const { user } = open([alert()]);
    await screen.findByRole("listitem");
    await user.keyboard("jx?");
    expect(screen.queryByText("1 selected")).toBeNull();
    expect(screen.queryByRole("dialog")).toBeNull();
    await user.click(screen.getByRole("button", { name: "Keyboard shortcuts (?)" }));
    await screen.findByText(/turned off in the settings/);
    shortcuts.write(true);
  });

  test("? lists the keys", async () => {
    const { user } = open([alert()]);
    await screen.findByRole("listitem");
    await user.keyboard("?");
    const help = await screen.findByRole("dialog", { name: "Keyboard shortcuts" });
    for (const key of "jkxarf/?") expect(within(help).getByText(key)).toBeTruthy();
    await user.keyboard("j{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(document.querySelector("[data-current]")).toBeNull(); // j went to no row behind the help
  });
});

describe("live", () => {
  test("a new alert comes first, is highlighted for a while and said aloud once", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { live } = open([alert().titled("old")]);
    await screen.findByRole("listitem");
    await arrives(live, created(alert().critical().titled("Port scan").at("10.0.0.9").build()));
    expect(titles()).toEqual(["Port scan", "old"]);
    expect(rows().map((row) => row.dataset.fresh)).toEqual(["true", undefined]);
    await act(() => vi.advanceTimersByTimeAsync(2_100));
    expect(screen.getByText("New critical alert: Port scan, 10.0.0.9")).toBeTruthy();
    await act(() => vi.advanceTimersByTimeAsync(6_000));
    expect(rows().map((row) => row.dataset.fresh)).toEqual([undefined, undefined]);
    vi.useRealTimers();
  });

  test("many at once are said in one sentence", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    const { live } = open([alert()]);
    await screen.findByRole("listitem");
    for (let i = 0; i < 5; i++) {
      await arrives(live, created(alert().titled(`scan ${i}`).build()));
      await act(() => vi.advanceTimersByTimeAsync(100));
    }
    await act(() => vi.advanceTimersByTimeAsync(2_100));
    expect(screen.getByText("5 new alerts, the latest high: scan 4, 10.0.0.11")).toBeTruthy();
    vi.useRealTimers();
  });

  test("no row moves while the pointer is in the list; what came shows on demand, and when the pointer leaves", async () => {
    const { live, user } = open([alert().titled("one")]);
    await user.hover((await screen.findAllByRole("listitem"))[0]!);
    await arrives(live, created(alert().titled("two").build()));
    expect(titles()).toEqual(["one"]);
    expect(screen.getByTestId("total").textContent).toBe("2 alerts");
    await user.click(await screen.findByRole("button", { name: "Show 1 new alert" }));
    expect(titles()).toEqual(["two", "one"]);
    await user.hover(rows()[0]!);
    await act(() => new Promise((done) => setTimeout(done, 300)));
    await arrives(live, created(alert().titled("three").build()));
    expect(titles()).toEqual(["two", "one"]);
    await user.hover(screen.getByRole("heading", { name: "Alerts" }));
    await waitFor(() => expect(titles()).toEqual(["three", "two", "one"]));
  });

  test("an alert that was moved stays under the pointer, and goes when it leaves", async () => {
    const [a, b] = [alert().titled("a"), alert().titled("b")];
    const { live, user, alerts } = open([b, a], "/alerts?status=new");
    await user.hover((await screen.findAllByRole("listitem"))[0]!);
    await arrives(live, updated(alerts[0]!, { status: "acknowledged" }));
    expect(titles()).toEqual(["b", "a"]);
    serve({ "/api/alerts": page([alerts[1]!]) });
    await user.hover(screen.getByRole("heading", { name: "Alerts" }));
    await waitFor(() => expect(titles()).toEqual(["a"]));
  });

  test("a new alert that the filter hides is told of, and can be opened", async () => {
    const { live, user } = open([alert().critical()], "/alerts?severity=critical");
    await screen.findByRole("listitem");
    const hidden = alert().low().titled("New device").build();
    await arrives(live, created(hidden));
    expect(rows()).toHaveLength(1);
    await user.click(screen.getByRole("button", { name: "Show" }));
    expect(where()).toBe(`/alerts?severity=critical&id=${hidden.id}`);
  });

  test("a change shows in the row and in the open panel", async () => {
    const { live, user, alerts } = open([alert()]);
    await user.click(await screen.findByRole("link", { name: /^Write/ }));
    const panel = await screen.findByRole("dialog", { name: alerts[0]!.title });
    await arrives(live, updated(alerts[0]!, { count: 1_234, severity: "critical" }));
    expect(within(panel).getByText("1,234×")).toBeTruthy();
    expect(within(rows()[0]!).getAllByText("Critical")).toHaveLength(1);
    expect(within(rows()[0]!).getAllByText("1,234×").length).toBeGreaterThan(0);
    live.stop();
  });
});
