"use client";

import { useEffect, type RefObject } from "react";

import type { Alert } from "@/lib/alerts";

/**
 * useAlertKeys lets j and k go down and up the list: while an alert is open they open its neighbour, else they move the
 * focus from row to row. Enter on a row is the row's own link, Escape the panel's own.
 */
export function useAlertKeys(rows: RefObject<HTMLElement | null>, alerts: readonly Alert[], open: string | null, onOpen: (id: string) => void): void {
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if ((e.key !== "j" && e.key !== "k") || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
      if (e.target instanceof HTMLElement && e.target.closest("input, textarea, select, [contenteditable]")) return;
      if (!alerts.length) return;
      const row = (id: string) => rows.current?.querySelector<HTMLElement>(`[data-alert="${CSS.escape(id)}"]`);
      const here = open ?? (document.activeElement as HTMLElement | null)?.dataset.alert;
      const at = alerts.findIndex((a) => a.id === here);
      const to = alerts[at < 0 ? 0 : at + (e.key === "j" ? 1 : -1)];
      if (!to) return;
      e.preventDefault();
      if (open) {
        onOpen(to.id);
        row(to.id)?.scrollIntoView({ block: "nearest" });
      } else row(to.id)?.focus();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [rows, alerts, open, onOpen]);
}
