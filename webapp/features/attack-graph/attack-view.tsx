"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { lazy, Suspense, useMemo, useRef, useState } from "react";

import { ranges } from "@/lib/alert-filters";
import { attackGraph, attackMatrix, found, inOrder, layerHref, standings } from "@/lib/attack";
import { systemStatus } from "@/lib/system";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Failure } from "@/ui/failure";
import { FailureNotice } from "@/ui/failure-notice";
import { Notice } from "@/ui/notice";
import { Pick } from "@/ui/pick";
import { Popover, PopoverClose } from "@/ui/popover";
import { SearchBox } from "@/ui/search-box";
import { Skeleton } from "@/ui/skeleton";
import { TimeFilter } from "@/ui/time-filter";
import { Views } from "@/ui/views";
import { Legend } from "./legend";
import { Matrix } from "./matrix";
import type { Picture } from "./picture";
import { room } from "./room";
import { TechniquePanel } from "./technique-panel";
import { MayCome, Timeline } from "./timeline";
import { useAttackUrl, type AttackUrl } from "./use-attack-url";
import { useNews } from "./use-news";

const t = texts.attack;

const AttackPicture = lazy(() => import("./attack-picture"));
const times = (["", ...ranges, "all"] as const).map((value) => ({ value, name: t.times[value] }));

/** AttackView is the page: what was seen and may come as a graph or as the matrix, in order of time, and beside it the chosen technique. */
export function AttackView() {
  const url = useAttackUrl();
  const { data: graph, error, refetch, isFetching, isPlaceholderData } = useQuery({ ...attackGraph(url.scope), placeholderData: keepPreviousData });
  const { news, fresh, dismiss } = useNews(isPlaceholderData ? undefined : graph, JSON.stringify(url.scope));
  const standing = useMemo(() => (graph ? standings(graph) : new Map<string, never>()), [graph]);
  const picture = useRef<Picture | null>(null);
  const opener = useRef<Element | null>(null);
  const open = (id: string, search = url.search) => {
    opener.current = document.activeElement;
    url.go({ technique: id, search });
  };
  const seen = graph ? inOrder(graph) : [];
  const summary = graph ? t.summary(seen.length, graph.nodes.length - seen.length, [...standing.values()].filter((s) => s === "foreseen").length) : "";
  const back = (was: string) => {
    const row = document.querySelector<HTMLElement>(`[data-technique="${CSS.escape(was)}"]:not([tabindex="-1"])`);
    const to = opener.current instanceof HTMLElement && opener.current.isConnected && opener.current !== document.body ? opener.current : (row ?? document.getElementById("content"));
    opener.current = null;
    to?.focus();
  };
  return (
    <div className="flex flex-1 items-start">
      <main id="content" tabIndex={-1} className="@container flex min-h-[calc(100dvh-3rem)] min-w-0 flex-1 flex-col gap-4 pb-6 outline-none" aria-busy={isPlaceholderData}>
        <Header url={url} summary={summary} picture={picture} onOpen={open} />
        {!graph && !error && <Skeleton label={t.loading} rows={8} />}
        {!graph && error && <FailureNotice title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />}
        {graph && (
          <>
            <section aria-label={url.matrix ? t.views.matrix : t.views.graph} className="border-y border-line bg-surface">
              {url.matrix ? (
                <MatrixOf url={url} standing={standing} />
              ) : graph.nodes.length ? (
                <Suspense
                  fallback={
                    <div className={room}>
                      <Skeleton label={t.drawing} rows={5} />
                    </div>
                  }
                >
                  <AttackPicture graph={graph} summary={summary} chosen={url.technique} search={url.search} onChoose={open} pictureRef={picture} />
                </Suspense>
              ) : (
                <Empty url={url} />
              )}
            </section>
            {graph.nodes.length > 0 && (
              <div className="grid items-start gap-4 px-4 @6xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
                <div className="@container">
                  <Timeline graph={graph} standing={standing} fresh={fresh} url={url} />
                </div>
                <MayCome graph={graph} url={url} />
              </div>
            )}
          </>
        )}
        <div className="pointer-events-none sticky bottom-0 z-20 flex h-0 flex-col items-center justify-end gap-2 px-3 *:pointer-events-auto *:mb-3">
          {graph && error && (
            <div role="alert" className="flex items-center gap-3 rounded-lg border border-warn bg-surface px-4 py-2 text-sm shadow-lg">
              {t.refreshFailed(error.message)}
              <Button onClick={() => void refetch()} disabled={isFetching}>
                {texts.errors.retry}
              </Button>
            </div>
          )}
          <div role="status" data-testid="news">
            {news && (
              <div className="flex items-center gap-3 rounded-lg border border-line-strong bg-surface px-4 py-2 text-sm shadow-lg">
                {(news.foreseen ? t.cameTrue : t.appeared)(news.id, news.name)}
                <Button
                  onClick={() => {
                    dismiss();
                    open(news.id);
                  }}
                >
                  {t.show}
                </Button>
                <Button onClick={dismiss}>{t.dismiss}</Button>
              </div>
            )}
          </div>
        </div>
      </main>
      <TechniquePanel graph={graph} url={url} onClosed={back} />
    </div>
  );
}

