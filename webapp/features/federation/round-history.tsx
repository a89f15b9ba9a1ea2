"use client";

import { useQuery } from "@tanstack/react-query";

import { ranges, reach } from "@/lib/alert-filters";
import { figure, points, span } from "@/lib/format";
import { useNow } from "@/lib/now";
import { roundHistory, type EndedRound } from "@/lib/rounds";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Pager } from "@/ui/pager";
import { Select } from "@/ui/select";
import { Skeleton } from "@/ui/skeleton";
import { Cell, Head, RowHead, Table } from "@/ui/table";
import { Time } from "@/ui/time";
import { Toggles } from "@/ui/toggles";
import { endings, useHistoryUrl, type HistoryFilters } from "./use-history-url";

const t = texts.federation.history;
const fl = texts.federation;

const pageSize = 15;

/** select is the rounds that the filters let through. now is Unix ms. */
export function select(rounds: readonly EndedRound[], { status, range }: HistoryFilters, now: number): EndedRound[] {
  return rounds.filter((r) => (!status.length || status.includes(r.status)) && (!range || now - Date.parse(r.end_time) < reach[range]));
}

/** RoundHistory is the rounds that have ended, newest first. */
export function RoundHistory({ className }: { className: string }) {
  const { data, error, refetch, isFetching } = useQuery(roundHistory);
  const { filters, go } = useHistoryUrl();
  const now = useNow(60_000);
  const rounds = select(data ?? [], filters, now);
  const pages = Math.max(1, Math.ceil(rounds.length / pageSize));
  const page = Math.min(filters.page, pages);
  return (
    <Card id="history" title={t.title} className={className}>
      {!data && !error && <Skeleton label={t.loading} rows={3} />}
      {!data && error && <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
      {data?.length === 0 && <p className="py-3 text-sm text-muted">{t.none}</p>}
      {data && data.length > 0 && (
        <>
          <div className="flex flex-wrap gap-x-6 gap-y-2 pb-3">
            <Toggles label={t.status} chosen={filters.status} onChange={(status) => go({ status })} choices={endings.map((value) => ({ value, content: fl.status[value] }))} />
            <Select
              label={t.time}
              value={filters.range}
              active={filters.range !== ""}
              choices={[{ value: "", name: t.anyTime }, ...ranges.map((value) => ({ value, name: texts.filters.ranges[value] }))]}
              onChange={(range) => go({ range })}
            />
          </div>
          {rounds.length === 0 ? (
            <div className="py-3 text-sm text-muted">
              <p>{t.noneMatches}</p>
              <Button className="mt-2" onClick={() => go({ status: [], range: "" })}>
                {t.clear}
              </Button>
            </div>
          ) : (
            <>
              <Rows rounds={rounds.slice((page - 1) * pageSize, page * pageSize)} />
              <div className="-mx-4">
                <Pager page={page} pages={pages} words={t.pager} onPage={(to) => go({ page: to })} />
              </div>
            </>
          )}
        </>
      )}
    </Card>
  );
}

function Rows({ rounds }: { rounds: readonly EndedRound[] }) {
  const c = t.columns;
  return (
    <Table
      head={
        <>
          <Head>{c.round}</Head>
          <Head>{c.status}</Head>
          <Head className="hidden sm:table-cell">{c.ended}</Head>
          <Head className="hidden text-right sm:table-cell">{c.took}</Head>
          <Head className="hidden text-right sm:table-cell">{c.clients}</Head>
          <Head className="text-right">{c.change}</Head>
          <Head className="text-right">{c.epsilon}</Head>
        </>
      }
    >
      {rounds.map((r) => (
        <Row key={r.round_number} round={r} />
      ))}
    </Table>
  );
}

function Row({ round: r }: { round: EndedRound }) {
  return (
    <tr data-round={r.round_number}>
      <RowHead>{r.round_number}</RowHead>
      <Cell>
        <Badge tone={r.status === "completed" ? "good" : "warn"}>{fl.status[r.status]}</Badge>
        {r.reason && <span className="mt-1 block text-xs text-muted">{r.reason}</span>}
        <span className="mt-1 block text-xs text-muted sm:hidden">
          <Time at={r.end_time} />
          <br />
          {t.clients(r.clients)}
        </span>
      </Cell>
      <Cell className="hidden sm:table-cell">
        <Time at={r.end_time} />
      </Cell>
      <Cell className="hidden text-right sm:table-cell">{span(r.duration * 60)}</Cell>
      <Cell className="hidden text-right sm:table-cell">{r.clients}</Cell>
      <Cell className="text-right">{r.accuracy_change === null ? "–" : t.change(points(r.accuracy_change))}</Cell>
      <Cell className="text-right">{r.epsilon === null ? "–" : figure(r.epsilon)}</Cell>
    </tr>
  );
}
