"use client";

import { Dialog } from "radix-ui";
import { useEffect, useRef, type ReactNode } from "react";

import { Button } from "./button";

/**
 * SidePanel shows one thing of a list, or nothing. Where the screen is wide it stands beside the list, which stays in
 * use; where it is narrow, which the caller knows (modal), it lies over the list and keeps the focus. onClosed is called
 * with the id that was open when the panel has gone and the focus is free. What is in it has a SidePanelTitle.
 */
export function SidePanel({ id, label, close, modal, onClose, onClosed, children }: {
  id: string | null;
  label: string;
  close: string;
  modal: boolean;
  onClose: () => void;
  onClosed: (was: string) => void;
  children: ReactNode;
}) {
  const content = useRef<HTMLDivElement>(null);
  const last = useRef("");
  useEffect(() => {
    if (id === null) return;
    last.current = id;
    content.current?.scrollTo({ top: 0 });
  }, [id]);
  return (
    <Dialog.Root open={id !== null} onOpenChange={(open) => !open && onClose()} modal={modal}>
      <Dialog.Content
        ref={content}
        aria-describedby={undefined}
        onOpenAutoFocus={(e) => {
          e.preventDefault();
          content.current?.focus();
        }}
        onCloseAutoFocus={(e) => {
          e.preventDefault();
          onClosed(last.current);
        }}
        onInteractOutside={(e) => e.preventDefault()}
        className="fixed inset-0 z-30 overflow-y-auto bg-surface outline-none lg:sticky lg:inset-auto lg:top-12 lg:z-10 lg:h-[calc(100dvh-3rem)] lg:w-[27rem] lg:shrink-0 lg:border-l lg:border-line xl:w-[32rem] 2xl:w-[36rem]"
      >
        <div className="sticky top-0 z-10 flex items-center justify-between border-b border-line bg-surface px-5 py-2">
          <p className="text-sm font-medium text-muted">{label}</p>
          <Dialog.Close asChild>
            <Button>
              {close} <kbd className="hidden font-mono text-xs text-muted lg:inline">Esc</kbd>
            </Button>
          </Dialog.Close>
        </div>
        {children}
      </Dialog.Content>
    </Dialog.Root>
  );
}

export const SidePanelTitle = Dialog.Title;
