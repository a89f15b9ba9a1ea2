// The demo: scenarios that the server plays on simulated plants, and what was expected and found of each.

import { queryOptions, type QueryClient } from "@tanstack/react-query";

import type { Answer } from "./answer";
import { api, ask } from "./api-client";
import { isMessage, newer, type Message } from "./live";
import type { components } from "./schema";

export type DemoState = Answer<"/api/demo/status">;
export type DemoRun = components["schemas"]["DemoRun"];

export const scenarios = ["port-scan", "fl-round", "multi-stage"] as const satisfies readonly DemoRun["scenario"][];
export type Scenario = (typeof scenarios)[number];

/** demoStatus is whether the server offers the demo, and the newest run of each scenario. */
export const demoStatus = queryOptions({
  queryKey: ["demo"],
  queryFn: ({ signal }): Promise<DemoState> => ask(api.GET("/api/demo/status", { signal })),
});

/** startScenario plays a scenario from its beginning. Its messages tell how it goes on. */
export async function startScenario(cache: QueryClient, scenario: Scenario): Promise<void> {
  await ask(api.POST(`/api/demo/scenarios/${scenario}`, { body: { speed: "1x" } }));
  await cache.invalidateQueries({ queryKey: demoStatus.queryKey });
}

/** resetDemo removes what demos made, and nothing else; then everything on the screen is asked for again. */
export async function resetDemo(cache: QueryClient): Promise<void> {
  await ask(api.POST("/api/demo/reset"));
  await askAllAgain(cache);
}

/** askAllAgain asks for everything on the screen, first for which facilities there are: of one that is gone nothing more is to be asked. */
async function askAllAgain(cache: QueryClient): Promise<void> {
  const lists = [["system", "status"], ["facilities"]];
  await Promise.all(lists.map((queryKey) => cache.invalidateQueries({ queryKey })));
  await new Promise((drawn) => setTimeout(drawn, 50));
  await cache.invalidateQueries();
}

export type DemoMessage = Message<"demo_progress", DemoRun>;

export const isDemoMessage = (m: unknown): m is DemoMessage => isMessage(m, ["demo_progress"]);

/** LiveDemo brings the channel's messages of the demo into a query cache. */
export class LiveDemo {
  constructor(private readonly cache: QueryClient) {}

  apply({ data: run }: DemoMessage): void {
    if (run.scenario === "reset") {
      void askAllAgain(this.cache);
      return;
    }
    this.cache.setQueryData(demoStatus.queryKey, (old) => old && { ...old, scenarios: withRun(old.scenarios, run) });
    if (run.status !== "running") this.reload(); // what is played at each plant has changed too
  }

  reload(): void {
    void this.cache.invalidateQueries({ queryKey: demoStatus.queryKey });
  }
}

/** withRun is the newest run of each scenario with this one brought in: a newer version of its run, or a later run. */
function withRun(runs: readonly DemoRun[], run: DemoRun): DemoRun[] {
  const known = runs.find((r) => r.scenario === run.scenario);
  const same = known?.scenario_id === run.scenario_id;
  if (known && (same ? !newer(run, known) : Date.parse(known.started_at) > Date.parse(run.started_at))) return [...runs];
  return [...runs.filter((r) => r !== known), run].sort((a, b) => (a.scenario < b.scenario ? -1 : 1));
}
