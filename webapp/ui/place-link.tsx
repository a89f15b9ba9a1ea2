import type { ComponentProps, MouseEvent } from "react";

interface Props extends Omit<ComponentProps<"a">, "href" | "onClick"> {
  href: string;
  onGo: () => void;
}

const ofItsOwn = (e: MouseEvent) => e.metaKey || e.ctrlKey || e.shiftKey; // a tab or window

/** PlaceLink goes to another state of the page that is open, without asking the server for the page. */
export function PlaceLink({ onGo, ...props }: Props) {
  return (
    <a
      {...props}
      onClick={(e) => {
        if (ofItsOwn(e)) return;
        e.preventDefault();
        onGo();
      }}
    />
  );
}

/** RowLink is the link of a row: for keyboards and screen readers, because for a pointer the whole row is one, by goUnlessMarked. */
export function RowLink({ onGo, ...props }: Props) {
  return (
    <a
      {...props}
      onClick={(e) => {
        const [own, byKey] = [ofItsOwn(e), e.detail === 0];
        if (own || byKey) e.stopPropagation(); // else the row's own click follows
        if (own) return;
        e.preventDefault();
        if (byKey) onGo();
      }}
    />
  );
}

/** goUnlessMarked is the click on a row: marking its text goes nowhere. */
export const goUnlessMarked = (go: () => void) => () => {
  if (window.getSelection()?.isCollapsed !== false) go();
};
