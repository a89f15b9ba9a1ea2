import { readdirSync } from "node:fs";

import { screen, waitFor } from "@testing-library/react";
import { describe, expect, test } from "vitest";

import { demo, found, played, run } from "@/test/factories/demo";
import { show } from "@/test/page";
import { serve } from "@/test/server";
import { pages } from "./navigation";
import { Shell } from "./shell";

const health = { status: "healthy", service: "breakwater", version: "1.2.3", services: { database: "embedded", redis: "embedded", kafka: "embedded", neo4j: "embedded" } };

function open(url = "/") {
  serve({ "/health": health, "/api/demo/status": demo() });
  return show(<Shell><main id="content">the page</main></Shell>, url);
}

test("every page that there is has its link, and no link leads nowhere", () => {
  const folders = readdirSync("app", { withFileTypes: true }).filter((f) => f.isDirectory()).map((f) => `/${f.name}`);
  expect(pages.toSorted()).toEqual(["/", ...folders].toSorted());
});

describe("the navigation", () => {
  test("says which page this is", () => {
    open("/alerts");
    expect(screen.getByRole("link", { current: "page" }).textContent).toBe("Alerts");
  });

  test("of a narrow screen opens and closes, by keyboard too", async () => {
    const { user } = open();
    const menu = screen.getByRole("button", { name: "Menu" });
    expect(menu.getAttribute("aria-expanded")).toBe("false");
    await user.click(menu);
    expect(menu.getAttribute("aria-expanded")).toBe("true");
    await user.tab();
    expect(document.activeElement!.textContent).toBe("Dashboard");
    await user.keyboard("{Escape}");
    expect(menu.getAttribute("aria-expanded")).toBe("false");
    expect(document.activeElement).toBe(menu);
  });
});

test("the version is the server's", async () => {
  open();
  await screen.findByText("1.2.3");
});

test("a scenario that is played is followed on every page, to its end", async () => {
  const { hear } = open("/alerts");
  await screen.findByText("1.2.3");
  expect(screen.queryByTestId("demo-strip")).toBeNull();
  await hear(played(run({ stage: "the intruder searches the network", progress: 60 })));
  expect(screen.getByTestId("demo-strip").textContent).toBe("Demo: Port scanthe intruder searches the network");
  await hear(played(found(run())));
  await waitFor(() => expect(screen.queryByTestId("demo-strip")).toBeNull());
});
