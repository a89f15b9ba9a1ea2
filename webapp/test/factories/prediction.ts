import type { Message } from "@/lib/live";
import type { Prediction } from "@/lib/predictions";

let made = 0;

/** prediction is one of two techniques, each a minute younger than the one before. */
export function prediction(change: Partial<Prediction> = {}): Prediction {
  const n = ++made;
  const at = Date.UTC(2026, 2, 4, 5, 0, 0) + n * 60_000;
  const technique = (technique_id: string, technique_name: string, probability: number, rank: number) => ({
    technique_id, technique_name, probability, rank, timeframe: "within 60 minutes", why: [], observed_at: null, observed_in: null,
  });
  return {
    id: `01930a7e-3c00-7abc-8def-1${n.toString(16).padStart(11, "0")}`, timestamp: new Date(at).toISOString(), expires_at: new Date(at + 3_600_000).toISOString(),
    facility_id: "north", source: "attack-forecaster", current_technique: "T0846", current_technique_name: "Remote System Discovery",
    alert_id: "01930a7e-3c00-7abc-8def-0123456789ab", seen_techniques: ["T0846"], status: "open", validated: false, validation_time: null, version: 1,
    predicted_techniques: [technique("T0855", "Unauthorized Command Message", 0.42, 1), technique("T0831", "Manipulation of Control", 0.125, 2)],
    ...change,
  };
}

export const predicted = (data: Prediction, what: "created" | "updated" | "validated" | "expired" = "created"): Message => ({ channel: "predictions", type: `prediction_${what}`, data });
