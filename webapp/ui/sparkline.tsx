/** Point is a value (null: none is known) at a place of the horizontal axis. */
export interface Point {
  x: number;
  y: number | null;
}

/** Sparkline is the course of one figure, small, from zero up. It says in its label what it shows; the figure beside it, how it stands. */
export function Sparkline({ label, points, span, className = "" }: { label: string; points: readonly Point[]; span: number; className?: string }) {
  const last = points.at(-1)?.x ?? 0;
  const top = Math.max(1, ...points.map((p) => p.y ?? 0));
  const path = points.map((p, i) => `${i ? "L" : "M"}${(100 - ((last - p.x) / span) * 100).toFixed(2)},${(95 - ((p.y ?? 0) / top) * 90).toFixed(2)}`).join("");
  const first = points[0];
  return (
    <svg role="img" aria-label={label} viewBox="0 0 100 100" preserveAspectRatio="none" className={`block text-accent ${className}`}>
      <path d="M0,96H100" stroke="var(--line-strong)" vectorEffect="non-scaling-stroke" />
      {first && points.length > 1 && (
        <>
          <path d={`${path}L100,96L${(100 - ((last - first.x) / span) * 100).toFixed(2)},96Z`} fill="currentColor" opacity="0.12" />
          <path d={path} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
        </>
      )}
    </svg>
  );
}
