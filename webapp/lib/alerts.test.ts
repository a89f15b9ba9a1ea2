import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { alert, created, list, page, updated } from "@/test/factories/alert";
import { asked as requests, sent, serve } from "@/test/server";
import { everything, type Filters } from "./alert-filters";
import { alertAlarms, alertArrivals, alertDetail, alertList, assignAlert, commentAlert, exportHref, holdAlerts, isAlertMessage, LiveAlerts, moreAlerts, Overtaken, setAlertsStatus, setAlertStatus, type AlertList } from "./alerts";

let cache: QueryClient;
let live: LiveAlerts;
let asked: string[]; // which queries were asked for again

beforeEach(() => {
  vi.useFakeTimers();
  cache = new QueryClient();
  live = new LiveAlerts(cache);
  asked = [];
  vi.spyOn(cache, "invalidateQueries").mockImplementation(async (f) => void asked.push(JSON.stringify(f?.queryKey)));
});
afterEach(() => {
  live.stop();
  vi.useRealTimers();
});

/** shown puts a list into the cache as if it had been answered; what() is what the screen would show of it now. */
function shown(filters: Filters, answered: AlertList) {
  const { queryKey } = alertList(filters);
  cache.setQueryData(queryKey, answered);
  return () => {
    const now = cache.getQueryData(queryKey)!;
    return { ...now, ids: now.alerts.map((a) => a.id) };
  };
}

/** settle lets a batch of messages come in, and what is to be asked for again be asked for. */
const settle = () => vi.advanceTimersByTime(LiveAlerts.batchEvery + LiveAlerts.reloadEvery);
const batch = () => vi.advanceTimersByTime(LiveAlerts.batchEvery);

describe("a new alert", () => {
  test("comes first, and counts", () => {
    const old = alert().build();
    const young = alert().build();
    const what = shown(everything, list([old]));
    live.apply(created(young));
    expect(what()).toMatchObject({ ids: [young.id, old.id], total: 2 });
    settle();
    expect(asked).toEqual([]);
  });

  test("of an old capture stands where its data time puts it", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([c, a]));
    live.apply(created(b));
    expect(what().ids).toEqual([c.id, b.id, a.id]);
  });

  test("that stands further down than what is loaded only counts, and has the list asked for again: the answer may have counted it", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([c, b], { next: "more", total: 9 }));
    live.apply(created(a));
    expect(what()).toMatchObject({ ids: [c.id, b.id], total: 10 });
    settle();
    expect(asked).toEqual([JSON.stringify(alertList(everything).queryKey)]);
  });

  test("that comes twice counts once", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([a]));
    for (const one of [b, c, b, c]) live.apply(created(one));
    batch();
    expect(what()).toMatchObject({ ids: [c.id, b.id, a.id], total: 3 });
  });

  test("that the list answered before its message came is not doubled", () => {
    const a = alert().build();
    const what = shown(everything, list([a]));
    live.apply(created(a));
    expect(what()).toMatchObject({ ids: [a.id], total: 1 });
  });

  test("does not show in a filter that it does not match", () => {
    const what = shown({ ...everything, severity: ["critical"] }, list([]));
    live.apply(created(alert().low().build()));
    expect(what()).toMatchObject({ ids: [], total: 0 });
    live.apply(created(alert().critical().build()));
    batch();
    expect(what()).toMatchObject({ total: 1 });
  });

  test("that may be what was searched for has the list asked for again", () => {
    const filters = { ...everything, search: "wrote" };
    shown(filters, list([]));
    live.apply(created(alert().build()));
    settle();
    expect(asked).toEqual([JSON.stringify(alertList(filters).queryKey)]);
  });

  test("is remembered as an arrival, the newest first", () => {
    const [a, b] = [alert().build(), alert().build()];
    live.apply(created(a));
    live.apply(created(b));
    live.apply(updated(b, {}));
    batch();
    expect(cache.getQueryData(alertArrivals.queryKey)!.map((x) => x.alert.id)).toEqual([b.id, a.id]);
  });
});

