"use client";

import { useCallback, useRef, useState } from "react";

import type { Alert } from "@/lib/alerts";

/** useSelection is which alerts are selected. With Shift the selection reaches from the last one chosen to this one. */
export function useSelection(alerts: readonly Alert[]) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<string | null>(null);

  const toggle = useCallback(
    (id: string, through = false) => {
      const from = through ? alerts.findIndex((a) => a.id === last.current) : -1;
      const to = alerts.findIndex((a) => a.id === id);
      last.current = id;
      setSelected((now) => {
        const next = new Set(now);
        if (from >= 0 && to >= 0) for (const a of alerts.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(a.id);
        else if (!next.delete(id)) next.add(id);
        return next;
      });
    },
    [alerts],
  );
  const toggleAll = useCallback(() => setSelected((now) => (alerts.every((a) => now.has(a.id)) ? new Set() : new Set(alerts.map((a) => a.id)))), [alerts]);
  const clear = useCallback(() => setSelected((now) => (now.size ? new Set() : now)), []);
  return { selected, toggle, toggleAll, clear };
}
