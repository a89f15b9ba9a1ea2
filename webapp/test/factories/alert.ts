import type { Alert, AlertDetail, AlertList, AlertMessage, AlertPage } from "@/lib/alerts";

let made = 0;

/**
 * alert() is an alert as the server sends it; each is a minute younger than the one before. It is changed by steps that
 * read as sentences: `alert().critical().at("10.0.0.11").build()`.
 */
export function alert() {
  const n = ++made;
  const timestamp = new Date(Date.UTC(2026, 2, 4, 5, 0, 0) + n * 60_000).toISOString();
  return new AlertBuilder({
    id: `01930a7e-3c00-7abc-8def-${n.toString(16).padStart(12, "0")}`,
    facility_id: "default",
    asset: "10.0.0.11",
    timestamp,
    last_seen: timestamp,
    severity: "high",
    status: "new",
    title: "Write from a host that never wrote",
    description: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before.",
    attack_type: "T0855",
    attack_name: "Unauthorized Command Message",
    techniques: ["T0855"],
    correlation_confidence: 0.9,
    correlation_summary: "1 detection by 1 model in 1s: write-from-new-host (1)",
    context_analysis: "",
    sources: [
      {
        layer: 1,
        model_name: "write-from-new-host",
        severity: "high",
        confidence: 0.9,
        technique: "T0855",
        technique_name: "Unauthorized Command Message",
        title: "Write from a host that never wrote",
        evidence: "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, which only 10.0.0.2 wrote before.",
        look_at: "Ask who works at 10.0.0.57.",
        detection_time: timestamp,
        counted_until: timestamp,
        count: 1,
        external: false,
        muted: false,
        conversation: { client: "10.0.0.57", server: "10.0.0.11", protocol: "modbus", port: 502 },
      },
    ],
    assignee: "",
    muted: false,
    count: 1,
    version: 1,
  });
}

class AlertBuilder {
  constructor(private readonly alert: Alert) {}

  with = (change: Partial<Alert>) => new AlertBuilder({ ...this.alert, ...change });
  critical = () => this.with({ severity: "critical" });
  low = () => this.with({ severity: "low" });
  at = (asset: string) => this.with({ asset });
  titled = (title: string) => this.with({ title });
  build = (): Alert => this.alert;
  detail = (...history: NonNullable<AlertDetail["history"]>): AlertDetail => ({ ...this.alert, history });
}

/** page is a page of alerts as the server answers it, in the order given. */
export function page(alerts: Alert[], rest: Partial<AlertPage> = {}): AlertPage {
  return { alerts, total: alerts.length, page: 1, pages: 1, limit: 100, next_cursor: null, ...rest };
}

/** list is what the web app knows of a filter's alerts when it has been answered. */
export function list(alerts: Alert[], rest: Partial<AlertList> = {}): AlertList {
  return { alerts, total: alerts.length, next: null, held: false, waiting: [], waitingCount: 0, behind: false, renew: false, ...rest };
}

export const created = (data: Alert): AlertMessage => ({ channel: "alerts", type: "alert_created", data });

/** updated is the message of the alert's next version. */
export const updated = (a: Alert, change: Partial<Alert>): AlertMessage => ({
  channel: "alerts",
  type: "alert_updated",
  data: { ...a, version: a.version + 1, ...change },
});
