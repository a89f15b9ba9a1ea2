import type { ReactNode } from "react";

/** Notice fills the place of content that is not there: nothing yet, nothing found, something failed. */
export function Notice({ title, heading: Heading = "h2", role, children }: { title: string; heading?: "h1" | "h2"; role?: "alert"; children: ReactNode }) {
  return (
    <div role={role} className="mx-auto max-w-xl px-6 py-16 text-muted">
      <Heading className="mb-2 text-lg font-semibold text-text">{title}</Heading>
      {children}
    </div>
  );
}
