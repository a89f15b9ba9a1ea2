"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";

import { alertArrivals, type Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";

const freshFor = 6_000; // ms, as long as the highlight's animation
const announceEvery = 2_000; // ms: a storm of alerts must not talk over everything else

/** Arrivals is what came in while the page was open: what to highlight, what to say aloud, and the newest. */
export interface Arrivals {
  fresh: ReadonlySet<string>; // ids
  announcement: string;
  latest: Alert | undefined;
}

export function useArrivals(): Arrivals {
  const { data: arrivals } = useQuery(alertArrivals);

  const [staleUntil, setStaleUntil] = useState(0);
  const newest = arrivals[0]?.at ?? 0;
  useEffect(() => {
    const timer = setTimeout(() => setStaleUntil(newest), freshFor);
    return () => clearTimeout(timer);
  }, [newest]);
  const fresh = useMemo(() => new Set(arrivals.filter((a) => a.at > staleUntil).map((a) => a.alert.id)), [arrivals, staleUntil]);

  const [announcement, setAnnouncement] = useState("");
  const unsaid = useRef(arrivals);
  const saidAt = useRef(0);
  useEffect(() => {
    unsaid.current = arrivals.filter((a) => a.at > saidAt.current);
    const latest = unsaid.current[0];
    if (!latest) return;
    const timer = setTimeout(
      () => {
        saidAt.current = latest.at;
        const { severity, title, asset } = latest.alert;
        const n = unsaid.current.length;
        setAnnouncement(
          n === 1
            ? texts.arrivals.one(texts.severity[severity], title, asset)
            : texts.arrivals.many(n, texts.severity[severity], title, asset),
        );
      },
      Math.max(0, (unsaid.current.at(-1)?.at ?? latest.at) + announceEvery - Date.now()),
    );
    return () => clearTimeout(timer);
  }, [arrivals]);

  return { fresh, announcement, latest: arrivals[0]?.alert };
}
