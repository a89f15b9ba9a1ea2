"use client";

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback } from "react";

import { facilityList, type Facility } from "@/lib/assets";
import { allAssets, assetSearch, isNarrowed } from "@/lib/asset-filters";
import { texts } from "@/lib/texts";
import { Failure } from "@/ui/failure";
import { Notice } from "@/ui/notice";
import { SearchBox } from "@/ui/search-box";
import { Select } from "@/ui/select";
import { Skeleton } from "@/ui/skeleton";
import { Views } from "@/ui/views";
import { AssetFilters } from "./asset-filters";
import { AssetTable, useAssets } from "./asset-table";
import { FacilityCards, FacilityState } from "./facility-cards";
import { ImportNames } from "./import-names";
import { NoAssets } from "./no-assets";
import { useInventoryUrl, type InventoryUrl } from "./use-inventory-url";

const t = texts.inventory;

// The list is there before what only a chosen asset or the map needs.
const AssetPage = lazy(async () => ({ default: (await import("./asset-page")).AssetPage }));
const CommunicationMap = lazy(async () => ({ default: (await import("./communication-map")).CommunicationMap }));

/** InventoryView is the page: the facilities and their assets, who talks to whom, or one asset, as the URL says. */
export function InventoryView() {
  const url = useInventoryUrl();
  const { data: facilities, error, refetch, isFetching } = useQuery(facilityList);
  const { facility } = url.filters;
  const here = facilities?.find((f) => f.id === facility);
  return (
    <main id="content" tabIndex={-1} className="@container flex min-h-[calc(100dvh-3rem)] min-w-0 flex-1 flex-col outline-none">
      {!facilities && !error && <Skeleton label={t.loading} rows={8} />}
      {!facilities && error && (
        <div className="px-4">
          <Failure title={t.card.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />
        </div>
      )}
      {facilities &&
        (url.asset ? (
          <Suspense fallback={<Skeleton label={t.asset.loading} rows={6} />}>
            <AssetPage key={`${facility} ${url.asset}`} facility={facility} id={url.asset} url={url} />
          </Suspense>
        ) : (
          <>
            <div className="flex flex-wrap items-center gap-x-4 gap-y-2.5 px-4 pt-4 pb-3">
              <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
              <Tabs url={url} />
              <Select
                label={t.facility}
                value={facility}
                active={facility !== ""}
                onChange={(to) => url.go({ ...allAssets, facility: to, sort: url.filters.sort, at: "" })}
                choices={[{ value: "", name: t.everyFacility }, ...(facility && !here ? [{ value: facility, name: facility }] : []), ...facilities.map((f) => ({ value: f.id, name: f.id }))]}
              />
              {!url.map && facilities.length > 0 && (facility === "" || here) && <ListTools url={url} facilities={facilities.map((f) => f.id)} />}
            </div>
            {facility && !here ? (
              <Notice title={t.empty.unknownTitle}>
                <p>{t.empty.unknownBody}</p>
                <a href="/facilities" className="mt-4 inline-block text-accent underline underline-offset-4">
                  {t.empty.all}
                </a>
              </Notice>
            ) : (
              <Content url={url} facilities={facilities} />
            )}
          </>
        ))}
    </main>
  );
}

function Content({ url, facilities }: { url: InventoryUrl; facilities: readonly Facility[] }) {
  const { facility } = url.filters;
  const here = facilities.find((f) => f.id === facility);
  const only = facilities.length === 1 ? facilities[0]!.id : "";
  if (facilities.length === 0) return <NoAssets />;
  if (url.map) {
    if (!facility && !only) {
      return (
        <>
          <p className="px-4 pb-3 text-sm text-muted">{t.map.choose}</p>
          <FacilityCards facilities={facilities} />
        </>
      );
    }
    return (
      <Suspense fallback={<Skeleton label={t.map.loading} rows={6} />}>
        <CommunicationMap key={facility || only} facility={facility || only} url={url} />
      </Suspense>
    );
  }
  return (
    <>
      {here ? <FacilityState facility={here} /> : !isNarrowed(url.filters) && <FacilityCards facilities={facilities} />}
      <div className="flex-1 border-t border-line bg-surface">
        <AssetTable key={assetSearch({ ...url.filters, search: "" })} url={url} />
      </div>
    </>
  );
}

/** ListTools is how many assets there are, and what narrows them down, takes them out and names them. */
function ListTools({ url, facilities }: { url: InventoryUrl; facilities: readonly string[] }) {
  const { data } = useAssets(url);
  const { go, filters } = url;
  const search = filters.search;
  const onSearch = useCallback((to: string) => go({ search: to }, search !== ""), [go, search]);
  const query = assetSearch(filters);
  return (
    <>
      {data && (
        <p className="text-sm text-muted" data-testid="total">
          {t.total(data.pages.at(-1)?.total ?? 0, isNarrowed(filters))}
        </p>
      )}
      <div className="flex grow flex-wrap items-center justify-end gap-x-3 gap-y-2">
        <SearchBox search={search} label={t.search} hint={t.searchHint} max={100} onSearch={onSearch} />
        <ImportNames facility={filters.facility} facilities={facilities} />
        <a href={`/api/assets/export${query && `?${query}`}`} download className="inline-flex min-h-8 items-center rounded-md border border-line-strong bg-surface px-3 text-sm font-medium hover:bg-hover">
          {t.export}
        </a>
      </div>
      <AssetFilters filters={filters} onChange={go} />
    </>
  );
}

function Tabs({ url }: { url: InventoryUrl }) {
  const view = (map: boolean, name: string) => {
    const to = { ...allAssets, facility: url.filters.facility, map, at: "" };
    return { name, here: url.map === map, href: url.href(to), onGo: () => url.go(to) };
  };
  return <Views label={t.views.label} views={[view(false, t.views.assets), view(true, t.views.map)]} />;
}
