"use client";

import { useEffect, useRef } from "react";

import { usePreference } from "@/hooks/use-preference";
import { isTyping, shortcuts } from "@/lib/keys";

/** Keys is what each key of the alerts page does. */
export interface Keys {
  j: () => void;
  k: () => void;
  x: () => void;
  a: () => void;
  r: () => void;
  f: () => void;
  "/": () => void;
  "?": () => void;
  Escape: () => void;
}

/**
 * useAlertKeys lets single keys act on the alerts page, but where they go into a field or a dialog lies over the page.
 * Enter on a row is the row's own link.
 */
export function useAlertKeys(keys: Keys): void {
  const on = usePreference(shortcuts);
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || !Object.hasOwn(latest.current, e.key)) return;
      const key = e.key as keyof Keys;
      if (key !== "Escape" && !on) return;
      if (isTyping(e) || document.querySelector("[data-dialog], [data-radix-popper-content-wrapper]")) return;
      if (key !== "Escape") e.preventDefault();
      latest.current[key]();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [on]);
}
