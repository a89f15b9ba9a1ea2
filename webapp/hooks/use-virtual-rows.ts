"use client";

import { useLayoutEffect, useState, type RefObject } from "react";

/** Rows is which rows of a long list are worth drawing, and how much room the others take, px. */
export interface Rows {
  from: number;
  to: number; // exclusive
  before: number;
  after: number;
  /** atTop is whether the first row is all there: nothing of the list is scrolled away. */
  atTop: boolean;
  /** reveal scrolls as little as it takes for a row to be seen. */
  reveal: (index: number) => void;
}

const overscan = 8; // rows above and below the screen, so that a quick scroll meets no hole
const guess = 56; // px, the height of a row until one is measured

/**
 * useVirtualRows draws of a list in the page only what is near the screen. All its rows are of one height, which is
 * measured at a child with [data-row]: it changes with the width of the list and the size of the text.
 */
export function useVirtualRows(list: RefObject<HTMLElement | null>, count: number): Rows {
  const [seen, setSeen] = useState({ from: 0, shown: 24, height: guess, atTop: true });

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      const height = element.querySelector<HTMLElement>("[data-row]")?.getBoundingClientRect().height || guess;
      const { top } = element.getBoundingClientRect();
      const next = {
        from: Math.max(0, Math.floor(-top / height) - overscan),
        shown: Math.ceil(window.innerHeight / height) + 2 * overscan,
        height,
        atTop: top >= 0,
      };
      setSeen((now) => (now.from === next.from && now.shown === next.shown && now.height === height && now.atTop === next.atTop ? now : next));
    };
    const soon = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    window.addEventListener("scroll", soon, { passive: true });
    window.addEventListener("resize", soon);
    const observer = new ResizeObserver(soon);
    observer.observe(element);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("scroll", soon);
      window.removeEventListener("resize", soon);
      observer.disconnect();
    };
  }, [list, count]);

  const { shown, height } = seen;
  const from = Math.min(seen.from, Math.max(0, count - shown));
  const to = Math.min(count, from + shown);

  const reveal = (index: number) => {
    const element = list.current;
    if (!element) return;
    const margin = parseFloat(getComputedStyle(element).scrollMarginTop) || 0; // what sticks above the list
    const top = element.getBoundingClientRect().top + index * height;
    const below = top + height - window.innerHeight;
    if (top < margin) window.scrollBy({ top: top - margin });
    else if (below > 0) window.scrollBy({ top: below });
  };

  return { from, to, before: from * height, after: (count - to) * height, atTop: seen.atTop, reveal };
}