function MatrixOf({ url, standing }: { url: AttackUrl; standing: React.ComponentProps<typeof Matrix>["standing"] }) {
  const { data: matrix, error, refetch, isFetching } = useQuery({ ...attackMatrix(url.scope), placeholderData: keepPreviousData });
  if (matrix) {
    return (
      <>
        <label className="flex min-h-8 items-center gap-2 px-5 pt-3 pb-1 text-sm">
          <input type="checkbox" className="size-4 accent-accent" checked={url.marked} onChange={() => url.go({ marked: !url.marked }, true)} />
          {t.onlyMarked}
        </label>
        <Matrix matrix={matrix} standing={standing} url={url} />
        <Legend matrix />
      </>
    );
  }
  if (!error) return <Skeleton label={texts.skeleton} rows={6} />;
  return (
    <div className="px-5">
      <Failure title={t.matrixFailed} error={error} onRetry={() => void refetch()} busy={isFetching} />
    </div>
  );
}

function Empty({ url }: { url: AttackUrl }) {
  const { facility, range, from, to } = url.scope;
  const filtered = facility.length > 0 || range !== "" || from !== "" || to !== "";
  return (
    <Notice title={t.emptyTitle}>
      <p>{filtered ? t.emptyFiltered : t.emptyBody}</p>
      <p className="mt-4">
        {filtered ? (
          <Button onClick={() => url.go({ facility: [], range: "", from: "", to: "" })}>{t.clear}</Button>
        ) : (
          <Link href="/alerts" className="text-accent underline underline-offset-4">
            {t.toAlerts}
          </Link>
        )}
      </p>
    </Notice>
  );
}

/** Header is what is shown, of where and when, what is looked for, and the way out of the page as a file. */
function Header({ url, summary, picture, onOpen }: { url: AttackUrl; summary: string; picture: React.RefObject<Picture | null>; onOpen: (id: string, search: string) => void }) {
  const { data: system } = useQuery(systemStatus);
  const { data: names } = useQuery(techniqueNames);
  const matches = (search: string) => [...(names ?? [])].map(([id, name]) => ({ id, name })).filter((x) => found(x, search));
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2.5 px-4 pt-4">
      <h1 className="text-xl font-semibold tracking-tight">{t.title}</h1>
      <Views label={t.views.label} views={[false, true].map((matrix) => ({ name: matrix ? t.views.matrix : t.views.graph, here: url.matrix === matrix, href: url.href({ matrix }), onGo: () => url.go({ matrix }) }))} />
      <p className="text-sm text-muted" data-testid="summary">
        {summary}
      </p>
      <div role="group" aria-label={t.filters} className="flex grow flex-wrap items-center justify-end gap-x-3 gap-y-2">
        <Pick label={t.facility} words={texts.filters} chosen={url.scope.facility} onChange={(facility) => url.go({ facility })} choices={(system?.facilities ?? []).map((f) => ({ value: f.id, name: f.name || f.id }))} />
        <TimeFilter times={url.scope} ranges={times} onChange={url.go} />
        <SearchBox
          label={t.search}
          hint={t.searchHint}
          search={url.search}
          onSearch={(search) => url.go({ search }, true)}
          onLeave={(by, text) => {
            const first = by === "Enter" && matches(text)[0];
            if (first) onOpen(first.id, text);
          }}
        />
        <p role="status" className={url.search ? "text-sm text-muted" : "sr-only"}>
          {url.search && names && t.matches(matches(url.search).length)}
        </p>
        <ExportMenu url={url} picture={picture} />
      </div>
    </div>
  );
}

function ExportMenu({ url, picture }: { url: AttackUrl; picture: React.RefObject<Picture | null> }) {
  const [failed, setFailed] = useState(false);
  const item = "flex min-h-8 w-full items-center rounded px-2 text-left hover:bg-hover disabled:text-muted";
  const save = async () => {
    setFailed(false);
    try {
      const address = URL.createObjectURL(await picture.current!.png());
      Object.assign(document.createElement("a"), { href: address, download: "breakwater-attack-graph.png" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000); // once the browser has it
    } catch {
      setFailed(true);
    }
  };
  return (
    <Popover label={t.exports} align="end" button={t.exports}>
      <ul>
        <li>
          <PopoverClose asChild>
            <a href={layerHref(url.scope)} download className={item}>
              {t.layer}
            </a>
          </PopoverClose>
        </li>
        <li>
          <button type="button" disabled={url.matrix} onClick={() => void save()} className={item}>
            {t.picture}
          </button>
          {url.matrix && <p className="px-2 text-xs text-muted">{t.pictureHint}</p>}
          {failed && (
            <p role="alert" className="px-2 text-xs text-critical">
              {t.pictureFailed}
            </p>
          )}
        </li>
      </ul>
    </Popover>
  );
}
