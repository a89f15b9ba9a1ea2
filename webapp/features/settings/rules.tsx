"use client";

import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";

import { alertsHref, rank } from "@/lib/alert-filters";
import { count } from "@/lib/format";
import { ruleList, type Rule } from "@/lib/rules";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Field, inputClass } from "@/ui/field";
import { Level } from "@/ui/level";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";

const t = texts.rules;

/** Rules is what detects, those first that have found most; each opens to why it matters. */
export function Rules() {
  const { data, error, refetch, isFetching } = useQuery(ruleList);
  const [find, setFind] = useState("");
  const [all, setAll] = useState(false);
  const words = find.toLowerCase().split(/\s+/);
  const rules = data
    ?.filter((r) => words.every((w) => `${r.id} ${r.title} ${r.technique} ${r.technique_name}`.toLowerCase().includes(w)))
    .sort((a, b) => b.hits - a.hits || (a.id < b.id ? -1 : 1));
  return (
    <Card id="rules" title={t.title}>
      <p className="pb-3 text-sm text-muted">{t.lead}</p>
      {!rules && !error && <Skeleton label={t.loading} rows={4} />}
      {!rules && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {rules && (
        <>
          <div className="flex flex-wrap items-end gap-x-4 gap-y-2 pb-3">
            <Field label={t.find} className="w-72 max-w-full">
              <input type="search" value={find} onChange={(e) => setFind(e.target.value)} className={inputClass} />
            </Field>
            <p className="pb-1.5 text-sm text-muted">{t.total(rules.length)}</p>
          </div>
          {rules.length === 0 && <p className="text-sm">{t.none}</p>}
          <ul className="-mx-4 divide-y divide-line border-t border-line">
            {rules.slice(0, all ? undefined : atOnce).map((r) => (
              <RuleRow key={r.id} rule={r} />
            ))}
          </ul>
          {!all && rules.length > atOnce && (
            <Button className="mt-3 self-start" onClick={() => setAll(true)}>
              {t.all(rules.length)}
            </Button>
          )}
        </>
      )}
    </Card>
  );
}

const atOnce = 12; // rules shown until all are asked for

function RuleRow({ rule: r }: { rule: Rule }) {
  return (
    <li>
      <details className="group">
        <summary className="grid cursor-pointer grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1 px-4 py-2.5 text-sm hover:bg-hover sm:grid-cols-[5.75rem_minmax(0,1fr)_5rem_11rem]">
          <span className="hidden sm:block">
            <Level rank={rank[r.severity]}>{texts.severity[r.severity]}</Level>
          </span>
          <span className="min-w-0">
            <span className="font-mono font-medium break-words">{r.id}</span>
            <span className="block text-xs text-muted">
              <span className="font-mono">{r.technique}</span> {r.technique_name}
            </span>
          </span>
          <span className="text-right">
            <span className={r.hits ? "font-semibold" : "text-muted"}>{texts.alerts.times(r.hits)}</span>
            <span className="sr-only"> {t.columns.hits}</span>
          </span>
          <span className="col-span-full text-xs text-muted sm:col-span-1 sm:text-right sm:text-sm">
            <span className="sr-only">{t.columns.last}: </span>
            {r.last_hit ? <Time at={r.last_hit} /> : t.never}
          </span>
        </summary>
        <dl className="space-y-2 px-4 pb-4 text-sm sm:pl-[8rem]">
          <div>
            <dt className="text-xs text-muted">{t.why}</dt>
            <dd>{r.why}</dd>
          </div>
          <div>
            <dt className="text-xs text-muted">{t.lookAt}</dt>
            <dd>{r.look_at}</dd>
          </div>
          <div>
            <dt className="text-xs text-muted">{t.on}</dt>
            <dd className="font-mono">{r.on?.join(", ")}</dd>
          </div>
          {r.alerts > 0 && r.technique && (
            <div>
              <dt className="text-xs text-muted">{t.columns.alerts}</dt>
              <dd>
                {count(r.alerts)}{" "}
                <Link href={alertsHref({ technique: [r.technique] })} className="text-accent underline underline-offset-4">
                  {t.show(r.technique)}
                </Link>
              </dd>
            </div>
          )}
        </dl>
      </details>
    </li>
  );
}
