"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type ReactNode } from "react";

import { commentAlert, type AlertDetail } from "@/lib/alerts";
import { span } from "@/lib/format";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { inputClass } from "@/ui/field";
import { Section } from "@/ui/section";
import { Time } from "@/ui/time";

const t = texts.panel;

type Line = NonNullable<AlertDetail["history"]>[number];

/** Happened is the detections of an alert in order of their time, and how long after the first each came. */
export function Happened({ alert }: { alert: AlertDetail }) {
  const lines = (alert.history ?? []).filter((l) => l.kind === "detection");
  const first = Date.parse(lines[0]?.time ?? "");
  if (!lines.length) return null;
  return (
    <Section title={t.happened(lines.length)}>
      <Lines
        lines={lines}
        of={(l) => (
          <>
            <p className="text-xs text-muted">
              <Time at={l.time} />
              {l !== lines[0] && <> · {t.after(span((Date.parse(l.time) - first) / 1_000))}</>} · <span className="font-mono">{l.by}</span>
            </p>
            <p>{l.text}</p>
          </>
        )}
      />
    </Section>
  );
}

/** AlertHistory is what people did with an alert and said of it, oldest first, and takes what one more has to say. */
export function AlertHistory({ alert }: { alert: AlertDetail }) {
  const lines = (alert.history ?? []).filter((l) => l.kind !== "detection");
  return (
    <>
      {lines.length === 0 && <p className="text-muted">{t.historyNone}</p>}
      <Lines
        lines={lines}
        of={(l) => (
          <>
            <p className="text-xs text-muted">
              <Time at={l.time} /> · {t.historyKinds[l.kind] ?? l.kind} · {l.by === "local" ? t.local : l.by}
            </p>
            <p className="whitespace-pre-wrap">{l.text}</p>
          </>
        )}
      />
      <Comment alert={alert} />
    </>
  );
}

function Comment({ alert }: { alert: AlertDetail }) {
  const cache = useQueryClient();
  const id = useId();
  const [text, setText] = useState("");
  const add = useMutation({ mutationFn: () => commentAlert(cache, alert, text.trim()), onSuccess: () => setText(""), networkMode: "always" });
  return (
    <form
      className="mt-4"
      onSubmit={(e) => {
        e.preventDefault();
        if (text.trim()) add.mutate();
      }}
    >
      <label htmlFor={id} className="text-xs text-muted">
        {t.comment}
      </label>
      <textarea id={id} rows={2} value={text} maxLength={4000} placeholder={t.commentHint} onChange={(e) => setText(e.target.value)} className={`${inputClass} mt-1 block py-1.5`} />
      {add.error && (
        <p role="alert" className="mt-1 text-warn">
          {t.changeFailed(add.error.message)}
        </p>
      )}
      <Button type="submit" className="mt-2" disabled={add.isPending || !text.trim()}>
        {t.addComment}
      </Button>
    </form>
  );
}

const shownAtFirst = 12;

/** Lines is a list over time; of a long one the newest, until all are asked for. */
function Lines({ lines, of }: { lines: readonly Line[]; of: (line: Line) => ReactNode }) {
  const [all, setAll] = useState(false);
  const from = all ? 0 : Math.max(0, lines.length - shownAtFirst);
  return (
    <>
      {from > 0 && (
        <Button className="mb-3" onClick={() => setAll(true)}>
          {t.showAll(lines.length)}
        </Button>
      )}
      {lines.length > 0 && (
        <ol className="space-y-3 border-l border-line-strong pl-4">
          {lines.slice(from).map((line, i) => (
            <li key={from + i} className="relative">
              <span aria-hidden className="absolute top-1.5 -left-[1.1875rem] size-1.5 rounded-full bg-line-strong" />
              {of(line)}
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
