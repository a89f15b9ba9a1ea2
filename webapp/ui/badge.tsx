import type { ReactNode } from "react";

const tones = {
  plain: "border-line-strong text-muted",
  good: "border-current text-ok",
  warn: "border-current text-warn",
  bad: "border-transparent bg-critical text-on-critical",
  accent: "border-current text-accent",
} as const;

/** Badge is a state in a word. The word says it; the colour only repeats it. */
export function Badge({ tone = "plain", children }: { tone?: keyof typeof tones; children: ReactNode }) {
  return <span className={`inline-flex items-center rounded-full border px-2 text-xs font-medium whitespace-nowrap ${tones[tone]}`}>{children}</span>;
}