describe("a change", () => {
  test("is made in place", () => {
    const [a, b] = [alert().low().build(), alert().build()];
    const what = shown(everything, list([b, a]));
    live.apply(updated(a, { count: 7, severity: "critical" }));
    expect(what().alerts).toMatchObject([{ id: b.id }, { id: a.id, count: 7, severity: "critical", version: 2 }]);
    settle();
    expect(asked).toEqual([]);
  });

  test("moves the row where it is what the list is ordered by", () => {
    const [a, b] = [alert().low().build(), alert().build()];
    const what = shown({ ...everything, sort: "-severity" }, list([b, a]));
    live.apply(updated(a, { severity: "critical" }));
    expect(what().ids).toEqual([a.id, b.id]);
  });

  test("of an older or the same version is dropped", () => {
    const a = alert().with({ version: 5, count: 5 }).build();
    const what = shown(everything, list([a]));
    live.apply(updated(a, { version: 4, count: 4 }));
    live.apply(updated(a, { version: 5, count: 99 }));
    batch();
    expect(what().alerts[0]).toMatchObject({ count: 5, version: 5 });
  });

  test("that comes before an older one stays", () => {
    const a = alert().build();
    const what = shown(everything, list([a]));
    live.apply(updated(a, { version: 3, count: 3 }));
    live.apply(updated(a, { version: 2, count: 2 }));
    batch();
    expect(what().alerts[0]).toMatchObject({ count: 3, version: 3 });
  });

  test("that takes an alert out of the filter, or may bring one in, has the list asked for again", () => {
    const filters: Filters = { ...everything, status: ["new"] };
    const a = alert().build();
    shown(filters, list([a]));
    live.apply(updated(a, { status: "resolved" }));
    live.apply(updated(alert().with({ status: "resolved" }).build(), { status: "new" }));
    settle();
    expect(asked).toEqual([JSON.stringify(alertList(filters).queryKey)]);
  });

  test("of an alert further down in everything asks for nothing", () => {
    shown(everything, list([alert().build()], { total: 80, next: "more" }));
    live.apply(updated(alert().build(), {}));
    settle();
    expect(asked).toEqual([]);
  });

  test("of an alert that the whole list does not hold shows that its beginning was missed", () => {
    shown(everything, list([alert().build()]));
    live.apply(updated(alert().build(), {}));
    settle();
    expect(asked).toHaveLength(1);
  });

  test("of the open alert shows at once, and its history is asked for again, once", () => {
    const a = alert();
    const { queryKey } = alertDetail(a.build().id);
    cache.setQueryData(queryKey, a.detail({ time: "2026-03-04T05:00:00Z", kind: "detection", by: "port-scan", text: "…" }));
    live.apply(updated(a.build(), { count: 2 }));
    live.apply(updated(a.build(), { version: 3, count: 3 }));
    batch();
    expect(cache.getQueryData(queryKey)).toMatchObject({ count: 3, history: [{ by: "port-scan" }] });
    settle();
    expect(asked).toEqual([JSON.stringify(queryKey)]);
  });

  test("that a list has answered already still reaches the open alert", () => {
    const a = alert();
    const { queryKey } = alertDetail(a.build().id);
    cache.setQueryData(queryKey, a.detail());
    const done = updated(a.build(), { status: "resolved" });
    shown(everything, list([done.data]));
    live.apply(done);
    expect(cache.getQueryData(queryKey)).toMatchObject({ status: "resolved", version: done.data.version });
  });
});

describe("an alarm", () => {
  const alarms = () => cache.getQueryData(alertAlarms.queryKey)?.map((x) => x.alert.id) ?? [];
  test("is what begins as critical, or becomes so", () => {
    const [worst, rises, low, known] = [alert().critical().build(), alert().build(), alert().low().build(), alert().critical().build()];
    shown(everything, list([known]));
    for (const m of [created(worst), created(rises), created(low), updated(rises, { severity: "critical" }), updated(known, { count: 2 })]) live.apply(m);
    batch();
    expect(alarms()).toEqual([rises.id, worst.id]);
  });

  test("goes off also where a list has answered the alert before its message came", () => {
    const [worst, rises] = [alert().critical().build(), alert().build()];
    live.apply(created(rises));
    const risen = updated(rises, { severity: "critical" });
    shown(everything, list([worst, risen.data]));
    live.apply(created(worst));
    live.apply(risen);
    batch();
    expect(alarms()).toEqual([rises.id, worst.id]);
    expect(cache.getQueryData(alertArrivals.queryKey)?.map((x) => x.alert.id)).toEqual([worst.id, rises.id]);
  });

  test("goes off for what had come when messages were missed", () => {
    const [first, worst] = [alert().build(), alert().critical().build()];
    live.apply(created(first));
    live.apply(created(worst)); // waits for the next batch
    live.reload();
    expect(alarms()).toEqual([worst.id]);
  });

  test("is nothing that is muted, and nothing that may have been critical before", () => {
    live.apply(created(alert().critical().with({ muted: true }).build()));
    live.apply(updated(alert().critical().build(), { count: 9 }));
    batch();
    expect(alarms()).toEqual([]);
  });
});

test("a message during a reload has the list asked for again: the answer on its way may be older", () => {
  const { queryKey } = alertList(everything);
  cache.setQueryData(queryKey, list([]));
  let answer: (list: AlertList) => void = () => {};
  void cache.fetchQuery({ queryKey, queryFn: () => new Promise<AlertList>((done) => (answer = done)), staleTime: 0 });
  live.apply(created(alert().build()));
  settle();
  expect(asked).toEqual([]); // not while it is on its way
  answer(list([]));
  return vi.advanceTimersByTimeAsync(LiveAlerts.reloadEvery).then(() => expect(asked).toEqual([JSON.stringify(queryKey)]));
});

