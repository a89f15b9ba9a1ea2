const tones = [
  "bg-low text-on-low",
  "bg-medium text-on-medium",
  "bg-high text-on-high",
  "bg-critical text-on-critical",
] as const;

/** Level is a word with its rank of four, told three ways: the word, the bars, the colour. */
export function Level({ rank, children }: { rank: 1 | 2 | 3 | 4; children: string }) {
  return (
    <span className={`inline-flex w-[5.75rem] items-center gap-1.5 rounded px-2 py-0.5 text-xs font-semibold ${tones[rank - 1]}`}>
      <Bars rank={rank} />
      {children}
    </span>
  );
}

export function Bars({ rank }: { rank: number }) {
  return (
    <svg aria-hidden viewBox="0 0 14 12" className="h-3 w-3.5 shrink-0" fill="currentColor">
      {[0, 1, 2, 3].map((i) => (
        <rect key={i} x={i * 3.75} y={9 - i * 3} width="2.5" height={3 + i * 3} rx="0.6" opacity={i < rank ? 1 : 0.28} />
      ))}
    </svg>
  );
}
