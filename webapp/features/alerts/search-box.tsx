"use client";

import { useEffect, useState, type Ref } from "react";

import { texts } from "@/lib/texts";
import { inputClass } from "@/ui/field";

const t = texts.filters;

const pause = 300; // ms without a key until what was typed is looked for

/** SearchBox looks for words while they are typed. Enter looks at once; Escape leaves the field for the list. */
export function SearchBox({ ref, search, onSearch, onLeave }: { ref: Ref<HTMLInputElement>; search: string; onSearch: (to: string) => void; onLeave: () => void }) {
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
      className="min-w-40 flex-1 sm:max-w-80"
      onSubmit={(e) => {
        e.preventDefault();
        if (text !== search) onSearch(text);
        onLeave();
      }}
    >
      <input
        ref={ref}
        type="search"
        aria-label={t.search}
        placeholder={t.search}
        title={t.searchHint}
        value={text}
        maxLength={200}
        onChange={(e) => setTyped({ text: e.target.value, from: search })}
        onKeyDown={(e) => {
          if (e.key !== "Escape") return;
          e.preventDefault();
          onLeave();
        }}
        className={inputClass}
      />
    </form>
  );
}
