"use client";

import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";

import { bytes } from "@/lib/format";
import { modelPages, rollBack, type Model } from "@/lib/models";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Confirm } from "@/ui/confirm";
import { Failure } from "@/ui/failure";
import { Skeleton } from "@/ui/skeleton";
import { Cell, Head, RowHead, Table } from "@/ui/table";
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
      {models.length > 0 && <Rows models={models} />}
      {hasNextPage && (
        <Button className="mt-3 self-start" disabled={isFetching} onClick={() => void fetchNextPage()}>
          {t.more}
        </Button>
      )}
    </Card>
  );
}

function Rows({ models }: { models: readonly Model[] }) {
  const c = t.columns;
  return (
    <Table
      head={
        <>
          <Head>{c.version}</Head>
          <Head>{c.facility}</Head>
          <Head className="hidden md:table-cell">{c.kind}</Head>
          <Head className="hidden md:table-cell">{c.source}</Head>
          <Head className="hidden sm:table-cell">{c.made}</Head>
          <Head className="hidden text-right lg:table-cell">{c.size}</Head>
          <Head className="text-right">{c.state}</Head>
        </>
      }
    >
      {models.map((m) => (
        <tr key={m.version} data-model={m.version}>
          <RowHead>{m.version}</RowHead>
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
    </Table>
  );
}

function sourceOf(m: Model): string {
  if (m.source === "train") return t.trained;
  return m.round_id === null ? t.federation : t.ofRound(m.round_id);
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
