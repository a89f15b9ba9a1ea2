"use client";

import { useQuery } from "@tanstack/react-query";

import { demoStatus } from "@/lib/demo";
import { texts } from "@/lib/texts";
import { Progress } from "@/ui/progress";

const t = texts.demo;

/** DemoStrip follows the scenario that is played, on whichever page its presenter is. */
export function DemoStrip() {
  const { data } = useQuery(demoStatus);
  const run = data?.scenarios.find((r) => r.status === "running");
  if (!run) return null;
  const name = t.names[run.scenario];
  return (
    <aside aria-label={t.title} data-testid="demo-strip" className="flex items-center gap-3 border-b border-line bg-selected px-4 py-1 text-sm">
      <span className="font-medium whitespace-nowrap">{t.strip(name)}</span>
      <span className="min-w-0 truncate text-muted">{run.stage}</span>
      <Progress label={t.progress(name)} value={run.progress} className="ml-auto max-w-40 min-w-16" />
    </aside>
  );
}
