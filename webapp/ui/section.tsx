import type { ReactNode } from "react";

/** Section is a part of what is told of one thing, under its heading. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3 className="mb-1.5 text-sm font-semibold">{title}</h3>
      <div className="text-sm break-words">{children}</div>
    </section>
  );
}

export function Fact({ name, mono, children }: { name: string; mono?: boolean; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className={`break-words ${mono ? "font-mono" : ""}`}>{children}</dd>
    </div>
  );
}
