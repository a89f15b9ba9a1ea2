"use client";

import { useState, useSyncExternalStore } from "react";

import { texts } from "@/lib/texts";
import { fromInput, localParts, ownZone, toInput, zone } from "@/lib/time";
import { Button } from "./button";
import { Field, inputClass } from "./field";
import { Popover } from "./popover";

const t = texts.filters;

/** Times is when it happened: one of a page's ranges ("" is the usual one), or between two moments, RFC 3339, "" being open. */
export interface Times<R extends string> {
  range: R | "";
  from: string;
  to: string;
}

/** TimeFilter is one of those ranges, or any two moments of the reader's zone. */
export function TimeFilter<R extends string>({ times, ranges, onChange }: { times: Times<R>; ranges: readonly { value: R | ""; name: string }[]; onChange: (to: Times<R>) => void }) {
  const [open, setOpen] = useState(false);
  const choose = (to: Times<R>) => {
    setOpen(false);
    onChange(to);
  };
  const set = times.range || times.from || times.to;
  return (
    <Popover label={t.time} active={Boolean(set)} button={<span className="truncate">{set ? (ranges.find((r) => r.value && r.value === times.range)?.name ?? between(times)) : t.time}</span>} open={open} onOpenChange={setOpen}>
      <ul className="mb-3 space-y-0.5">
        {ranges.map(({ value: range, name }) => (
          <li key={range}>
            <button
              type="button"
              aria-pressed={times.range === range && (range !== "" || !set)}
              onClick={() => choose({ range, from: "", to: "" })}
              className="min-h-8 w-full rounded px-2 text-left hover:bg-hover aria-pressed:bg-selected aria-pressed:font-medium"
            >
              {name}
            </button>
          </li>
        ))}
      </ul>
      <OwnRange key={`${times.from} ${times.to}`} times={times} onChange={(from, to) => choose({ range: "", from, to })} />
    </Popover>
  );
}

function OwnRange({ times, onChange }: { times: { from: string; to: string }; onChange: (from: string, to: string) => void }) {
  const name = useSyncExternalStore(zone.subscribe, zone.read, () => zone.fallback);
  const [from, setFrom] = useState(() => toInput(times.from));
  const [to, setTo] = useState(() => toInput(times.to));
  return (
    <form
      className="space-y-2 border-t border-line pt-3"
      onSubmit={(e) => {
        e.preventDefault();
        onChange(fromInput(from), fromInput(to));
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

function between({ from, to }: { from: string; to: string }): string {
  const short = (at: string) => {
    const { date, clock } = localParts(at);
    return `${date.slice(0, -5)} ${clock.slice(0, 5)}`;
  };
  return [from && `${t.from} ${short(from)}`, to && `${t.to.toLowerCase()} ${short(to)}`].filter(Boolean).join(" ");
}
