"use client";

import { useState } from "react";

import { usePreference } from "@/hooks/use-preference";
import { ranges, type Filters } from "@/lib/alert-filters";
import { texts } from "@/lib/texts";
import { fromInput, localParts, ownZone, toInput, zone } from "@/lib/time";
import { Button } from "@/ui/button";
import { Field, inputClass } from "@/ui/field";
import { Popover } from "@/ui/popover";

const t = texts.filters;

type Times = Pick<Filters, "range" | "from" | "to">;

/** TimeFilter is when it happened: up to now, or between two moments of the reader's zone. */
export function TimeFilter({ filters, onChange }: { filters: Times; onChange: (to: Times) => void }) {
  const [open, setOpen] = useState(false);
  const choose = (to: Times) => {
    setOpen(false);
    onChange(to);
  };
  const set = filters.range || filters.from || filters.to;
  return (
    <Popover label={t.time} active={Boolean(set)} button={<span className="truncate">{set ? words(filters) : t.time}</span>} open={open} onOpenChange={setOpen}>
      <ul className="mb-3 space-y-0.5">
        {(["", ...ranges] as const).map((range) => (
          <li key={range}>
            <button
              type="button"
              aria-pressed={filters.range === range && (range !== "" || !set)}
              onClick={() => choose({ range, from: "", to: "" })}
              className="min-h-8 w-full rounded px-2 text-left hover:bg-hover aria-pressed:bg-selected aria-pressed:font-medium"
            >
              {range ? t.ranges[range] : t.allTime}
            </button>
          </li>
        ))}
      </ul>
      <OwnRange key={`${filters.from} ${filters.to}`} filters={filters} onChange={choose} />
    </Popover>
  );
}

function OwnRange({ filters, onChange }: { filters: Times; onChange: (to: Times) => void }) {
  const name = usePreference(zone);
  const [from, setFrom] = useState(() => toInput(filters.from));
  const [to, setTo] = useState(() => toInput(filters.to));
  return (
    <form
      className="space-y-2 border-t border-line pt-3"
      onSubmit={(e) => {
        e.preventDefault();
        onChange({ range: "", from: fromInput(from), to: fromInput(to) });
      }}
    >
      <Field label={t.from}>
        <input type="datetime-local" value={from} max={to || undefined} onChange={(e) => setFrom(e.target.value)} className={inputClass} />
      </Field>
      <Field label={t.to} hint={t.inZone(name || ownZone())}>
        <input type="datetime-local" value={to} min={from || undefined} onChange={(e) => setTo(e.target.value)} className={inputClass} />
      </Field>
      <Button type="submit" disabled={!from && !to}>
        {t.apply}
      </Button>
    </form>
  );
}

function words({ range, from, to }: Times): string {
  if (range) return t.ranges[range];
  const short = (at: string) => {
    const { date, clock } = localParts(at);
    return `${date.slice(0, -5)} ${clock.slice(0, 5)}`;
  };
  return [from && `${t.from} ${short(from)}`, to && `${t.to.toLowerCase()} ${short(to)}`].filter(Boolean).join(" ");
}
