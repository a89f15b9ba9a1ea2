"use client";

import { Dialog as Radix } from "radix-ui";
import { useRef, type ReactNode } from "react";

/** Dialog asks for something before anything else can be done. Escape and a click beside it mean no; the focus goes back to where it was. */
export function Dialog({ title, open, onClose, children }: { title: string; open: boolean; onClose: () => void; children: ReactNode }) {
  const before = useRef<Element | null>(null);
  return (
    <Radix.Root open={open} onOpenChange={(to) => !to && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-canvas/75" />
        <Radix.Content
          data-dialog
          aria-describedby={undefined}
          onOpenAutoFocus={() => {
            before.current = document.activeElement;
          }}
          onCloseAutoFocus={(e) => {
            e.preventDefault();
            if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
          }}
          className="fixed top-[12vh] left-1/2 z-50 max-h-[80vh] w-[30rem] max-w-[calc(100vw-1.5rem)] -translate-x-1/2 overflow-y-auto rounded-lg border border-line-strong bg-surface p-5 shadow-xl outline-none"
        >
          <Radix.Title className="mb-3 text-lg font-semibold tracking-tight">{title}</Radix.Title>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
