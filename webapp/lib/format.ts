// Figures as people read them.

const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** count is a number of things: `1,204`. */
export const count = (n: number) => whole.format(n);

/** rate is a figure per second: whole from ten on, below with one digit. */
export const rate = (n: number) => (n >= 10 ? whole : oneDigit).format(n);

/** percent of a part from 0 to 1, with one digit: `94.1 %`. */
export const percent = (part: number) => `${oneDigit.format(part * 100)} %`;

/** points is a change between two parts, in percentage points and with its sign: `+1.2`. */
export function points(change: number): string {
  const n = oneDigit.format(Math.abs(change) * 100);
  return n === "0" ? "±0" : `${change > 0 ? "+" : "−"}${n}`;
}

/** figure is a number of no unit (a loss, an ε) to three significant digits: `0.213`, `1.2 × 10⁻⁵`. */
export function figure(n: number): string {
  if (n === 0 || (Math.abs(n) >= 1e-3 && Math.abs(n) < 1e6)) return String(Number(n.toPrecision(3)));
  const [digits, power] = n.toExponential(1).split("e") as [string, string];
  const raised = [...power.replace("+", "")].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
  return digits === "1.0" ? `10${raised}` : `${Number(digits)} × 10${raised}`;
}

/** bytes is a size in the units of storage: `1.2 MB`. */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  for (; n >= 999.5 && at < units.length - 1; at++) n /= 1000;
  return `${at ? oneDigit.format(n) : whole.format(n)} ${units[at]}`;
}

/** span is a length of time in its two largest units: `1 min 5 s`, `23 h 4 min`, `3 d 2 h`. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const steps = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]] as const;
  const first = steps.findIndex(([size]) => s >= size);
  if (first < 0) return "0 s";
  const [size, unit] = steps[first]!;
  const next = steps[first + 1];
  const rest = next ? Math.floor((s % size) / next[0]) : 0;
  return `${Math.floor(s / size)} ${unit}${rest ? ` ${rest} ${next![1]}` : ""}`;
}
