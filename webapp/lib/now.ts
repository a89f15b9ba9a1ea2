"use client";

import { useEffect, useState } from "react";

/** useNow is the browser's clock (ms), read again every `every` milliseconds while `running`. */
export function useNow(every: number, running = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const read = () => setNow(Date.now());
    const first = setTimeout(read);
    const timer = setInterval(read, every);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [every, running]);
  return now;
}
