/** Progress is how far something is, 0 to 100; the number beside it says the same. */
export function Progress({ label, value, className = "" }: { label: string; value: number; className?: string }) {
  const part = Math.min(100, Math.max(0, value));
  return (
    <svg
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part)}
      viewBox="0 0 100 1"
      preserveAspectRatio="none"
      className={`h-2 w-full overflow-hidden rounded-full bg-sunken text-accent ${className}`}
    >
      <rect width={part} height="1" fill="currentColor" />
    </svg>
  );
}
