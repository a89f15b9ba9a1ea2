/** Skeleton holds the place of rows that are on their way, and says so to screen readers. */
export function Skeleton({ label, rows }: { label: string; rows: number }) {
  return (
    <div role="status" aria-label={label} className="divide-y divide-line">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} aria-hidden className="flex animate-pulse items-center gap-4 px-4 py-4">
          <div className="h-5 w-20 rounded bg-sunken" />
          <div className="flex-1 space-y-2">
            <div className="h-3.5 w-1/3 rounded bg-sunken" />
            <div className="h-3 w-2/3 rounded bg-sunken" />
          </div>
          <div className="hidden h-4 w-24 rounded bg-sunken sm:block" />
        </div>
      ))}
    </div>
  );
}
