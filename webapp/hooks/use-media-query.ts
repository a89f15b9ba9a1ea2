"use client";

import { useSyncExternalStore } from "react";

/** useMediaQuery is whether the screen matches now; on an exported page, before the browser has it, false. */
export function useMediaQuery(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
    () => false,
  );
}
