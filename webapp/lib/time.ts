// Times as an analyst reads them: the clock on the wall first, the date always there, because replayed captures may be
// years old; UTC, which logs and colleagues elsewhere use, beside it.

const local = new Intl.DateTimeFormat("en-GB", {
  year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** localParts is a time in the reader's zone: `{ date: "24 Nov 2026", clock: "10:25:49" }`. */
export function localParts(iso: string): { date: string; clock: string } {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return { date: "", clock: iso };
  const part = Object.fromEntries(local.formatToParts(at).map((p) => [p.type, p.value]));
  return { date: `${part.day} ${part.month} ${part.year}`, clock: `${part.hour}:${part.minute}:${part.second}` };
}

/** utc is a time to the millisecond as logs have it: `2026-11-24 10:25:49.120`. */
export function utc(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : at.toISOString().replace("T", " ").replace("Z", "");
}
