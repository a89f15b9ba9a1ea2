/** Select is one choice out of a few, as the browser's own list. */
export function Select<T extends string>({ label, value, choices, onChange, active, className = "" }: {
  label: string;
  value: T;
  choices: readonly { value: T; name: string }[];
  onChange: (to: T) => void;
  active?: boolean; // another than the usual choice
  className?: string;
}) {
  return (
    <select
      aria-label={label}
      title={label}
      value={value}
      onChange={(e) => onChange(choices.find((c) => c.value === e.target.value)?.value ?? value)}
      className={`min-h-7 max-w-full rounded-md border bg-surface px-1.5 text-sm hover:bg-hover ${active ? "border-accent bg-selected font-medium text-text" : "border-line text-muted"} ${className}`}
    >
      {choices.map((c) => (
        <option key={c.value} value={c.value}>
          {c.name}
        </option>
      ))}
    </select>
  );
}
