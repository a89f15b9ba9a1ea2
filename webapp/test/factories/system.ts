import type { Message } from "@/lib/live";
import type { FacilityStatus, SystemStatus } from "@/lib/system";

/** facility is one that was heard of at noon. */
export function facility(id: string, change: Partial<FacilityStatus> = {}): FacilityStatus {
  return { id, name: id, status: "active", last_seen: "2026-03-04T12:00:00Z", packets_per_sec: 42, version: 1, ...change };
}

/** system is how everything stands with these facilities. */
export function system(facilities: FacilityStatus[], change: Partial<SystemStatus> = {}): SystemStatus {
  return {
    active_alerts: 3, fl_progress: null, prediction_accuracy: null, facilities, ingest: { events_per_sec: 12.5, lag: 0, dropped: 0 },
    uptime_seconds: 3_700, version: "1.2.3", ...change,
  };
}

export const systemIs = (data: SystemStatus): Message => ({ channel: "system", type: "system_status", data });
export const facilityIs = (data: FacilityStatus): Message => ({ channel: "system", type: "facility_status", data });
