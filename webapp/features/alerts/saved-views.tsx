"use client";

import { memo, useState } from "react";

import { usePreference } from "@/hooks/use-preference";
import { filterSearch, parseFilters, type Filters } from "@/lib/alert-filters";
import { texts } from "@/lib/texts";
import { forgetView, saveView, views } from "@/lib/views";
import { Button } from "@/ui/button";
import { Field, inputClass } from "@/ui/field";
import { Popover } from "@/ui/popover";

const t = texts.views;

/** SavedViews keeps sets of filters under names. */
export const SavedViews = memo(function SavedViews({ filters, onApply }: { filters: Filters; onApply: (to: Filters) => void }) {
  const saved = usePreference(views);
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const search = filterSearch(filters);
  const here = saved.find((v) => v.search === search);
  return (
    <Popover label={t.title} align="end" active={Boolean(here)} button={<span className="max-w-40 truncate">{here ? here.name : t.open}</span>} open={open} onOpenChange={setOpen}>
      <h2 className="mb-1 font-semibold">{t.title}</h2>
      {saved.length === 0 && <p className="text-muted">{t.none}</p>}
      <ul>
        {saved.map((v) => (
          <li key={v.name} className="flex items-center gap-1">
            <button
              type="button"
              aria-label={t.apply(v.name)}
              aria-pressed={v === here}
              onClick={() => {
                setOpen(false);
                onApply(parseFilters(new URLSearchParams(v.search)));
              }}
              className="min-h-8 min-w-0 flex-1 truncate rounded px-2 text-left hover:bg-hover aria-pressed:bg-selected aria-pressed:font-medium"
            >
              {v.name}
            </button>
            <button type="button" aria-label={t.forget(v.name)} title={t.forget(v.name)} onClick={() => forgetView(v.name)} className="inline-flex size-8 items-center justify-center rounded text-muted hover:bg-hover hover:text-text">
              <svg aria-hidden viewBox="0 0 12 12" className="size-3" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round">
                <path d="m2.500 2.500 7 7M9.500 2.500l-7 7" />
              </svg>
            </button>
          </li>
        ))}
      </ul>
      {search && !here && (
        <form
          className="mt-2 space-y-2 border-t border-line pt-2"
          onSubmit={(e) => {
            e.preventDefault();
            if (!name.trim()) return;
            saveView({ name: name.trim(), search });
            setName("");
          }}
        >
          <Field label={t.name} hint={t.kept}>
            <input value={name} maxLength={60} onChange={(e) => setName(e.target.value)} className={inputClass} />
          </Field>
          <Button type="submit" disabled={!name.trim()}>
            {t.save}
          </Button>
        </form>
      )}
    </Popover>
  );
});
