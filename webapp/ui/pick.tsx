"use client";

import { useState } from "react";

import { Button } from "./button";
import { Field, inputClass } from "./field";
import { Popover } from "./popover";

export interface Choice {
  value: string;
  name: string;
  hint?: string;
}

/** Pick lets any number of things be chosen out of many. add, where it is there, takes what is not among them. */
export function Pick({ label, choices, chosen, onChange, words, add, onOpenChange }: {
  label: string;
  choices: readonly Choice[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  words: { none: string; find: string; add: string };
  add?: { label: string; parse: (text: string) => string };
  onOpenChange?: (open: boolean) => void;
}) {
  const [find, setFind] = useState("");
  const [text, setText] = useState("");
  const missing = chosen.filter((value) => !choices.some((c) => c.value === value)).map((value): Choice => ({ value, name: value }));
  const all = [...missing, ...choices];
  const shown = all.filter((c) => `${c.value} ${c.name}`.toLowerCase().includes(find.toLowerCase()));
  const names = chosen.map((value) => all.find((c) => c.value === value)?.name ?? value);
  const toggle = (value: string) => onChange(chosen.includes(value) ? chosen.filter((v) => v !== value) : [...chosen, value]);
  const added = add?.parse(text) ?? "";
  return (
    <Popover onOpenChange={onOpenChange} label={label} active={chosen.length > 0} button={<span className="max-w-48 truncate">{chosen.length ? `${label}: ${names.length > 1 ? `${names[0]} +${names.length - 1}` : names[0]}` : label}</span>}>
      {all.length > 8 && (
        <Field label={words.find} className="mb-2">
          <input type="search" value={find} onChange={(e) => setFind(e.target.value)} className={inputClass} />
        </Field>
      )}
      <fieldset>
        <legend className="sr-only">{label}</legend>
        {all.length === 0 && <p className="text-muted">{words.none}</p>}
        <ul className="max-h-64 overflow-y-auto">
          {shown.map(({ value, name, hint }) => (
            <li key={value}>
              <label className="flex min-h-8 items-center gap-2 rounded px-1 hover:bg-hover">
                <input type="checkbox" className="size-4 shrink-0 accent-accent" checked={chosen.includes(value)} onChange={() => toggle(value)} />
                <span className="min-w-0 flex-1 break-words">{name}</span>
                {hint && <span className="text-xs text-muted">{hint}</span>}
              </label>
            </li>
          ))}
        </ul>
      </fieldset>
      {add && (
        <form
          className="mt-2 flex items-end gap-2 border-t border-line pt-2"
          onSubmit={(e) => {
            e.preventDefault();
            if (!added) return;
            if (!chosen.includes(added)) onChange([...chosen, added]);
            setText("");
          }}
        >
          <Field label={add.label} className="min-w-0 flex-1">
            <input value={text} onChange={(e) => setText(e.target.value)} className={inputClass} />
          </Field>
          <Button type="submit" disabled={!added}>
            {words.add}
          </Button>
        </form>
      )}
    </Popover>
  );
}
