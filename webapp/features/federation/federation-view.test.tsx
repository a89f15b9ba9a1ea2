import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, test } from "vitest";

import { client, noPrivacy, progressed, reported, round } from "@/test/factories/round";
import { show, where } from "@/test/page";
import { asked, serve } from "@/test/server";
import { FederationView } from "./federation-view";
import { format, parse } from "./use-history-url";

let answers: Record<string, object | number | null>;

const first = round(1).completed(0.9, 0.5);
const second = round(2).failed("1 of 6 clients answered in time");
const third = round(3).completed(0.92, 1.1);

beforeEach(() => {
  answers = {
    "/api/fl/rounds/current": round(4).training(42).build(),
    "/api/fl/rounds": { rounds: [round(5), round(4).training(42), third, second, first].map((r) => r.build()), total: 5, page: 1, pages: 1, limit: 200 },
    "/api/fl/rounds/history": [third.ended(0.02), second.ended(), first.ended()],
    "/api/fl/clients": [client("north").build(), client("south").delayed().with({ loss: null, accuracy: null }).build()],
    "/api/fl/privacy-metrics": { epsilon: 1.1, delta: 1e-5, data_size: 239_120, encryption: "TLS 1.3", privacy_budget_remaining: 6.9 },
  };
});

function open(url = "/fl-status") {
  serve(answers);
  return show(<FederationView models={<p>the models</p>} />, url);
}
const card = (name: string) => within(screen.getByRole("region", { name }));
const rows = () => card("History").getAllByRole("row").slice(1).map((r) => r.dataset.round);

describe("the current round", () => {
  test("says how far it is, phase by phase", async () => {
    open();
    await screen.findByText("Round 4");
    const there = card("Current round");
    expect(there.getByTestId("progress").textContent).toBe("42 %");
    expect(there.getByRole("timer").textContent).toMatch(/^about 7 min [23]\d s left$/);
    expect(there.getByRole("list", { name: "Phases" }).querySelector("[aria-current=step]")!.textContent).toBe("Training");
    await there.findByText("1 more round waits for its turn");
  });

  test("goes on live, to its end", async () => {
    const { hear } = open();
    await screen.findByText("Round 4");
    await hear(progressed(round(4).training(60).with({ version: 3 }).build()));
    expect(screen.getByTestId("progress").textContent).toBe("60 %");
    const ended = round(4).completed(0.95).with({ version: 4 }).build();
    answers["/api/fl/rounds/current"] = ended;
    await hear(progressed(ended));
    expect(card("Last round").getByText("95 %")).toBeTruthy();
    expect(card("Last round").queryByRole("timer")).toBeNull();
    await waitFor(() => expect(asked.filter((a) => a.startsWith("/api/fl/rounds/history"))).toHaveLength(2));
  });

  test("that failed says why, and where", async () => {
    answers["/api/fl/rounds/current"] = second.build();
    open();
    await waitFor(() => expect(card("Last round").getByText("1 of 6 clients answered in time")).toBeTruthy());
    expect(card("Last round").getByRole("list", { name: "Phases" }).querySelector("[data-state=failed]")!.textContent).toBe("Training");
  });

  test("that never was says what to do", async () => {
    answers = { ...answers, "/api/fl/rounds/current": null, "/api/fl/rounds": { rounds: [] }, "/api/fl/rounds/history": [], "/api/fl/clients": [], "/api/fl/privacy-metrics": noPrivacy };
    open();
    await screen.findByText("No round yet");
    await screen.findByText(/No client yet/);
    await screen.findByText(/The first point comes/);
    await screen.findByText("Rounds that have ended are listed here.");
    expect(card("Privacy and traffic").getByText("Not counted")).toBeTruthy();
  });
});

describe("clients", () => {
  test("say epoch, loss, accuracy and when, and change live", async () => {
    const { hear } = open();
    await waitFor(() => expect(card("Clients").getAllByRole("listitem")).toHaveLength(2));
    const [north, south] = card("Clients").getAllByRole("listitem");
    expect(north!.textContent).toMatch(/Active.*Epoch2 of 5Loss0.21Accuracy90 %Last update/);
    expect(south!.textContent).toMatch(/Delayed.*Loss–Accuracy–/);
    await hear(reported(client("north").with({ current_epoch: 3, loss: 0.19, version: 2 }).build()));
    expect(north!.textContent).toMatch(/Epoch3 of 5Loss0.19/);
  });
});

