import type { ComponentProps } from "react";

const looks = {
  plain: "border-line-strong bg-surface hover:bg-hover",
  primary: "border-accent bg-accent text-on-accent hover:underline underline-offset-4",
} as const;

/** Button does something; the primary one is what its page or question is about. */
export function Button({ primary, className = "", ...props }: ComponentProps<"button"> & { primary?: boolean }) {
  return (
    <button
      type="button"
      className={`inline-flex min-h-8 items-center gap-1.5 rounded-md border px-3 text-sm font-medium disabled:opacity-45 ${looks[primary ? "primary" : "plain"]} ${className}`}
      {...props}
    />
  );
}
