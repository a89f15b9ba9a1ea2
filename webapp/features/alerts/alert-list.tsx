"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, type RefObject } from "react";

import { useVirtualRows, type Rows } from "@/hooks/use-virtual-rows";
import type { Filters } from "@/lib/alert-filters";
import { holdAlerts, moreAlerts, type AlertList as List } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { AlertRows, type RowProps } from "./alert-rows";
import { useHold } from "./use-hold";

const t = texts.alerts;

const ahead = 40; // rows before the end at which the next ones are asked for

/**
 * AlertList is the list on the screen. It reads on as it is scrolled; while a pointer or the focus is in it or on its way there, or it
 * is scrolled, no row moves: what comes is counted above it and comes in when that is wanted.
 */
export function AlertList({ list, filters, rowsRef, listRef, seeking, onSelectAll, ...row }: Omit<RowProps, "fresh"> & {
  list: List;
  filters: Filters;
  fresh: ReadonlySet<string>;
  rowsRef: RefObject<Rows | null>; // what goes to a row by its number
  listRef: RefObject<HTMLOListElement | null>;
  seeking: boolean; // the focus is on its way to a row
  onSelectAll: () => void;
}) {
  const cache = useQueryClient();
  const { alerts, next } = list;
  const rows = useVirtualRows(listRef, alerts.length);
  useEffect(() => {
    rowsRef.current = rows;
  }, [rowsRef, rows]);

  const { held, props } = useHold(!rows.atTop || row.selected.size > 0 || seeking);
  useEffect(() => {
    if (list.held !== held) holdAlerts(cache, filters, held);
  }, [cache, filters, held, list.held]);
  useEffect(() => () => holdAlerts(cache, filters, false), [cache, filters]);

  const more = useMutation({ mutationFn: () => moreAlerts(cache, filters), networkMode: "always" });
  const { mutate, isPending, isError } = more;
  const near = next !== null && rows.to + ahead >= alerts.length;
  const asked = useRef<List | null>(null); // an error is not tried again by itself
  useEffect(() => {
    if (!near || isPending || isError || asked.current === list) return;
    asked.current = list;
    mutate();
  }, [near, isPending, isError, list, mutate]);

  const whole = alerts.length > 0 && alerts.every((a) => row.selected.has(a.id));
  return (
    <div {...props}>
      {list.waitingCount > 0 && (
        // Without a height of its own, so that nothing moves when it comes.
        <div className="sticky top-14 z-20 flex h-0 justify-center @6xl:top-[5.75rem]">
          <button
            type="button"
            onClick={() => {
              window.scrollTo({ top: 0 });
              holdAlerts(cache, filters, false);
            }}
            className="h-8 rounded-full bg-accent px-4 text-sm font-medium text-on-accent shadow-lg"
          >
            {texts.arrivals.waiting(list.waitingCount)}
          </button>
        </div>
      )}
      <AlertRows ref={listRef} alerts={alerts} rows={rows} total={list.total} whole={whole} onSelectAll={onSelectAll} {...row} />
      <div className="px-4 py-3 text-sm text-muted">
        {isError ? (
          <p role="alert" className="flex flex-wrap items-center gap-3">
            {t.moreFailed}
            <Button onClick={() => mutate()} disabled={isPending}>
              {texts.errors.retry}
            </Button>
          </p>
        ) : next !== null ? (
          <p>{t.loadingMore}</p>
        ) : (
          alerts.length > 20 && <p>{t.end(list.total)}</p>
        )}
      </div>
    </div>
  );
}
