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
  Enter: () => void;
  Escape: () => void;
}

/**
 * useAlertKeys lets single keys act on the alerts page, but where they go into a field or a dialog lies over the page.
 * Enter where the focus is on something is that thing's own: a row's link. It is ours only where the focus is on nothing,
 * as when it comes before the focus has followed a step to its row.
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
      if (key === "Enter" && document.activeElement !== document.body && document.activeElement?.id !== "content") return;
      if (isTyping(e) || document.querySelector("[data-dialog], [data-radix-popper-content-wrapper]")) return;
      if (key !== "Escape") e.preventDefault();
      latest.current[key]();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [on]);
}
