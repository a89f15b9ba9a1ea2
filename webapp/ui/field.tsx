import type { ReactNode } from "react";

export const inputClass =
  "min-h-8 w-full min-w-0 rounded-md border border-line-strong bg-surface px-2 text-sm text-text placeholder:text-muted invalid:border-critical";

/** Field is an input under its name. */
export function Field({ label, hint, className = "", children }: { label: string; hint?: ReactNode; className?: string; children: ReactNode }) {
  return (
    <label className={`block text-sm ${className}`}>
      <span className="mb-1 block text-xs text-muted">{label}</span>
      {children}
      {hint && <span className="mt-1 block text-xs text-muted">{hint}</span>}
    </label>
  );
}