test("a storm comes in by batches, and the list does not grow for ever", () => {
  const what = shown(everything, list([alert().build()]));
  const changes = vi.fn();
  cache.getQueryCache().subscribe((e) => e.type === "updated" && e.query.queryKey[1] === "list" && changes());
  for (let i = 0; i < 1_000; i++) {
    live.apply(created(alert().build()));
    vi.advanceTimersByTime(5); // 200 a second
  }
  batch();
  expect(what().total).toBe(1_001);
  expect(what().alerts.length).toBeLessThanOrEqual(300);
  expect(what().next).toBeUndefined(); // the rest has to be found from the top
  expect(changes.mock.calls.length).toBeLessThan(60);
});

describe("a held list", () => {
  const held = (alerts: AlertList["alerts"], rest: Partial<AlertList> = {}) => list(alerts, { held: true, ...rest });

  test("keeps its rows; what comes waits, and is counted", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, held([a]));
    live.apply(created(b));
    live.apply(created(c));
    batch();
    expect(what()).toMatchObject({ ids: [a.id], waitingCount: 2, total: 3 });
    holdAlerts(cache, everything, false);
    expect(what()).toMatchObject({ ids: [c.id, b.id, a.id], waitingCount: 0, held: false });
    expect(asked).toEqual([]);
  });

  test("shows changes in its rows, also of what no longer matches, which goes when it is let go", () => {
    const filters: Filters = { ...everything, status: ["new"] };
    const [a, b] = [alert().build(), alert().build()];
    const what = shown(filters, held([b, a]));
    live.apply(updated(a, { status: "acknowledged" }));
    expect(what().alerts[1]).toMatchObject({ id: a.id, status: "acknowledged" });
    holdAlerts(cache, filters, false);
    expect(what().ids).toEqual([b.id]);
  });

  test("does not move a row that its order would move", () => {
    const [a, b] = [alert().low().build(), alert().build()];
    const what = shown({ ...everything, sort: "-severity" }, held([b, a]));
    live.apply(updated(a, { severity: "critical" }));
    expect(what().ids).toEqual([b.id, a.id]);
  });

  test("in a storm keeps no more waiting than a page, and asks anew when it is let go", () => {
    const what = shown(everything, held([alert().build()]));
    for (let i = 0; i < 500; i++) live.apply(created(alert().build()));
    batch();
    expect(what()).toMatchObject({ waitingCount: 500, total: 501 });
    expect(what().waiting.length).toBe(100);
    expect(what().alerts.length).toBe(1);
    holdAlerts(cache, everything, false);
    expect(asked).toEqual([JSON.stringify(alertList(everything).queryKey)]);
    expect(what().renew).toBe(true);
    holdAlerts(cache, everything, true); // the pointer is still there: what was asked for comes in nevertheless
    expect(what().renew).toBe(true);
  });

  test("whose waiting was cut is asked for again where a message comes late: the answer may have counted it", () => {
    const [shownOne, late] = [alert().build(), alert().build()];
    shown(everything, held([shownOne], { total: 102 }));
    for (let i = 0; i < 100; i++) live.apply(created(alert().build()));
    settle();
    expect(asked).toEqual([]);
    live.apply(created(late));
    settle();
    expect(asked).toEqual([JSON.stringify(alertList(everything).queryKey)]);
  });

  test("that is asked for again keeps its rows, with what is new of them", async () => {
    const [a, b] = [alert().build(), alert().build()];
    const what = shown(everything, held([a], { behind: true }));
    serve({ "/api/alerts": page([b, { ...a, version: 2, count: 7 }]) });
    await cache.fetchQuery({ ...alertList(everything), staleTime: 0 });
    expect(what()).toMatchObject({ ids: [a.id], waitingCount: 1, total: 2, behind: false });
    expect(what().alerts[0]!.count).toBe(7);
  });

  test("that is to be renewed takes the answer whole", async () => {
    const [a, b] = [alert().build(), alert().build()];
    const what = shown(everything, held([a], { renew: true }));
    serve({ "/api/alerts": page([b]) });
    await cache.fetchQuery({ ...alertList(everything), staleTime: 0 });
    expect(what()).toMatchObject({ ids: [b.id], held: true, renew: false });
  });
});

