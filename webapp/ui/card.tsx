import Link from "next/link";
import type { ReactNode } from "react";

/** Card is a part of a page under its own heading; more is where the whole of it stands. */
export function Card({ id, title, more, aside, className = "", children }: {
  id?: string;
  title: string;
  more?: { href: string; name: string };
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section id={id} aria-label={title} className={`flex min-w-0 scroll-mt-16 flex-col rounded-lg border border-line bg-surface ${className}`}>
      <header className="flex min-h-11 flex-wrap items-center gap-x-4 gap-y-1 px-4 pt-2.5 pb-1">
        <h2 className="text-sm font-semibold">{title}</h2>
        {aside}
        {more && (
          <Link href={more.href} className="ml-auto text-sm text-accent underline-offset-4 hover:underline">
            {more.name}
          </Link>
        )}
      </header>
      <div className="flex flex-1 flex-col px-4 pb-4">{children}</div>
    </section>
  );
}
