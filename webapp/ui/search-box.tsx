"use client";

import { useEffect, useState, type Ref } from "react";

import { inputClass } from "./field";

const pause = 300; // ms without a key until what was typed is looked for

/** SearchBox looks for words while they are typed. Enter looks at once; Escape leaves the field. */
export function SearchBox({ ref, label, hint, search, max = 200, onSearch, onLeave, className = "sm:max-w-80" }: {
  ref?: Ref<HTMLInputElement>;
  label: string;
  hint: string;
  search: string;
  max?: number; // characters
  onSearch: (to: string) => void;
  onLeave?: (by: "Enter" | "Escape", text: string) => void;
  className?: string;
}) {
  const [typed, setTyped] = useState({ text: search, from: search });
  const text = typed.from === search ? typed.text : search; // the URL changed otherwise: Back, a view, a cleared filter
  useEffect(() => {
    if (text === search) return;
    const timer = setTimeout(() => onSearch(text), pause);
    return () => clearTimeout(timer);
  }, [text, search, onSearch]);
  return (
    <form
      role="search"
      className={`min-w-40 flex-1 ${className}`}
      onSubmit={(e) => {
        e.preventDefault();
        if (text !== search) onSearch(text);
        onLeave?.("Enter", text);
      }}
    >
      <input
        ref={ref}
        type="search"
        aria-label={label}
        placeholder={label}
        title={hint}
        value={text}
        maxLength={max}
        onChange={(e) => setTyped({ text: e.target.value, from: search })}
        onKeyDown={(e) => {
          if (e.key !== "Escape" || !onLeave) return;
          e.preventDefault();
          onLeave("Escape", text);
        }}
        className={inputClass}
      />
    </form>
  );
}