describe("more alerts", () => {
  test("come behind the ones that are there, each once", async () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([c, b], { next: "after-b", total: 3 }));
    serve({ "/api/alerts": page([b, a], { total: 3 }) });
    await moreAlerts(cache, everything);
    expect(requests).toEqual(["/api/alerts?sort=-timestamp&limit=100&cursor=after-b"]);
    expect(what()).toMatchObject({ ids: [c.id, b.id, a.id], next: null });
    await moreAlerts(cache, everything);
    expect(requests).toHaveLength(1);
  });

  test("of a list that was cut in a storm are found from the top", async () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([b], { next: undefined, total: 3, held: true }));
    serve({ "/api/alerts": page([c, b, a], { total: 3 }) });
    await moreAlerts(cache, everything);
    expect(what().ids).toEqual([b.id, a.id]); // c is above, and waits
  });
});

describe("a triage", () => {
  const ok = (a: ReturnType<typeof alert>, version: number) => ({ ...a.detail(), version, status: "acknowledged" as const });

  test("is made to the version that was seen, and shows everywhere at once", async () => {
    const a = alert();
    const what = shown(everything, list([a.build()]));
    serve({ [`PUT /api/alerts/${a.build().id}/status`]: ok(a, 2) });
    await setAlertStatus(cache, a.build(), { status: "acknowledged" });
    expect(sent).toMatchObject([{ body: { status: "acknowledged" }, ifMatch: '"1"' }]);
    expect(what().alerts[0]).toMatchObject({ status: "acknowledged", version: 2 });
    expect(what().alerts[0]).not.toHaveProperty("history");
  });

  test("is made again where only detections came in between", async () => {
    const a = alert();
    const id = a.build().id;
    serve({
      [`PUT /api/alerts/${id}/status`]: ({ ifMatch }) => (ifMatch === '"3"' ? ok(a, 4) : 412),
      [`/api/alerts/${id}`]: { ...a.detail(), version: 3, count: 9 },
    });
    expect(await setAlertStatus(cache, a.build(), { status: "acknowledged" })).toMatchObject({ version: 4 });
    expect(sent.map((s) => s.ifMatch)).toEqual(['"1"', '"3"']);
  });

  test.each([
    ["moved", { status: "resolved" as const }],
    ["assigned", { assignee: "ada" }],
  ])("is not made where a colleague has %s it", async (_, theirs) => {
    const a = alert();
    const id = a.build().id;
    serve({ [`PUT /api/alerts/${id}/status`]: 412, [`/api/alerts/${id}`]: { ...a.detail(), version: 3, ...theirs } });
    const failed = setAlertStatus(cache, a.build(), { status: "acknowledged" });
    await expect(failed).rejects.toBeInstanceOf(Overtaken);
    await expect(failed).rejects.toMatchObject({ now: theirs });
    expect(sent).toHaveLength(1);
  });

  test("of a storm's alert gives up after some tries, and says why", async () => {
    const a = alert();
    const id = a.build().id;
    let version = 1;
    serve({ [`PUT /api/alerts/${id}/assignee`]: 412, [`/api/alerts/${id}`]: () => ({ ...a.detail(), version: ++version }) });
    await expect(assignAlert(cache, a.build(), "ada")).rejects.toMatchObject({ status: 412 });
    expect(sent).toHaveLength(5);
  });

  test("a comment goes in whatever others do", async () => {
    const a = alert();
    serve({ [`POST /api/alerts/${a.build().id}/comments`]: { ...a.detail(), version: 7 } });
    await commentAlert(cache, a.build(), "seen before");
    expect(sent).toMatchObject([{ body: { text: "seen before" }, ifMatch: null }]);
  });

  test("of many goes out by the thousand, and what failed is told", async () => {
    serve({ "POST /api/alerts/status": ({ body }) => ({ changed: (body as { ids: string[] }).ids.length - 1, alerts: [], errors: [{ id: "x", status: 404, detail: "no such alert" }] }) });
    const ids = Array.from({ length: 1_200 }, (_, i) => String(i));
    expect(await setAlertsStatus(ids, { status: "resolved", note: "tested" })).toMatchObject({ changed: 1_198, errors: [{}, {}] });
    expect(sent.map((s) => (s.body as { ids: string[] }).ids.length)).toEqual([1_000, 200]);
    expect(sent[0]!.body).toMatchObject({ status: "resolved", note: "tested" });
  });
});

test("an export is asked for under the same filters", () => {
  expect(exportHref({ ...everything, severity: ["critical", "high"], search: "a b" }, "stix")).toBe("/api/alerts/export?severity=critical%2Chigh&search=a%20b&format=stix");
});

describe("isAlertMessage", () => {
  test.each([
    ["a new alert", created(alert().build()), true],
    ["a changed alert", updated(alert().build(), {}), true],
    ["another type", { channel: "alerts", type: "fl_progress", data: alert().build() }, false],
    ["no data", { channel: "alerts", type: "alert_created" }, false],
    ["data without an id", { channel: "alerts", type: "alert_created", data: { version: 1 } }, false],
    ["text", "alert_created", false],
    ["null", null, false],
  ])("%s", (_, message, want) => expect(isAlertMessage(message)).toBe(want));
});
