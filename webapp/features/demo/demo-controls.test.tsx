import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { demo, found, played, run } from "@/test/factories/demo";
import { show } from "@/test/page";
import { asked, serve } from "@/test/server";
import { DemoControls } from "./demo-controls";

const scan = () => within(screen.getAllByRole("listitem").find((li) => li.dataset.scenario === "port-scan")!);

test("a scenario is started, followed to its end, and what was expected is compared with what was found", async () => {
  serve({ "/api/demo/status": demo(), "POST /api/demo/scenarios/port-scan": { scenario_id: run().scenario_id } });
  const { user, hear } = show(<DemoControls />, "/settings");
  await user.click(await screen.findByRole("button", { name: "Start: Port scan" }));
  await waitFor(() => expect(asked).toContain("POST /api/demo/scenarios/port-scan"));
  await hear(played(run({ progress: 30, stage: "the intruder searches the network" })));
  expect(scan().getByText("the intruder searches the network")).toBeTruthy();
  expect(scan().getByRole("progressbar").getAttribute("aria-valuenow")).toBe("30");
  expect(scan().getByRole("button")).toHaveProperty("disabled", true);
  expect(scan().getByText("not yet")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Remove what demos made" })).toHaveProperty("disabled", true);

  serve({ "/api/demo/status": demo(found(run())) });
  await hear(played(found(run())));
  expect(scan().getByText("All found")).toBeTruthy();
  expect(scan().getByText("found")).toBeTruthy();
  expect(scan().getByText("after 3 s")).toBeTruthy();
  expect(scan().getByRole("link", { name: "Alert" }).getAttribute("href")).toBe("/alerts?id=01930a7e-3c00-7abc-8def-0123456789ab");
  expect(scan().getByRole("button")).toHaveProperty("disabled", false);
});

test("what was not found is said", async () => {
  serve({ "/api/demo/status": demo(run({ status: "failed", message: "not all that was expected was found" })) });
  show(<DemoControls />, "/settings");
  await screen.findByText("not found");
  expect(scan().getByText("not all that was expected was found")).toBeTruthy();
});

test("a scenario that the server refuses says why", async () => {
  serve({ "/api/demo/status": demo(), "POST /api/demo/scenarios/port-scan": 409 });
  const { user } = show(<DemoControls />, "/settings");
  await user.click(await screen.findByRole("button", { name: "Start: Port scan" }));
  expect((await screen.findByRole("alert")).textContent).toBe("The scenario was not started. the reason for 409");
});

test("what demos made is removed after a question", async () => {
  serve({ "/api/demo/status": demo(found(run())), "POST /api/demo/reset": { removed: [] } });
  const { user } = show(<DemoControls />, "/settings");
  await user.click(await screen.findByRole("button", { name: "Remove what demos made" }));
  await user.click(screen.getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(screen.queryByRole("button", { name: "Remove" })).toBeNull());
  expect(asked).toContain("POST /api/demo/reset");
});

test("where the server offers no demo there is nothing", async () => {
  serve({ "/api/demo/status": { ...demo(), enabled: false } });
  show(<DemoControls />, "/settings");
  await waitFor(() => expect(screen.queryByRole("region")).toBeNull());
});
