// How the whole system stands: what comes in, which facilities are heard of, and the last minute of each.
//
//   GET /api/system/status ─────────────┐
//   GET /api/context/{id}/current ──┐   ├──► screen
//   /ws system_status ──► apply ────┴───┘     each message replaces the one before and adds a second to each minute

import { queryOptions, type QueryClient } from "@tanstack/react-query";

import type { Answer } from "./answer";
import { api, ask } from "./api-client";
import { isMessage, upsert, type Message } from "./live";

export type SystemStatus = Answer<"/api/system/status">;
export type FacilityStatus = SystemStatus["facilities"][number];

const keys = {
  status: ["system", "status"] as const,
  minutes: ["system", "minute"] as const,
  minute: (facility: string) => ["system", "minute", facility] as const,
};

/** systemStatus is how the whole system stands. */
export const systemStatus = queryOptions({
  queryKey: keys.status,
  queryFn: ({ signal }): Promise<SystemStatus> => ask(api.GET("/api/system/status", { signal })),
});

/** Second is how many packets a facility's network carried in the second that ended then (Unix ms, data time). */
export interface Second {
  end: number;
  packets: number;
}

const minute = 60_000; // ms

/** facilityMinute is the newest minute of a facility, oldest second first; live messages continue it. */
export const facilityMinute = (facility: string) =>
  queryOptions({
    queryKey: keys.minute(facility),
    queryFn: async ({ signal }): Promise<Second[]> => {
      const { timeline } = await ask(api.GET("/api/context/{facility_id}/current", { params: { path: { facility_id: facility } }, signal }));
      return timeline.map((s) => ({ end: Date.parse(s.time) + 1_000, packets: s.packets_per_sec }));
    },
  });

export type SystemMessage = Message<"system_status", SystemStatus> | Message<"facility_status", FacilityStatus>;

export const isSystemMessage = (m: unknown): m is SystemMessage => isMessage(m, ["system_status", "facility_status"]);

/** LiveSystem brings the channel's messages of the system into a query cache. */
export class LiveSystem {
  constructor(private readonly cache: QueryClient) {}

  apply({ type, data }: SystemMessage): void {
    if (type === "facility_status") {
      this.cache.setQueryData(systemStatus.queryKey, (old) => old && { ...old, facilities: byId(upsert(old.facilities, data, (f) => f.id)) });
      this.#second(data);
      return;
    }
    this.cache.setQueryData(systemStatus.queryKey, (old) => ({
      ...data,
      // A facility's own message may have come after this status was looked at.
      facilities: data.facilities.map((f) => {
        const known = old?.facilities.find((o) => o.id === f.id);
        return known && known.version > f.version ? known : f;
      }),
    }));
    data.facilities.forEach((f) => this.#second(f));
  }

  /** reload asks again: messages were missed. */
  reload(): void {
    void this.cache.invalidateQueries({ queryKey: keys.status });
    void this.cache.invalidateQueries({ queryKey: keys.minutes });
  }

  #second(f: FacilityStatus): void {
    if (!f.last_seen || f.status === "silent") return;
    const second = { end: Date.parse(f.last_seen), packets: f.packets_per_sec };
    this.cache.setQueryData(facilityMinute(f.id).queryKey, (old) => {
      if (!old || (old.at(-1)?.end ?? -Infinity) >= second.end) return old;
      return [...old.filter((s) => s.end > second.end - minute), second];
    });
  }
}

const byId = (facilities: FacilityStatus[]) => facilities.sort((a, b) => (a.id < b.id ? -1 : 1));