test("privacy and traffic are what was said of them", async () => {
  open();
  const there = card("Privacy and traffic");
  await waitFor(() => expect(there.getByText("1.1")).toBeTruthy());
  for (const words of ["at δ = 10⁻⁵", "6.9", "86.3 % of the budget", "239.1 kB", "TLS 1.3"]) expect(there.getByText(words)).toBeTruthy();
  expect(there.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("14");
});

test("the charts are of the completed rounds, oldest first", async () => {
  const { user } = open();
  const accuracy = await screen.findByRole("slider", { name: "Accuracy of the model after each round" });
  expect(accuracy.getAttribute("aria-valuetext")).toBe("Round 3: 92 %");
  accuracy.focus();
  await user.keyboard("{ArrowLeft}");
  expect(accuracy.getAttribute("aria-valuetext")).toBe("Round 1: 90 %");
  expect(screen.getByRole("slider", { name: "Privacy spent after each round, as epsilon" }).getAttribute("aria-valuetext")).toBe("Round 3: 1.1");
});

describe("the history", () => {
  test("has every ended round", async () => {
    open();
    await waitFor(() => expect(rows()).toEqual(["3", "2", "1"]));
    const [newest, failed] = card("History").getAllByRole("row").slice(1);
    expect(newest!.textContent).toMatch(/Completed.*12 min 30 s2\/2\+2 pts1.1/);
    expect(failed!.textContent).toContain("1 of 6 clients answered in time");
  });

  test("is filtered by the URL, and the other way round", async () => {
    const { user } = open("/fl-status?status=failed");
    await waitFor(() => expect(rows()).toEqual(["2"]));
    await user.click(screen.getByRole("button", { name: "Failed" }));
    expect(where()).toBe("/fl-status");
    expect(rows()).toHaveLength(3);
    await user.selectOptions(screen.getByRole("combobox", { name: "When it ended" }), "7d");
    expect(where()).toBe("/fl-status?time_range=7d");
    expect(card("History").getByText("No round matches these filters.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(where()).toBe("/fl-status");
  });

  test("of many rounds has pages", async () => {
    answers["/api/fl/rounds/history"] = Array.from({ length: 40 }, (_, i) => round(40 - i).completed(0.9).ended());
    const { user } = open("/fl-status?page=2");
    await waitFor(() => expect(rows()[0]).toBe("25"));
    await user.click(screen.getByRole("button", { name: "Older" }));
    expect(where()).toBe("/fl-status?page=3");
    expect(rows()).toHaveLength(10);
  });

  test.each(["", "?status=completed,failed", "?time_range=24h&page=3"])("its URL is what it was read from: %s", (search) => {
    expect(format(parse(search))).toBe(`/fl-status${search}`);
  });
  test("a mistyped URL filters nothing out", () => expect(parse("?status=foo&time_range=1y&page=-1")).toEqual({ status: [], range: "", page: 1 }));
});

describe("starting a round", () => {
  test("is asked for first, and then shown", async () => {
    answers["/api/fl/rounds/current"] = third.build();
    answers["POST /api/fl/rounds/trigger"] = round(4).build();
    const { user } = open();
    await waitFor(() => expect(card("Last round").getByText("Round 3")).toBeTruthy());
    await waitFor(() => expect(card("Clients").getAllByRole("listitem")).toHaveLength(2));
    await user.click(screen.getByRole("button", { name: "Start a round" }));
    expect(screen.getByRole("dialog").textContent).toContain("2 clients are known");
    expect(screen.getByRole("dialog").textContent).not.toContain("waits for its turn");
    expect(asked).not.toContain("POST /api/fl/rounds/trigger");
    await user.click(screen.getByRole("button", { name: "Start" }));
    await waitFor(() => expect(card("Current round").getByText("Round 4")).toBeTruthy());
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  test("that is refused says why", async () => {
    answers["POST /api/fl/rounds/trigger"] = 409;
    const { user } = open();
    await screen.findByText("Round 4");
    await user.click(screen.getByRole("button", { name: "Start a round" }));
    expect(screen.getByRole("dialog").textContent).toContain("this one waits for its turn");
    await user.click(screen.getByRole("button", { name: "Start" }));
    expect((await screen.findByRole("alert")).textContent).toBe("The round was not started. the reason for 409");
  });
});

test("each part that could not be loaded says so, and the others stand", async () => {
  answers["/api/fl/clients"] = 503;
  answers["/api/fl/rounds/current"] = 0;
  open();
  await screen.findByText("The clients could not be loaded");
  await screen.findByText("The round could not be loaded");
  await screen.findByText("The server cannot be reached. Is Breakwater running?");
  await waitFor(() => expect(rows()).toHaveLength(3));
});
