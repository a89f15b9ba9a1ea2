import { onTestFinished } from "vitest";

import { pause, type Server } from "./breakwater";

/** storm raises so many new alerts a second until it is told to stop or the test ends, and then says how many were raised in how long. */
export function storm(server: Server, rate: number) {
  let on = true;
  const done = (async () => {
    let raised = 0;
    const began = Date.now();
    for (let tick = 0; on; tick++) {
      const rows = Array.from({ length: rate / 4 }, (_, i) => {
        const n = tick * (rate / 4) + i;
        const severity = n % 50 === 0 ? "critical" : n % 3 ? "medium" : "high";
        return JSON.stringify({
          facility_id: "storm", time: new Date().toISOString(), layer: 1, model: "soak", severity, confidence: 0.8,
          asset: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, title: `Storm alert ${n}`, count: 1, evidence: "made by a test",
        });
      });
      const answer = await fetch(`${server.url}/api/ingest/detections`, { method: "POST", body: rows.join("\n"), headers: { "Content-Type": "application/x-ndjson" } });
      if (!answer.ok) throw new Error(`ingest: ${answer.status} ${await answer.text()}`);
      raised += ((await answer.json()) as { accepted: number }).accepted;
      await pause(began + (tick + 1) * 250 - Date.now());
    }
    return { raised, seconds: (Date.now() - began) / 1000 };
  })();
  const stop = () => ((on = false), done);
  onTestFinished(async () => void (await stop()));
  return { stop };
}
