"use client";

import { useState } from "react";

import type { Status, StatusChange } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, inputClass } from "@/ui/field";

const t = texts.triage;

/** TriageDialog asks for the note of a change, and whether it is learned; Enter in the note makes it. */
export function TriageDialog({ status, count, onClose, onDone }: { status: Status; count: number; onClose: () => void; onDone: (change: StatusChange) => void }) {
  const [note, setNote] = useState("");
  const [learn, setLearn] = useState(false);
  return (
    <Dialog title={t.titles[status](count)} open onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onDone({ status, ...(note.trim() && { note: note.trim() }), ...(learn && { learn }) });
        }}
      >
        <Field label={t.note} hint={t.noteHint}>
          <input value={note} maxLength={2000} onChange={(e) => setNote(e.target.value)} className={inputClass} />
        </Field>
        {(status === "false-positive" || status === "resolved") && (
          <label className="mt-4 flex items-start gap-2 text-sm">
            <input type="checkbox" className="mt-0.5 size-4 shrink-0 accent-accent" checked={learn} onChange={(e) => setLearn(e.target.checked)} />
            <span>
              {t.learn}
              <span className="block text-xs text-muted">{t.learnHint}</span>
            </span>
          </label>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button type="submit" primary>
            {t.titles[status](count)}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
