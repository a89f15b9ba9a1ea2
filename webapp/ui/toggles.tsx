import { ToggleGroup } from "radix-ui";
import type { ReactNode } from "react";

/** Toggles is a row of choices of which any number may be on; arrow keys move within it. */
export function Toggles<T extends string>({
  label, choices, chosen, onChange,
}: {
  label: string;
  choices: readonly { value: T; content: ReactNode }[];
  chosen: readonly T[];
  onChange: (chosen: T[]) => void;
}) {
  return (
    <ToggleGroup.Root type="multiple" aria-label={label} value={[...chosen]} onValueChange={(v) => onChange(v as T[])} className="flex flex-wrap gap-1">
      {choices.map(({ value, content }) => (
        <ToggleGroup.Item
          key={value}
          value={value}
          className="inline-flex min-h-7 items-center gap-1.5 rounded-md border border-line px-2 text-sm text-muted hover:bg-hover hover:text-text data-[state=on]:border-accent data-[state=on]:bg-selected data-[state=on]:font-medium data-[state=on]:text-text"
        >
          {content}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
