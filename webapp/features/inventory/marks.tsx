import type { Deed, Use } from "@/lib/assets";
import { deedOfClass } from "@/lib/assets";
import { texts } from "@/lib/texts";

const t = texts.inventory;

/** The line of each deed: its width, its dashes, its colour. The first two tell them apart without the third. */
export const strokes: Record<Deed, { width: number; dashes?: string; colour: string }> = {
  talks: { width: 1.25, dashes: "1.5 4", colour: "var(--muted)" },
  reads: { width: 1.25, colour: "var(--accent)" },
  writes: { width: 3, colour: "var(--mark-high)" },
  programs: { width: 3, dashes: "8 4", colour: "var(--mark-critical)" },
};

/** letters mark the lines of those who change something. */
export const letters: Record<Deed, string> = { talks: "", reads: "", writes: t.map.writes, programs: t.map.programs };

/** DeedMark is a piece of the line that a deed has on the map. */
export function DeedMark({ deed }: { deed: Deed }) {
  const { width, dashes, colour } = strokes[deed];
  return (
    <svg aria-hidden viewBox="0 0 34 14" className="h-3.5 w-[2.125rem] shrink-0">
      <path d="M1,7H27" stroke={colour} strokeWidth={width} strokeDasharray={dashes} fill="none" />
      <path d="M26,3.500L33,7L26,10.500Z" fill={colour} />
      {letters[deed] && <Letter letter={letters[deed]} x={13} y={7} colour={colour} />}
    </svg>
  );
}

/** Letter is the mark on a line. */
export function Letter({ letter, x, y, colour }: { letter: string; x: number; y: number; colour: string }) {
  return (
    <>
      <circle cx={x} cy={y} r={6.5} fill="var(--surface)" stroke={colour} strokeWidth={1.5} />
      <text x={x} y={y} dy="0.36em" textAnchor="middle" fontSize={9} fontWeight={700} fill="var(--text)">
        {letter}
      </text>
    </>
  );
}

/** DeedWord is what a conversation does to its server. */
export function DeedWord({ deed, className = "" }: { deed: Deed; className?: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 ${deed === "writes" || deed === "programs" ? "font-medium" : "text-muted"} ${className}`}>
      <DeedMark deed={deed} />
      {t.deeds[deed]}
    </span>
  );
}

/** ClassWord is what a function does. */
export function ClassWord({ of }: { of: Use["class"] }) {
  const deed = deedOfClass(of);
  return <span className={deed === "reads" ? "text-muted" : `font-semibold ${deed === "programs" ? "text-critical dark:text-mark-critical" : "text-warn"}`}>{t.classes[of]}</span>;
}
