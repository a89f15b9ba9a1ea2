import type { DemoRun, DemoState } from "@/lib/demo";
import type { Message } from "@/lib/live";

/** run is a run of the port scan that has just begun, with one thing expected of it. */
export function run(change: Partial<DemoRun> = {}): DemoRun {
  return {
    scenario_id: "01930a7e-3c00-7abc-8def-2123456789ab", scenario: "port-scan", facilities: ["demo-northgate"], status: "running", stage: "normal operation", progress: 10,
    expected: [{ what: "an alert names T0846, Remote System Discovery", found: false, detail: "", after: null, alert_id: null }],
    message: "", started_at: "2026-03-04T12:00:00Z", ended_at: null, version: 1, ...change,
  };
}

/** found is the same run at its end, with what was expected of it. */
export const found = (r: DemoRun): DemoRun => ({
  ...r, status: "completed", stage: "ended", progress: 100, ended_at: "2026-03-04T12:00:15Z", version: r.version + 1,
  expected: r.expected.map((e) => ({ ...e, found: true, detail: "arp-sweep: 20 addresses", after: 3.05, alert_id: "01930a7e-3c00-7abc-8def-0123456789ab" })),
});

export const demo = (...scenarios: DemoRun[]): DemoState => ({ enabled: true, facilities: [{ id: "demo-northgate", name: "Northgate Waterworks", playing: "" }], scenarios });

export const played = (data: DemoRun): Message => ({ channel: "system", type: "demo_progress", data });
