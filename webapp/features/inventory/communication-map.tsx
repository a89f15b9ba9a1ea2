"use client";

import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";

import { conversations, deedOf, deeds, nameOf, type Deed } from "@/lib/assets";
import { texts } from "@/lib/texts";
import { Failure } from "@/ui/failure";
import { Notice } from "@/ui/notice";
import { SearchBox } from "@/ui/search-box";
import { Select } from "@/ui/select";
import { Skeleton } from "@/ui/skeleton";
import { DeedWord } from "./marks";
import { graphOf } from "./map-layout";
import { MapChoice } from "./map-choice";
import { MapPicture } from "./map-picture";
import { MapTable } from "./map-table";
import type { InventoryUrl } from "./use-inventory-url";

const t = texts.inventory.map;
const words = texts.inventory;

/** CommunicationMap is who talks to whom at a facility: as a picture, or as a table. */
export function CommunicationMap({ facility, url }: { facility: string; url: InventoryUrl }) {
  const { data, error, refetch, isFetching } = useQuery(conversations(facility));
  const [table, setTable] = useState(false);
  const [protocol, setProtocol] = useState("");
  const [deed, setDeed] = useState<Deed | "">("");
  const { go, at, filters } = url;
  const find = filters.search;

  const talks = useMemo(
    () => (data?.conversations ?? []).filter((c) => (!protocol || c.protocol === protocol) && (!deed || deedOf(c.functions) === deed)),
    [data, protocol, deed],
  );
  const graph = useMemo(() => graphOf(talks, data?.assets ?? []), [talks, data]);
  const found = useMemo(() => {
    const text = find.toLowerCase();
    if (!text) return null;
    return new Set([...graph.hosts.values()].filter((h) => h.id.includes(text) || h.asset?.name.toLowerCase().includes(text)).map((h) => h.id));
  }, [graph, find]);
  const choose = useCallback((to: string) => go({ at: to, facility }, at !== ""), [go, at, facility]);
  const onSearch = useCallback((to: string) => go({ search: to, facility }, true), [go, facility]);

  if (!data) {
    if (!error) return <Skeleton label={t.loading} rows={6} />;
    return (
      <div className="px-4">
        <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />
      </div>
    );
  }
  if (data.conversations.length === 0) {
    return (
      <Notice title={t.empty}>
        <p>{t.emptyBody}</p>
      </Notice>
    );
  }
  const protocols = [...new Set(data.conversations.map((c) => c.protocol ?? ""))].sort();
  return (
    <section aria-label={t.title} className="flex flex-1 flex-col gap-3 px-4 pb-4">
      <p className="text-sm text-muted">{t.lead}</p>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <fieldset className="flex rounded-md border border-line p-0.5">
          <legend className="sr-only">{t.ways.label}</legend>
          {([false, true] as const).map((way) => (
            <button
              key={String(way)}
              type="button"
              aria-pressed={table === way}
              onClick={() => setTable(way)}
              className={`rounded px-2.5 py-0.5 text-sm ${table === way ? "bg-selected font-medium text-text" : "text-muted hover:text-text"}`}
            >
              {way ? t.ways.table : t.ways.picture}
            </button>
          ))}
        </fieldset>
        <SearchBox search={find} label={t.find} hint={t.findHint} max={100} onSearch={onSearch} className="sm:max-w-64" />
        <Select label={t.protocol} value={protocol} active={protocol !== ""} onChange={setProtocol} choices={[{ value: "", name: t.everyProtocol }, ...protocols.map((value) => ({ value, name: value }))]} />
        <Select label={t.deed} value={deed} active={deed !== ""} onChange={setDeed} choices={[{ value: "" as const, name: t.everyDeed }, ...deeds.toReversed().map((value) => ({ value, name: words.deeds[value] }))]} />
        <p className="text-sm text-muted" data-testid="map-total">
          {t.total(graph.hosts.size, graph.pairs.length)}
        </p>
      </div>
      {data.total > data.conversations.length && <p className="text-sm text-warn">{t.cut(data.conversations.length, data.total)}</p>}
      {talks.length === 0 || found?.size === 0 ? (
        <p className="py-6 text-sm">{t.none}</p>
      ) : table ? (
        <MapTable facility={facility} graph={graph} found={found} />
      ) : (
        <div className="grid flex-1 items-start gap-4 @5xl:grid-cols-[minmax(0,1fr)_22rem]">
          <div className="min-w-0">
            <MapPicture graph={graph} found={found} at={at} onChoose={choose} />
            <Legend />
          </div>
          <MapChoice facility={facility} graph={graph} at={at} name={(id) => nameIn(graph, id)} onChoose={choose} />
        </div>
      )}
    </section>
  );
}

const nameIn = (graph: ReturnType<typeof graphOf>, id: string) => {
  const asset = graph.hosts.get(id)?.asset;
  return asset ? nameOf(asset) : id;
};

function Legend() {
  return (
    <ul aria-label={t.legend} className="flex flex-wrap gap-x-5 gap-y-1 pt-2 text-xs">
      {deeds.map((deed) => (
        <li key={deed}>
          <DeedWord deed={deed} />
        </li>
      ))}
      <li className="inline-flex items-center gap-1.5 text-muted">
        <svg aria-hidden viewBox="0 0 14 14" className="size-3.5">
          <path d="M7,1L13,13H1Z" fill="var(--mark-critical)" />
        </svg>
        {t.openAlerts}
      </li>
    </ul>
  );
}
