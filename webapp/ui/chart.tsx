"use client";

// Charts as SVG that stretches with its place: lines keep their width, words stand beside it as HTML. One value at a
// time is read out above the chart: the one under the pointer, or the one that the arrow keys have gone to.

import { useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import { scale } from "./scale";
import type { Point } from "./sparkline";

interface Frame {
  label: string; // what the chart shows
  marks: readonly number[]; // of the vertical axis, lowest first
  axis: (mark: number) => string;
  ends: readonly [string, string]; // of the horizontal axis
  at: number[]; // where along it each value stands, 0 to 1
  readout: (i: number) => string;
  tall?: boolean;
  children: ReactNode; // SVG in a square of 100
}

/** Plot is the frame of a chart: axes, the value read out, and the keys that go from value to value. */
function Plot({ label, marks, axis, ends, at, readout, tall, children, active, onActive }: Frame & { active: number | undefined; onActive: (i: number | undefined) => void }) {
  const last = at.length - 1;
  const here = Math.min(active ?? last, last);
  const point = (e: PointerEvent<HTMLElement>) => {
    const box = e.currentTarget.getBoundingClientRect();
    const x = (e.clientX - box.left) / (box.width || 1);
    onActive(at.reduce((best, place, i) => (Math.abs(place - x) < Math.abs(at[best]! - x) ? i : best), 0));
  };
  const key = (e: KeyboardEvent) => {
    const to = { ArrowLeft: here - 1, ArrowDown: here - 1, ArrowRight: here + 1, ArrowUp: here + 1, Home: 0, End: last }[e.key];
    if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    onActive(Math.min(last, Math.max(0, to)));
  };
  return (
    <div className="text-xs text-muted">
      <p aria-hidden className="mb-1 min-h-4 text-right text-text">
        {readout(here)}
      </p>
      <div className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2">
        <div aria-hidden className={`flex flex-col-reverse justify-between text-right ${tall ? "h-40" : "h-28"}`}>
          {marks.map((mark) => (
            <span key={mark} className="-my-2 leading-4">
              {axis(mark)}
            </span>
          ))}
        </div>
        <div
          role="slider"
          tabIndex={0}
          aria-label={label}
          aria-valuemin={0}
          aria-valuemax={last}
          aria-valuenow={here}
          aria-valuetext={readout(here)}
          onPointerMove={point}
          onPointerLeave={() => onActive(undefined)}
          onKeyDown={key}
          onBlur={() => onActive(undefined)}
          className={`relative cursor-crosshair ${tall ? "h-40" : "h-28"}`}
        >
          <svg aria-hidden viewBox="0 0 100 100" preserveAspectRatio="none" className="absolute inset-0 size-full overflow-visible">
            {marks.map((mark, i) => (
              <path key={mark} d={`M0,${100 - (i / (marks.length - 1)) * 100}H100`} stroke={i ? "var(--line)" : "var(--line-strong)"} vectorEffect="non-scaling-stroke" />
            ))}
            {active !== undefined && <path d={`M${at[here]! * 100},0V100`} stroke="var(--line-strong)" vectorEffect="non-scaling-stroke" />}
            {children}
          </svg>
        </div>
        <span />
        <p aria-hidden className="mt-1.5 flex justify-between gap-4">
          <span>{ends[0]}</span>
          <span>{ends[1]}</span>
        </p>
      </div>
    </div>
  );
}

/** LineChart is the course of one figure. Where a value is not known the line is broken. There is at least one point. */
export function LineChart({ label, points, from, to, least, axis, ends, readout, mark, tall }: {
  label: string;
  points: readonly Point[];
  from?: number; // a value that the vertical axis reaches down to at least
  to?: number;
  least?: number; // the smallest step of its marks
  axis: (y: number) => string;
  ends: readonly [string, string];
  readout: (point: Point) => string;
  mark?: number; // a place of the horizontal axis to mark with a line
  tall?: boolean;
}) {
  const [active, setActive] = useState<number>();
  const marks = scale(points.flatMap((p) => p.y ?? []), { from, to, least });
  const [low, high] = [marks[0]!, marks.at(-1)!];
  const [first, last] = [points[0]!.x, Math.max(points.at(-1)!.x, mark ?? -Infinity)];
  const place = (x: number) => (last > first ? (x - first) / (last - first) : 0.5);
  const height = (y: number) => 100 - ((y - low) / (high - low)) * 100;
  const dot = ({ x, y }: Point) => (y === null ? "" : `M${(place(x) * 100).toFixed(2)},${height(y).toFixed(2)}h0.001`);
  const line = points
    .map(({ x, y }, i) => (y === null ? "" : `${i && points[i - 1]!.y !== null ? "L" : "M"}${(place(x) * 100).toFixed(2)},${height(y).toFixed(2)}`))
    .join("");
  const chosen = points[Math.min(active ?? points.length - 1, points.length - 1)]!;
  return (
    <Plot
      label={label}
      marks={marks}
      axis={axis}
      ends={ends}
      at={points.map((p) => place(p.x))}
      readout={(i) => readout(points[i]!)}
      tall={tall}
      active={active}
      onActive={setActive}
    >
      {mark !== undefined && <path d={`M${place(mark) * 100},0V100`} stroke="var(--mark-critical)" strokeWidth="2" vectorEffect="non-scaling-stroke" />}
      <path d={line} fill="none" stroke="var(--accent)" strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" vectorEffect="non-scaling-stroke" />
      {points.length <= 40 && <path d={points.map(dot).join("")} stroke="var(--accent)" strokeWidth="5" strokeLinecap="round" vectorEffect="non-scaling-stroke" />}
      <path d={dot(chosen)} stroke="var(--accent)" strokeWidth="9" strokeLinecap="round" vectorEffect="non-scaling-stroke" />
    </Plot>
  );
}

/** Column is one column of a chart: the sizes of its parts, from the bottom up. */
export interface Column {
  name: string;
  parts: readonly number[];
}

/** ColumnChart is columns of counts, each made of parts of which each has its colour (a CSS variable's name). */
export function ColumnChart({ label, columns, colours, axis, ends, readout, tall }: {
  label: string;
  columns: readonly Column[];
  colours: readonly string[];
  axis: (y: number) => string;
  ends: readonly [string, string];
  readout: (column: Column) => string;
  tall?: boolean;
}) {
  const [active, setActive] = useState<number>();
  const marks = scale(columns.map((c) => sum(c.parts)), { from: 0, least: 1 });
  const high = marks.at(-1)!;
  const wide = 100 / columns.length;
  return (
    <Plot
      label={label}
      marks={marks}
      axis={axis}
      ends={ends}
      at={columns.map((_, i) => ((i + 0.5) * wide) / 100)}
      readout={(i) => readout(columns[i]!)}
      tall={tall}
      active={active}
      onActive={setActive}
    >
      {columns.map((c, i) =>
        c.parts.map((n, part) => {
          const size = (n / high) * 100;
          const under = (sum(c.parts.slice(0, part)) / high) * 100;
          return n > 0 && <rect key={`${i} ${part}`} x={i * wide + wide * 0.12} width={wide * 0.76} y={100 - under - size} height={size} fill={`var(${colours[part]})`} />;
        }),
      )}
    </Plot>
  );
}

const sum = (parts: readonly number[]) => parts.reduce((a, b) => a + b, 0);
