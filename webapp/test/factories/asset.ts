import type { Asset, AssetDetail, Facility, Talk, Use } from "@/lib/assets";

/** asset is a controller that was seen an hour long. */
export function asset(change: Partial<Asset> = {}): Asset {
  return {
    facility_id: "north", ip: "10.0.0.11", mac: "00:1b:1b:02:03:04", vendor: "Siemens", role: "controller", level: undefined, traits: ["answers"], protocols: ["arp", "modbus"],
    peers: ["10.0.0.2"], first_seen: "2026-03-01T08:00:00Z", last_seen: "2026-03-01T09:00:00Z", name: "", zone: "", alerts: 0, open_alerts: 0, last_alert: null, ...change,
  };
}

/** used is ten reads. */
export const used = (change: Partial<Use> = {}): Use => ({ function: 3, name: "read holding registers", class: "read", count: 10, exceptions: 0, ...change });

/** talk is a conversation over Modbus; functions are to be given. */
export const talk = (client: string, server: string, change: Partial<Talk> = {}): Talk => ({
  facility_id: "north", client, server, protocol: "modbus", port: 502, first_seen: "2026-03-01T08:00:00Z", last_seen: "2026-03-01T09:00:00Z", count: 10, functions: [], ...change,
});

export const detail = (of: Asset, change: Partial<AssetDetail> = {}): AssetDetail => ({ asset: of, conversations: [], total_conversations: change.conversations?.length ?? 0, assets: [], newest_alerts: [], ...change });

export const plant = (id: string, change: Partial<Facility> = {}): Facility => ({ id, last_seen: "2026-03-01T09:00:00Z", assets: 3, active_alerts: 0, baseline_version: 1, sensor: null, ...change });

/** assetPage is a page of assets as the server answers it. */
export const assetPage = (assets: Asset[], total = assets.length, page = 1) => ({ assets, total, page, pages: Math.ceil(total / 200), limit: 200 });
