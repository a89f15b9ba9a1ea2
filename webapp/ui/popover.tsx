import { Popover as Radix } from "radix-ui";
import type { ReactNode } from "react";

/** Popover is a button and what it opens beside itself; Escape and a click elsewhere close it. */
export function Popover({ button, label, active, open, onOpenChange, className = "", align = "start", children }: {
  button: ReactNode;
  label: string;
  active?: boolean; // something in it is chosen
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  className?: string;
  align?: "start" | "end";
  children: ReactNode;
}) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Trigger
        className={`inline-flex min-h-7 items-center gap-1.5 rounded-md border px-2 text-sm hover:bg-hover hover:text-text data-[state=open]:bg-hover ${active ? "border-accent bg-selected font-medium text-text" : "border-line text-muted"}`}
      >
        {button}
        <svg aria-hidden viewBox="0 0 10 10" className="size-2.5 shrink-0" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round">
          <path d="m2 3.500 3 3 3-3" />
        </svg>
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          aria-label={label}
          className={`z-40 max-h-[var(--radix-popover-content-available-height)] w-72 max-w-[calc(100vw-1rem)] overflow-y-auto rounded-lg border border-line-strong bg-surface p-3 text-sm shadow-lg outline-none ${className}`}
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export const PopoverClose = Radix.Close;
