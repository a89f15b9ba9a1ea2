"use client";

import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useRef, type ReactNode } from "react";

import { useVirtualRows } from "@/hooks/use-virtual-rows";
import { assetList, idOf, type Asset } from "@/lib/assets";
import { isNarrowed } from "@/lib/asset-filters";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Failure } from "@/ui/failure";
import { Notice } from "@/ui/notice";
import { goUnlessMarked, RowLink } from "@/ui/place-link";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { NoAssets } from "./no-assets";
import type { InventoryUrl } from "./use-inventory-url";

const t = texts.inventory;

const ahead = 60; // rows before the end at which the next ones are asked for

// One markup for two widths: a card, and a table's columns. At each of them all rows are of one height, which is what
// makes a long list quick.
const columns = "@5xl:grid-cols-[minmax(11rem,1.4fr)_9rem_5.5rem_minmax(7rem,1fr)_minmax(7rem,1fr)_6rem_8.5rem_8.5rem_5rem] @5xl:gap-x-4";
const heights = "h-[6.25rem] @5xl:h-[3.25rem]";

/** useAssetCount is how many assets there are under the filters of the URL. */
export function useAssets(url: InventoryUrl) {
  return useInfiniteQuery({ ...assetList(url.filters), placeholderData: (before) => before });
}

/** AssetTable is the assets under the filters. It reads on as it is scrolled. */
export function AssetTable({ url }: { url: InventoryUrl }) {
  const list = useRef<HTMLOListElement>(null);
  const { data, error, refetch, isFetching, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError, isPlaceholderData } = useAssets(url);
  const assets = data?.pages.flatMap((p) => p.assets) ?? [];
  const total = data?.pages.at(-1)?.total ?? 0;
  const rows = useVirtualRows(list, assets.length);
  const near = hasNextPage && rows.to + ahead >= assets.length;
  useEffect(() => {
    if (near && !isFetching && !isFetchNextPageError && !isPlaceholderData) void fetchNextPage();
  }, [near, isFetching, isFetchNextPageError, isPlaceholderData, fetchNextPage]);

  if (!data) {
    if (!error) return <Skeleton label={t.loading} rows={8} />;
    return (
      <div className="px-4">
        <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />
      </div>
    );
  }
  if (assets.length === 0) {
    return isNarrowed(url.filters) ? (
      <Notice title={t.empty.filteredTitle}>
        <p>{t.empty.filteredBody}</p>
      </Notice>
    ) : (
      <NoAssets />
    );
  }
  return (
    <div className={isPlaceholderData ? "opacity-60" : undefined}>
      <div aria-hidden className={`sticky top-12 z-10 hidden border-b border-line bg-surface px-4 py-2 text-xs font-medium text-muted @5xl:grid ${columns}`}>
        {Object.entries(t.columns).map(([key, name]) => (
          <span key={key}>{name}</span>
        ))}
      </div>
      <ol ref={list} aria-label={t.list} className="[overflow-anchor:none]" style={{ paddingTop: rows.before, paddingBottom: rows.after }}>
        {assets.slice(rows.from, rows.to).map((a, i) => (
          <Row key={`${a.facility_id} ${idOf(a)}`} asset={a} place={rows.from + i + 1} total={total} url={url} />
        ))}
      </ol>
      <div className="px-4 py-3 text-sm text-muted">
        {isFetchNextPageError ? (
          <p role="alert" className="flex flex-wrap items-center gap-3">
            {t.failed}
            <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
              {texts.errors.retry}
            </Button>
          </p>
        ) : hasNextPage ? (
          <p>{t.loadingMore}</p>
        ) : (
          assets.length > 20 && <p>{t.end(total)}</p>
        )}
      </div>
    </div>
  );
}

function Row({ asset: a, place, total, url }: { asset: Asset; place: number; total: number; url: InventoryUrl }) {
  const to = { facility: a.facility_id, asset: idOf(a) };
  return (
    <li
      data-row
      aria-setsize={total}
      aria-posinset={place}
      onClick={goUnlessMarked(() => url.go(to))}
      className={`grid cursor-pointer grid-cols-[minmax(0,1fr)_auto] content-center items-center gap-x-4 gap-y-0.5 overflow-hidden border-b border-line px-4 text-sm hover:bg-hover ${heights} ${columns}`}
    >
      <div className="min-w-0">
        <p className="truncate">
          <RowLink href={url.href(to)} onGo={() => url.go(to)} data-asset={idOf(a)} className="text-base font-semibold underline-offset-4 hover:underline">
            {a.name || <span className="font-mono text-sm">{idOf(a)}</span>}
          </RowLink>
        </p>
        <p className="flex gap-x-2 overflow-hidden text-xs whitespace-nowrap text-muted">
          {a.name && <span className="font-mono">{idOf(a)}</span>}
          {a.zone && <span className="truncate">{a.zone}</span>}
          {a.ip && a.mac && !(a.name && a.zone) && <span className="font-mono">{a.mac}</span>}
        </p>
      </div>
      <div className="text-right @5xl:hidden">
        <Alerts asset={a} />
      </div>
      <Cell label={t.columns.role}>
        <span title={t.rolesHint[a.role]}>{t.roles[a.role]}</span>
      </Cell>
      <Cell label={t.columns.level}>
        <span title={t.levelHint} className={a.level ? undefined : "text-muted"}>
          {a.level ? t.levelShort(a.level) : t.noLevel}
        </span>
      </Cell>
      <Cell label={t.columns.protocols} className="truncate font-mono text-xs">
        <span title={(a.protocols ?? []).join(", ")}>{(a.protocols ?? []).join(" ")}</span>
      </Cell>
      <Cell label={t.columns.vendor} className={`truncate ${a.vendor ? "" : "text-muted"}`}>
        <span title={a.vendor}>{a.vendor || t.noVendor}</span>
      </Cell>
      <Cell label={t.columns.facility} className="truncate">
        {a.facility_id}
      </Cell>
      <Cell label={t.columns.first}>{a.first_seen ? <Time at={a.first_seen} className="text-muted" /> : <span className="text-muted">{t.unseen}</span>}</Cell>
      <Cell label={t.columns.last}>{a.last_seen && <Time at={a.last_seen} />}</Cell>
      <Cell label={t.columns.alerts}>
        <Alerts asset={a} />
      </Cell>
      <p className="col-span-full truncate text-muted @5xl:hidden">
        <span className="text-text">{t.roles[a.role]}</span> · {a.level ? t.levelShort(a.level) : t.levels.unknown} · {(a.protocols ?? []).join(" ")}
      </p>
      <p className="col-span-full truncate text-xs text-muted @5xl:hidden">
        {a.facility_id}
        {a.vendor && ` · ${a.vendor}`} · {a.last_seen ? <Time at={a.last_seen} /> : t.unseen}
      </p>
    </li>
  );
}

/** Cell is a column of its own where the list is wide; elsewhere its content stands in the lines under the name. */
function Cell({ label, className = "", children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <div className={`hidden min-w-0 @5xl:block ${className}`}>
      <span className="sr-only">{label}: </span>
      {children}
    </div>
  );
}

function Alerts({ asset: a }: { asset: Asset }) {
  return a.open_alerts ? <Badge tone="bad">{t.open(a.open_alerts)}</Badge> : <span className="text-muted">{t.noneOpen(a.alerts)}</span>;
}
