"use client";

import { useRef, useState, type KeyboardEvent } from "react";

import { found, heat, type AttackMatrix, type MatrixTechnique, type Standing } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { StandingMark } from "./standing";
import { TechniqueChoice } from "./technique-choice";
import type { AttackUrl } from "./use-attack-url";

const t = texts.attack;

// Written out: Tailwind finds only whole names.
export const heats = [
  "bg-surface",
  "bg-[color-mix(in_srgb,var(--mark-high)_9%,var(--surface))]",
  "bg-[color-mix(in_srgb,var(--mark-high)_18%,var(--surface))]",
  "bg-[color-mix(in_srgb,var(--mark-high)_27%,var(--surface))]",
  "bg-[color-mix(in_srgb,var(--mark-high)_36%,var(--surface))]",
  "bg-[color-mix(in_srgb,var(--mark-high)_45%,var(--surface))]",
] as const;

const isMarked = (x: MatrixTechnique) => x.alerts > 0 || x.predictions > 0;

/** Matrix is ATT&CK for ICS as it is drawn everywhere: tactics as columns. It is one stop of the Tab key; arrows go through it. */
export function Matrix({ matrix, standing, url }: { matrix: AttackMatrix; standing: ReadonlyMap<string, Standing>; url: AttackUrl }) {
  const table = useRef<HTMLTableElement>(null);
  const columns = matrix.tactics
    .map((tactic) => ({ ...tactic, techniques: url.marked ? tactic.techniques.filter(isMarked) : tactic.techniques }))
    .filter((tactic) => tactic.techniques.length);
  const rows = Math.max(0, ...columns.map((c) => c.techniques.length));
  const most = Math.max(0, ...columns.flatMap((c) => c.techniques.map((x) => x.alerts)));
  const first = columns.findIndex((c) => c.techniques.some((x) => x.id === url.technique));
  const chosen = first < 0 ? ([0, 0] as const) : ([first, columns[first]!.techniques.findIndex((x) => x.id === url.technique)] as const);
  const [gone, setGone] = useState<readonly [number, number] | null>(null);
  const [column, row] = gone && columns[gone[0]]?.techniques[gone[1]] ? gone : chosen;

  const key = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const to = { ArrowLeft: [column - 1, row], ArrowRight: [column + 1, row], ArrowUp: [column, row - 1], ArrowDown: [column, row + 1], Home: [0, row], End: [columns.length - 1, row] }[e.key];
    if (!to) return;
    e.preventDefault();
    const [x, y] = to as [number, number];
    const length = columns[x]?.techniques.length;
    if (!length || y < 0 || (x === column && y >= length)) return;
    const next = [x, Math.min(y, length - 1)] as const;
    setGone(next);
    table.current?.querySelector<HTMLElement>(`[data-cell="${next.join(" ")}"]`)?.focus();
  };

  if (!columns.length) return <p className="px-4 py-6 text-sm text-muted">{t.noneMarked}</p>;
  return (
    <div className="relative overflow-x-auto px-4 pb-4">
      <table ref={table} role="grid" aria-label={t.matrix(matrix.version)} aria-describedby="matrix-keys" onKeyDown={key} className={`border-separate border-spacing-1 text-left ${columns.length > 6 ? "w-full table-fixed" : ""}`}>
        <thead>
          <tr>
            {columns.map((c) => {
              const seen = c.techniques.filter((x) => x.alerts > 0).length;
              return (
                <th key={c.id} scope="col" className="w-[6.75rem] min-w-[6.75rem] px-1 pb-1 align-bottom text-sm font-semibold">
                  {c.name}
                  <span className="block text-xs font-normal text-muted">{t.tactic(seen)}</span>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: rows }, (_, y) => (
            <tr key={y}>
              {columns.map((c, x) => {
                const cell = c.techniques[y];
                return (
                  <td key={c.id} role="gridcell" className="h-px w-[6.75rem] min-w-[6.75rem] p-0 align-top">
                    {cell && <Cell cell={cell} place={`${x} ${y}`} here={x === column && y === row} onGo={() => setGone([x, y])} level={heat(cell.alerts, most)} standing={standing.get(cell.id)} url={url} />}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p id="matrix-keys" className="sr-only">
        {t.matrixKeys}
      </p>
    </div>
  );
}

function Cell({ cell, place, here, onGo, level, standing, url }: {
  cell: MatrixTechnique;
  place: string;
  here: boolean;
  onGo: () => void;
  level: number;
  standing: Standing | undefined;
  url: AttackUrl;
}) {
  const border = cell.predictions ? "border-2 border-dashed border-accent" : standing === "foreseen" ? "border-4 border-double border-ok" : cell.alerts ? "border border-line-strong" : "border border-line";
  const match = found(cell, url.search) ? "outline-2 outline-offset-1 outline-accent" : "";
  return (
    <TechniqueChoice
      id={cell.id}
      url={url}
      data-cell={place}
      tabIndex={here ? 0 : -1}
      onFocus={onGo}
      className={`flex h-full min-h-14 flex-col rounded px-1.5 py-1 text-xs hover:border-accent aria-[current]:bg-selected aria-[current]:ring-2 aria-[current]:ring-accent ${heats[level]} ${border} ${match}`}
    >
      <span className={`font-mono ${level ? "" : "text-muted"}`}>{cell.id}</span> <span className="break-words hyphens-auto">{cell.name.replaceAll("/", "/\u200b")}</span>
      {cell.alerts > 0 && (
        <span className="mt-auto flex items-center gap-1 pt-1 font-semibold">
          <StandingMark standing={standing === "foreseen" ? "foreseen" : "seen"} />
          {standing === "foreseen" && <span className="sr-only">{t.standing.foreseen}, </span>}
          {t.alerts(cell.alerts)}
        </span>
      )}
      {cell.predictions > 0 && (
        <span className={`flex items-center gap-1 font-semibold ${cell.alerts ? "" : "mt-auto pt-1"}`}>
          <StandingMark standing="predicted" />
          <span className="sr-only">{t.standing.predicted} </span>
          {t.percent(cell.probability)}
        </span>
      )}
    </TechniqueChoice>
  );
}
