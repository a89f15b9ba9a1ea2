import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { alert, created, list, updated } from "@/test/factories/alert";
import { alertArrivals, alertDetail, alertList, isAlertMessage, LiveAlerts, type AlertList, type Filters } from "./alerts";

const everything: Filters = { severity: [], status: [], facility: [], page: 1 };

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

/** shown puts a page into the cache as if it had been answered; what() is what the screen would show of it now. */
function shown(filters: Filters, page: AlertList) {
  const { queryKey } = alertList(filters);
  cache.setQueryData(queryKey, page);
  return () => {
    const now = cache.getQueryData(queryKey)!;
    return { ids: now.alerts!.map((a) => a.id), total: now.total, pages: now.pages, alerts: now.alerts! };
  };
}
const settle = () => vi.advanceTimersByTime(LiveAlerts.reloadEvery);

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

  test("pushes the last one to the next page", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([b, a], { limit: 2 }));
    live.apply(created(c));
    expect(what()).toMatchObject({ ids: [c.id, b.id], total: 3, pages: 2 });
  });

  test("that comes twice counts once, also when it was pushed off the page", () => {
    const [a, b, c] = [alert().build(), alert().build(), alert().build()];
    const what = shown(everything, list([a], { limit: 1 }));
    for (const one of [b, c, b, c]) live.apply(created(one));
    expect(what()).toMatchObject({ ids: [c.id], total: 3 });
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
    expect(what()).toMatchObject({ total: 1 });
  });

  test("moves every later page, which is asked for again", () => {
    const filters = { ...everything, page: 2 };
    shown(filters, list([alert().build()], { page: 2, pages: 2, total: 51 }));
    live.apply(created(alert().build()));
    settle();
    expect(asked).toEqual([JSON.stringify(alertList(filters).queryKey)]);
  });

  test("is remembered as an arrival, the newest first", () => {
    const [a, b] = [alert().build(), alert().build()];
    live.apply(created(a));
    live.apply(created(b));
    live.apply(updated(b, {}));
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

  test("of an older or the same version is dropped", () => {
    const a = alert().with({ version: 5, count: 5 }).build();
    const what = shown(everything, list([a]));
    live.apply(updated(a, { version: 4, count: 4 }));
    live.apply(updated(a, { version: 5, count: 99 }));
    expect(what().alerts[0]).toMatchObject({ count: 5, version: 5 });
  });

  test("that comes before an older one stays", () => {
    const a = alert().build();
    const what = shown(everything, list([a]));
    live.apply(updated(a, { version: 3, count: 3 }));
    live.apply(updated(a, { version: 2, count: 2 }));
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

  test("of an alert on another page of everything asks for nothing", () => {
    shown(everything, list([alert().build()], { total: 80, pages: 2 }));
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
    expect(cache.getQueryData(queryKey)).toMatchObject({ count: 3, history: [{ by: "port-scan" }] });
    settle();
    expect(asked).toEqual([JSON.stringify(queryKey)]);
  });
});

test("a message during a reload has the list asked for again: the answer on its way may be older", () => {
  const { queryKey } = alertList(everything);
  cache.setQueryData(queryKey, list([]));
  void cache.fetchQuery({ queryKey, queryFn: () => new Promise<AlertList>(() => {}), staleTime: 0 });
  live.apply(created(alert().build()));
  settle();
  expect(asked).toEqual([JSON.stringify(queryKey)]);
});

test("a storm of messages asks once in a while, not once each", () => {
  shown({ ...everything, page: 2 }, list([alert().build()], { page: 2, pages: 9, total: 440 }));
  for (let i = 0; i < 500; i++) live.apply(created(alert().build()));
  settle();
  expect(asked).toHaveLength(1);
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
