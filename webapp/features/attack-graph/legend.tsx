import type { ReactNode } from "react";

import { texts } from "@/lib/texts";
import { heats } from "./matrix";
import { StandingMark } from "./standing";

const t = texts.attack;

/** Legend is what the marks of the graph and the matrix mean, and beside it what changes the view. */
export function Legend({ matrix, children }: { matrix: boolean; children?: ReactNode }) {
  return (
    <div className="flex items-center justify-between gap-4 border-t border-line px-4 py-2">
      <ul aria-label={t.legend} className="flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-muted">
        {(["seen", "foreseen", "predicted"] as const).map((standing) => (
          <li key={standing} className="flex items-center gap-1.5">
            <StandingMark standing={standing} />
            {t.standing[standing]}
          </li>
        ))}
        {!matrix &&
          (["observed", "validated", "predicted"] as const).map((type) => (
            <li key={type} className="flex items-center gap-1.5">
              <svg aria-hidden viewBox="0 0 28 8" className={`h-2 w-7 ${type === "validated" ? "text-ok" : "text-muted"}`}>
                <path d="M0 4h22" stroke="currentColor" strokeWidth={type === "validated" ? 3 : 1.5} strokeDasharray={type === "predicted" ? "4 3" : undefined} />
                <path d="m21 0.5 7 3.5-7 3.500Z" fill="currentColor" />
              </svg>
              {t.links[type]}
            </li>
          ))}
        <li className="flex items-center gap-1.5">
          <span aria-hidden className="flex overflow-hidden rounded border border-line-strong">
            {heats.slice(1).map((level) => (
              <span key={level} className={`size-3.5 ${level}`} />
            ))}
          </span>
          {t.heat}
        </li>
      </ul>
      {children && <div className="flex shrink-0 gap-1">{children}</div>}
    </div>
  );
}
