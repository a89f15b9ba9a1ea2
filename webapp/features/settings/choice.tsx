import type { ReactNode } from "react";

/** Choice is a switch with what it does and what to know of it. */
export function Choice({ name, hint, on, disabled, onChange, children }: { name: string; hint: string; on: boolean; disabled?: boolean; onChange: (on: boolean) => void; children?: ReactNode }) {
  return (
    <div className="flex flex-wrap items-start gap-x-3 gap-y-2 py-2">
      <label className="flex min-w-0 flex-1 items-start gap-2.5">
        <input type="checkbox" role="switch" className="mt-0.5 size-4 shrink-0 accent-accent" checked={on} disabled={disabled} onChange={(e) => onChange(e.target.checked)} />
        <span>
          {name}
          <span className="block text-xs text-muted">{hint}</span>
        </span>
      </label>
      {children}
    </div>
  );
}
