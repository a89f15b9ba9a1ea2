"use client";

import { span } from "@/lib/format";
import { useNow } from "@/lib/now";

/** Elapsed is how long it has been since then (Unix ms). */
export function Elapsed({ since }: { since: number }) {
  const now = useNow(1_000);
  return span((now - since) / 1_000);
}

/** Countdown is how long it is until then (Unix ms), second by second, and `over` from then on. */
export function Countdown({ until, over, words = (left) => left }: { until: number; over: string; words?: (left: string) => string }) {
  const now = useNow(1_000);
  return <span role="timer">{until > now ? words(span((until - now) / 1_000)) : over}</span>;
}
