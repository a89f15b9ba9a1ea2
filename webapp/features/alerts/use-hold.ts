"use client";

import { useMemo, useState } from "react";

/** useHold is whether rows have to stay where they are: somebody points at the list or has the focus in it, or `also`. */
export function useHold(also: boolean) {
  const [pointed, setPointed] = useState(false);
  const [focused, setFocused] = useState(false);
  const props = useMemo(
    () => ({
      // A finger points only while it touches, and then the browser itself keeps the row under it.
      onPointerEnter: (e: React.PointerEvent) => e.pointerType !== "touch" && setPointed(true),
      onPointerLeave: () => setPointed(false),
      onFocus: () => setFocused(true),
      onBlur: (e: React.FocusEvent) => setFocused(e.currentTarget.contains(e.relatedTarget)),
    }),
    [],
  );
  return { held: also || pointed || focused, props };
}
