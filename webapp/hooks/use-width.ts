"use client";

import { useLayoutEffect, useState, type RefObject } from "react";

/** useWidth is how wide an element is, px (0 until it is known), and how much larger than usual the page's text is: on a wall screen more than 1. */
export function useWidth(of: RefObject<HTMLElement | null>): { width: number; scale: number } {
  const [seen, setSeen] = useState({ width: 0, scale: 1 });
  useLayoutEffect(() => {
    const element = of.current;
    if (!element) return;
    const look = () => {
      const next = { width: element.clientWidth, scale: parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1 };
      setSeen((now) => (now.width === next.width && now.scale === next.scale ? now : next));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => observer.disconnect();
  }, [of]);
  return seen;
}
