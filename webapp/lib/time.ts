// Times as an analyst reads them: the clock on the wall first, the date always there, because replayed captures may be
// years old; UTC, which logs and colleagues elsewhere use, beside it. Which wall is a choice: the reader's own, UTC, or
// that of a plant elsewhere.

import { preference } from "./preference";

/** zone is the time zone that times are shown in, by its IANA name; "" is the machine's own. */
export const zone = preference("zone", "", (kept) => {
  new Intl.DateTimeFormat("en-GB", { timeZone: kept as string }); // throws where it knows none of that name
  return kept as string;
});

/** Zones is which zone is the machine's own, and all that can be chosen. */
export interface Zones {
  own: string;
  all: readonly string[];
}

let known: Zones | undefined;

export function zones(): Zones {
  known ??= { own: ownZone(), all: ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")] };
  return known;
}

/** ownZone is the name of the machine's own zone. */
export const ownZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatIn(name: string): Intl.DateTimeFormat {
  let format = formats.get(name);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      timeZone: name || undefined,
    });
    formats.set(name, format);
  }
  return format;
}

/** localParts is a time in the reader's zone: `{ date: "24 Nov 2026", clock: "10:25:49" }`. */
export function localParts(iso: string, inZone = zone.read()): { date: string; clock: string } {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return { date: "", clock: iso };
  const part = Object.fromEntries(formatIn(inZone).formatToParts(at).map((p) => [p.type, p.value]));
  return { date: `${part.day} ${part.month} ${part.year}`, clock: `${part.hour}:${part.minute}:${part.second}` };
}

/** utc is a time to the millisecond as logs have it: `2026-11-24 10:25:49.120`. */
export function utc(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toISOString().replace("T", " ").replace("Z", "");
}

/** toInput is a time as a datetime-local field of the reader's zone has it: `2026-11-24T10:25`. "" stays "". */
export function toInput(iso: string, inZone = zone.read()): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() + offset(at, inZone)).toISOString().slice(0, 16);
}

/** fromInput is the moment that such a field means, "" where it is none. A moment that daylight saving skips is the one after it. */
export function fromInput(text: string, inZone = zone.read()): string {
  const wall = new Date(`${text}Z`);
  if (Number.isNaN(wall.getTime())) return "";
  const guess = new Date(wall.getTime() - offset(wall, inZone));
  return new Date(wall.getTime() - offset(guess, inZone)).toISOString();
}

/** offset is by how much a zone's clocks are ahead of UTC at a moment, ms. */
function offset(at: Date, inZone: string): number {
  const parts = new Intl.DateTimeFormat("en-CA", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: inZone || undefined,
  }).formatToParts(at);
  const n = (type: string) => Number(parts.find((p) => p.type === type)?.value);
  return Date.UTC(n("year"), n("month") - 1, n("day"), n("hour"), n("minute"), n("second")) - Math.floor(at.getTime() / 1000) * 1000;
}
