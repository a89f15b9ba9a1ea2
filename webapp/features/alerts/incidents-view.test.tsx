import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { alert } from "@/test/factories/alert";
import { show, where } from "@/test/page";
import { asked, sent, serve } from "@/test/server";
import { AlertsView } from "./alerts-view";

const scan = alert().titled("Port scan").at("10.0.0.57").build();
const write = alert().critical().titled("Write").at("10.0.0.11").with({ status: "acknowledged" }).build();

const one = {
  id: scan.id, facility_id: "north", severity: "critical", alert_count: 2, unresolved: 2,
  first_seen: scan.timestamp, last_seen: write.timestamp,
  attackers: ["10.0.0.57"], assets: ["10.0.0.57", "10.0.0.11"], techniques: ["T0846", "T0855"],
};

/** open shows the incidents page with this incident on the server. */
function open(url = "/alerts?view=incidents", more: Parameters<typeof serve>[0] = {}) {
  serve({
    "/api/incidents": { incidents: [one], total: 1, limit: 20, next_cursor: null },
    [`/api/incidents/${one.id}`]: { ...one, alerts: [scan, write] },
    "/api/system/status": { facilities: [{ id: "north", name: "north" }] },
    "/api/mitre/techniques": [{ id: "T0846", name: "Remote System Discovery" }, { id: "T0855", name: "Unauthorized Command Message" }],
    "/api/predictions": { predictions: [] },
    ...more,
  });
  return show(<AlertsView />, url);
}

test("an incident names who and what, and its techniques in order", async () => {
  const { user } = open();
  const link = await screen.findByRole("link", { name: "10.0.0.57 against 10.0.0.11" });
  await screen.findByText("Remote System Discovery → Unauthorized Command Message");
  expect(screen.getByText("over 1 min")).toBeTruthy();
  expect(asked.some((path) => path.startsWith("/api/alerts"))).toBe(false); // the list of alerts is not asked for
  await user.click(link);
  expect(where()).toBe(`/alerts?view=incidents&incident=${one.id}`);
});

test("facility and time are those of the URL", async () => {
  open("/alerts?view=incidents&facility=north&time_range=24h&severity=low");
  await screen.findByRole("list", { name: "Incidents, the last seen first" });
  expect(asked.filter((path) => path.startsWith("/api/incidents"))).toEqual(["/api/incidents?facility=north&time_range=24h&limit=20"]);
});

test("its story is told in order, each step opens, and what is open is acknowledged together", async () => {
  const { user } = open(`/alerts?view=incidents&incident=${one.id}`, {
    "POST /api/alerts/status": { changed: 1, alerts: [], errors: [] },
    [`/api/alerts/${write.id}`]: { ...write, history: [] },
    [`/api/context/${write.id}/evidence`]: { timeline: [] },
  });
  const story = await screen.findByRole("region", { name: "What happened, in order" });
  expect(within(story).getAllByRole("link").map((a) => a.textContent)).toEqual(["Port scan", "Write"]);
  expect(within(story).getByText("1 min later")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Acknowledge" }));
  await screen.findByText("Acknowledged 1 alert.");
  await user.click(screen.getByRole("button", { name: "Resolve" }));
  await screen.findByRole("dialog", { name: "Resolve 2 alerts" });
  await user.keyboard("one exercise{Enter}");
  expect(sent.map((s) => s.body)).toEqual([
    { ids: [scan.id], status: "acknowledged" },
    { ids: [scan.id, write.id], status: "resolved", note: "one exercise" },
  ]);
  await user.click(within(story).getByRole("link", { name: "Write" }));
  expect(where()).toBe(`/alerts?view=incidents&incident=${one.id}&id=${write.id}`);
  await screen.findByRole("dialog", { name: "Write" });
});

test.each([
  ["there are none", { "/api/incidents": { incidents: [], total: 0, limit: 20, next_cursor: null } }, "No incidents"],
  ["they cannot be loaded", { "/api/incidents": 500 }, "The incidents could not be loaded"],
])("it says when %s", async (_, answers, words) => {
  open("/alerts?view=incidents", answers);
  await screen.findByRole("heading", { name: words });
});

test("it says when there is no such incident, and leads back", async () => {
  const { user } = open("/alerts?view=incidents&incident=gone");
  await screen.findByRole("heading", { name: "There is no such incident" });
  await user.click(screen.getByRole("link", { name: "← All incidents" }));
  expect(where()).toBe("/alerts?view=incidents");
});

test("older ones come on demand", async () => {
  const older = { ...one, id: "older", attackers: [], assets: ["10.0.0.12"] };
  const { user } = open("/alerts?view=incidents", {
    "/api/incidents": { incidents: [one], total: 2, limit: 20, next_cursor: "behind" },
    "/api/incidents?limit=20&cursor=behind": { incidents: [older], total: 2, limit: 20, next_cursor: null },
  });
  await user.click(await screen.findByRole("button", { name: "Show older incidents" }));
  await screen.findByRole("link", { name: "Something at 10.0.0.12" });
});
