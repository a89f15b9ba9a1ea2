import type { AlertStats } from "@/lib/alerts";

/** stats counts these alerts by severity and facility, all in one hour. */
export function stats(bySeverity: Partial<Record<"critical" | "high" | "medium" | "low", number>>, byFacility: Record<string, number> = {}): AlertStats {
  const by_severity = { critical: 0, high: 0, medium: 0, low: 0, ...bySeverity };
  const total = Object.values(by_severity).reduce((a, b) => a + b, 0);
  return {
    total, critical: by_severity.critical, unresolved: total, false_positives: 0, by_severity, by_facility: byFacility, by_technique: {},
    by_status: { new: total, acknowledged: 0, resolved: 0, "false-positive": 0 }, interval: "hour", timeline: [{ time: "2026-03-04T05:00:00Z", count: total }],
  };
}
