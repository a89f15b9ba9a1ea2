"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { importNames } from "@/lib/assets";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, inputClass } from "@/ui/field";

const t = texts.inventory.import;

const most = 8 << 20; // bytes that the server takes
const told = 8; // errors that are listed

/** ImportNames gives assets names and zones from a CSV file. */
export function ImportNames({ facility, facilities }: { facility: string; facilities: readonly string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{t.open}</Button>
      <Dialog title={t.title} open={open} onClose={() => setOpen(false)}>
        {open && <Form facility={facility} facilities={facilities} onClose={() => setOpen(false)} />}
      </Dialog>
    </>
  );
}

function Form({ facility, facilities, onClose }: { facility: string; facilities: readonly string[]; onClose: () => void }) {
  const cache = useQueryClient();
  const [into, setInto] = useState(facility || (facilities[0] ?? ""));
  const [file, setFile] = useState<File | null>(null);
  const send = useMutation({
    mutationFn: async (from: File) => {
      if (from.size > most) throw new Error(t.tooLarge);
      return importNames(cache, into, await from.text());
    },
    networkMode: "always",
  });
  const errors = send.data?.errors ?? [];
  return (
    <form
      className="space-y-3 text-sm"
      onSubmit={(e) => {
        e.preventDefault();
        if (file) send.mutate(file);
      }}
    >
      <p className="text-muted">{t.body}</p>
      <code className="block rounded bg-sunken px-2 py-1.5 font-mono text-xs">
        ip,name,zone
        <br />
        10.0.0.11,PLC tank 1,Level 1 cell 3
      </code>
      <Field label={t.facility}>
        <select value={into} onChange={(e) => setInto(e.target.value)} className={inputClass}>
          {facilities.map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </Field>
      <Field label={t.file}>
        <input
          type="file"
          accept=".csv,text/csv"
          onChange={(e) => {
            setFile(e.target.files?.[0] ?? null);
            send.reset();
          }}
          className={`${inputClass} py-1`}
        />
      </Field>
      <div aria-live="polite">
        {send.data && <p className="font-medium">{t.done(send.data.accepted)}</p>}
        {send.data && send.data.rejected > 0 && (
          <>
            <p className="mt-1 text-warn">{t.rejected(send.data.rejected)}</p>
            <ul className="mt-1 list-disc pl-5 text-muted">
              {errors.slice(0, told).map((e) => (
                <li key={e.line}>{t.line(e.line, e.detail)}</li>
              ))}
            </ul>
          </>
        )}
        {send.error && <p className="text-warn">{t.failed(send.error.message)}</p>}
      </div>
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={onClose}>{t.close}</Button>
        <Button type="submit" primary disabled={!file || !into || send.isPending}>
          {t.send}
        </Button>
      </div>
    </form>
  );
}
