"use client";

import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";

import { alertsHref } from "@/lib/alert-filters";
import { demoStatus, resetDemo, scenarios, startScenario, type DemoRun, type DemoState, type Scenario } from "@/lib/demo";
import { span } from "@/lib/format";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Progress } from "@/ui/progress";
import { Skeleton } from "@/ui/skeleton";

const t = texts.demo;

const tones = { running: "accent", completed: "good", failed: "warn", interrupted: "plain" } as const;

/** DemoControls starts demo scenarios and shows what was expected and found. Where the server offers no demo, it is not there. */
export function DemoControls({ className }: { className?: string }) {
  const { data, error, refetch, isFetching } = useQuery(demoStatus);
  if (data && !data.enabled) return null;
  return (
    <Card id="demo" title={t.title} className={className}>
      <p className="mb-3 text-sm text-muted">{t.intro}</p>
      {!data && !error && <Skeleton label={t.loading} rows={3} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && <Scenarios demo={data} />}
    </Card>
  );
}

function Scenarios({ demo }: { demo: DemoState }) {
  const cache = useQueryClient();
  const running = demo.scenarios.some((r) => r.status === "running");
  const made = demo.scenarios.length > 0;
  return (
    <>
      <ul className="grid grid-cols-1 gap-3 lg:grid-cols-3">
        {scenarios.map((scenario) => (
          <ScenarioCard key={scenario} scenario={scenario} run={demo.scenarios.find((r) => r.scenario === scenario)} />
        ))}
      </ul>
      {made && (
        <div className="mt-4">
          <Confirm
            words={{ title: t.resetTitle, confirm: t.resetConfirm, cancel: t.cancel, failed: t.resetFailed }}
            onConfirm={() => resetDemo(cache)}
            button={(ask) => (
              <Button disabled={running} onClick={ask}>
                {t.reset}
              </Button>
            )}
          >
            <p>{t.resetBody}</p>
          </Confirm>
        </div>
      )}
    </>
  );
}

function ScenarioCard({ scenario, run }: { scenario: Scenario; run: DemoRun | undefined }) {
  const cache = useQueryClient();
  const [starting, setStarting] = useState(false);
  const [error, setError] = useState("");
  const name = t.names[scenario];
  const running = run?.status === "running";
  const start = async () => {
    setStarting(true);
    setError("");
    try {
      await startScenario(cache, scenario);
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
    } finally {
      setStarting(false);
    }
  };
  const word = starting ? t.starting : run ? t.again : t.start;
  return (
    <li data-scenario={scenario} data-status={run?.status} className="flex flex-col rounded-md border border-line p-3 text-sm">
      <div className="flex items-center justify-between gap-2">
        <h3 className="font-medium">{name}</h3>
        {run && <Badge tone={tones[run.status]}>{t.status[run.status]}</Badge>}
      </div>
      <p className="mt-1 text-muted">{t.does[scenario]}</p>
      {run && (
        <>
          {running && <Progress label={t.progress(name)} value={run.progress} className="mt-3" />}
          <p role="status" className="mt-2">
            {running ? run.stage : run.message}
          </p>
          <Checks run={run} />
        </>
      )}
      {error && (
        <p role="alert" className="mt-2 text-warn">
          <strong className="font-semibold">{t.startFailed}.</strong> {error}
        </p>
      )}
      <div className="mt-auto pt-3">
        <Button disabled={running || starting} onClick={() => void start()} aria-label={t.startLabel(word, name)}>
          {word}
        </Button>
      </div>
    </li>
  );
}

/** Checks is what was expected of a run, in order, and what was found of it. */
function Checks({ run }: { run: DemoRun }) {
  if (!run.expected.length) return null;
  return (
    <>
      <h4 className="mt-3 text-xs font-medium text-muted">{t.expected}</h4>
      <ul className="mt-1 space-y-1.5">
        {run.expected.map((check) => (
          <li key={check.what} data-found={check.found} className="flex gap-2">
            <svg aria-hidden viewBox="0 0 12 12" className={`mt-1 size-3 shrink-0 ${check.found ? "text-ok" : "text-muted"}`} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
              {check.found ? <path d="m2.5 6.5 2.5 2.5 4.5-5.5" /> : run.status === "running" ? <circle cx="6" cy="6" r="4" /> : <path d="m3 3 6 6M9 3 3 9" />}
            </svg>
            <div className="min-w-0">
              <p>
                {check.what}: <span className="font-medium">{check.found ? t.found : run.status === "running" ? t.awaited : t.missing}</span>
                {check.after !== null && <span className="text-muted"> {t.after(span(check.after))}</span>}
                {check.alert_id && (
                  <>
                    {" · "}
                    <Link href={alertsHref({}, check.alert_id)} className="text-accent underline underline-offset-4">
                      {t.showAlert}
                    </Link>
                  </>
                )}
              </p>
              {check.detail && <p className="text-xs break-words text-muted">{check.detail}</p>}
            </div>
          </li>
        ))}
      </ul>
    </>
  );
}
