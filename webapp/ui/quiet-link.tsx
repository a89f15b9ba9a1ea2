import Link from "next/link";
import type { ReactNode } from "react";

/** QuietLink is a link among words that are read more often than followed: it does not shout, and is not fetched ahead. */
export function QuietLink({ href, children }: { href: string; children: ReactNode }) {
  return (
    <Link href={href} prefetch={false} className="underline decoration-line-strong underline-offset-4 hover:decoration-accent">
      {children}
    </Link>
  );
}
