import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import type { Model } from "@/lib/models";
import { show } from "@/test/page";
import { asked, serve } from "@/test/server";
import { ModelVersions } from "./model-versions";

const model = (version: number, change: Partial<Model> = {}): Model => ({
  version, facility_id: "north", kind: "autoencoder", active: false, bytes: 18_900, created_at: "2026-03-04T12:00:00Z", fingerprint: "00", metrics: {},
  round_id: 3, rows: 405, source: "federation", ...change,
});
const pageOf = (models: Model[], next_cursor: string | null = null) => ({ models, total: models.length, limit: 10, next_cursor });

test("says how each version came to be, and goes back to one after a question", async () => {
  serve({
    "/api/models": pageOf([model(2, { active: true }), model(1, { source: "train", round_id: null, kind: "isolation-forest" })]),
    "POST /api/models/1/rollback": model(1),
  });
  const { user } = show(<ModelVersions />, "/fl-status");
  await waitFor(() => expect(screen.getAllByRole("row")).toHaveLength(3));
  const [, now, before] = screen.getAllByRole("row");
  expect(now!.textContent).toMatch(/north.*Autoencoder.*round 3.*405 vectors.*18.9 kBIn use/);
  expect(before!.textContent).toMatch(/Isolation forest.*training on site/);
  expect(within(now!).queryByRole("button")).toBeNull();

  await user.click(within(before!).getByRole("button", { name: "Use this one: version 1 at north" }));
  expect(screen.getByRole("dialog").textContent).toContain("Sensors at north detect with this isolation forest within seconds.");
  serve({ "/api/models": pageOf([model(2), model(1, { active: true })]), "POST /api/models/1/rollback": model(1) });
  await user.click(screen.getByRole("button", { name: "Use it" }));
  await screen.findByRole("button", { name: "Use this one: version 2 at north" });
  expect(asked).toContain("POST /api/models/1/rollback");
});

test("older versions come when they are asked for", async () => {
  serve({ "/api/models?limit=10": pageOf([model(2)], "1"), "/api/models?limit=10&cursor=1": pageOf([model(1)]) });
  const { user } = show(<ModelVersions />, "/fl-status");
  await user.click(await screen.findByRole("button", { name: "Older versions" }));
  await waitFor(() => expect(screen.getAllByRole("row")).toHaveLength(3));
  expect(screen.queryByRole("button", { name: "Older versions" })).toBeNull();
});

test("of none says how the first one is made; what could not be loaded says why", async () => {
  serve({ "/api/models": pageOf([]) });
  show(<ModelVersions />, "/fl-status");
  await screen.findByText("breakwater train");
  serve({ "/api/models": 500 });
  show(<ModelVersions />, "/fl-status");
  await screen.findByText("the reason for 500");
});
