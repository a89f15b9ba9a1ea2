import Link from "next/link";
import type { ReactNode } from "react";

/** Figure is one number under its name; href is where the reason for it can be read. */
export function Figure({ name, href, hint, tone = "text-text", children }: { name: string; href?: string; hint?: ReactNode; tone?: string; children: ReactNode }) {
  const value = <span className={`text-xl font-semibold tracking-tight ${tone}`}>{children}</span>;
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd>
        {href ? (
          <Link href={href} className="underline decoration-line-strong decoration-1 underline-offset-4 hover:decoration-accent">
            {value}
          </Link>
        ) : (
          value
        )}
        {hint && <span className="block text-xs text-muted">{hint}</span>}
      </dd>
    </div>
  );
}
