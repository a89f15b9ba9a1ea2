"use client";

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { bytes } from "@/lib/format";
import { modelPages, rollBack, type Model } from "@/lib/models";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";

const t = texts.models;

/** ModelVersions is every model that is kept, newest first, and the way back to each. */
export function ModelVersions({ className }: { className?: string }) {
  const { data, error, refetch, isFetching, hasNextPage, fetchNextPage } = useInfiniteQuery(modelPages());
  const models = data?.pages.flatMap((page) => page.models) ?? [];
  return (
    <Card id="models" title={t.title} className={className}>
      {!data && !error && <Skeleton label={t.loading} rows={3} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data && models.length === 0 && (
        <p className="py-3 text-sm text-muted">
          {t.none} <code className="rounded bg-sunken px-1 font-mono">{t.noneCommand}</code>.
        </p>
      )}
      {models.length > 0 && (
        <div className="-mx-4">
          <Rows models={models} />
        </div>
      )}
      {hasNextPage && (
        <Button className="mt-3 self-start" disabled={isFetching} onClick={() => void fetchNextPage()}>
          {t.more}
        </Button>
      )}
    </Card>
  );
}

function Rows({ models }: { models: readonly Model[] }) {
  const head = "px-2 py-1.5 font-medium first:pl-4 last:pr-4";
  const c = t.columns;
  return (
    <table className="w-full text-left text-sm">
      <thead className="border-b border-line text-xs text-muted">
        <tr>
          <th scope="col" className={head}>{c.version}</th>
          <th scope="col" className={head}>{c.facility}</th>
          <th scope="col" className={`${head} hidden md:table-cell`}>{c.kind}</th>
          <th scope="col" className={`${head} hidden md:table-cell`}>{c.source}</th>
          <th scope="col" className={`${head} hidden sm:table-cell`}>{c.made}</th>
          <th scope="col" className={`${head} hidden text-right lg:table-cell`}>{c.size}</th>
          <th scope="col" className={`${head} text-right`}>{c.state}</th>
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {models.map((m) => (
          <tr key={m.version} data-model={m.version}>
            <th scope="row" className="py-2 pr-2 pl-4 align-top font-semibold">
              {m.version}
            </th>
            <Cell>
              {m.facility_id}
              <span className="block text-xs text-muted md:hidden">{t.kinds[m.kind]}</span>
              <span className="block text-xs text-muted md:hidden">{sourceOf(m)}</span>
            </Cell>
            <Cell className="hidden md:table-cell">{t.kinds[m.kind]}</Cell>
            <Cell className="hidden md:table-cell">
              {sourceOf(m)}
              <span className="block text-xs text-muted">{t.rows(m.rows)}</span>
            </Cell>
            <Cell className="hidden sm:table-cell">
              <Time at={m.created_at} />
            </Cell>
            <Cell className="hidden text-right lg:table-cell">{bytes(m.bytes)}</Cell>
            <Cell className="text-right">{m.active ? <Badge tone="good">{t.active}</Badge> : <UseThisOne model={m} />}</Cell>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function sourceOf(m: Model): string {
  if (m.source === "train") return t.trained;
  return m.round_id === null ? t.federation : t.ofRound(m.round_id);
}

function Cell({ className = "", children }: { className?: string; children: ReactNode }) {
  return <td className={`px-2 py-2 align-top last:pr-4 ${className}`}>{children}</td>;
}

function UseThisOne({ model: m }: { model: Model }) {
  const cache = useQueryClient();
  return (
    <Confirm
      words={{ title: t.confirmTitle(m.version), confirm: t.confirm, cancel: t.cancel, failed: t.rollBackFailed }}
      onConfirm={() => rollBack(cache, m.version)}
      button={(ask) => (
        <Button aria-label={t.rollBackLabel(m.version, m.facility_id)} onClick={ask}>
          {t.rollBack}
        </Button>
      )}
    >
      <p>{t.confirmBody(t.kinds[m.kind], m.facility_id)}</p>
    </Confirm>
  );
}
