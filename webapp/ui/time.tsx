"use client";

import { useSyncExternalStore } from "react";

import { localParts, utc, zone } from "@/lib/time";
import { texts } from "@/lib/texts";

/** Time is a moment in the reader's zone; UTC shows on hover and is what a machine reads. */
export function Time({ at, date = true, className }: { at: string; date?: boolean; className?: string }) {
  const parts = localParts(at, useSyncExternalStore(zone.subscribe, zone.read, () => zone.fallback));
  return (
    <time dateTime={at} title={texts.time.utc(utc(at))} className={`whitespace-nowrap ${className ?? ""}`}>
      {date && `${parts.date} `}
      {parts.clock}
    </time>
  );
}
