import type { Standing } from "@/lib/attack";
import { texts } from "@/lib/texts";

const marks: Record<Standing, React.ReactNode> = {
  seen: <circle cx="6" cy="6" r="3.5" fill="currentColor" />,
  foreseen: <path d="m2.5 6.5 2.5 2.5 4.5-5.5" strokeWidth="2" />,
  predicted: <path d="M6 1.5 10.5 6 6 10.5 1.5 6Z" strokeDasharray="2 1.4" />,
};

const tones: Record<Standing, string> = { seen: "text-text", foreseen: "text-ok", predicted: "text-accent" };

/** StandingMark is the sign of how a technique stands, the same in graph, matrix and lists. */
export function StandingMark({ standing }: { standing: Standing }) {
  return (
    <svg aria-hidden viewBox="0 0 12 12" className={`inline size-3 shrink-0 ${tones[standing]}`} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round">
      {marks[standing]}
    </svg>
  );
}

/** StandingWord says how a technique stands; without one, that it was neither seen nor predicted. */
export function StandingWord({ standing }: { standing: Standing | undefined }) {
  if (!standing) return <span className="text-sm text-muted">{texts.attack.neither}</span>;
  return (
    <span className="inline-flex items-center gap-1.5 text-sm font-medium whitespace-nowrap">
      <StandingMark standing={standing} />
      {texts.attack.standing[standing]}
    </span>
  );
}
