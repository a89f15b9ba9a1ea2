"use client";

import { useState, type FormEvent } from "react";

import { subjectOf, type Entry } from "@/lib/baseline";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Field, inputClass } from "@/ui/field";

const t = texts.baseline;

const allowed = ["device", "pair", "writer"] as const;
type Allowed = (typeof allowed)[number];

/** AllowForm takes something as normal that was not seen yet, or that raised an alert. The server checks the addresses. */
export function AllowForm({ busy, known, onAllow, onClose }: { busy: boolean; known: readonly Entry[]; onAllow: (entry: Entry) => void; onClose: () => void }) {
  const [kind, setKind] = useState<Allowed>("device");
  const [twice, setTwice] = useState(false);
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    const entry = entryOf(kind, new FormData(e.currentTarget));
    const same = known.some((o) => o.kind === kind && subjectOf(o) === subjectOf(entry) && (kind !== "pair" || (o.protocol === entry.protocol && (o.port ?? 0) === (entry.port ?? 0))));
    setTwice(same);
    if (!same) onAllow(entry);
  };
  return (
    <form onSubmit={submit} className="mt-4 grid gap-3 rounded-md border border-line p-4 sm:grid-cols-2">
      <Field label={t.allowKind} className="sm:col-span-2">
        <select value={kind} onChange={(e) => setKind(allowed.find((k) => k === e.target.value) ?? kind)} className={inputClass}>
          {allowed.map((k) => (
            <option key={k} value={k}>
              {t.allowKinds[k]}
            </option>
          ))}
        </select>
      </Field>
      {kind === "device" ? (
        <Field label={t.address}>
          <input name="addr" required className={inputClass} />
        </Field>
      ) : (
        <>
          <Field label={t.client}>
            <input name="client" required className={inputClass} />
          </Field>
          <Field label={t.server}>
            <input name="server" required className={inputClass} />
          </Field>
        </>
      )}
      {kind === "pair" && (
        <>
          <Field label={t.protocol}>
            <input name="protocol" required defaultValue="modbus" maxLength={32} className={inputClass} />
          </Field>
          <Field label={t.port}>
            <input name="port" type="number" min={0} max={65535} defaultValue={502} className={inputClass} />
          </Field>
        </>
      )}
      {twice && (
        <p role="alert" className="text-sm text-warn sm:col-span-2">
          {t.twice}
        </p>
      )}
      <div className="flex gap-2 sm:col-span-2">
        <Button type="submit" disabled={busy} primary>
          {t.save}
        </Button>
        <Button onClick={onClose}>{t.cancel}</Button>
      </div>
    </form>
  );
}

function entryOf(kind: Allowed, form: FormData): Entry {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const now = new Date().toISOString();
  const about = kind === "device" ? { addr: text("addr") } : { client: text("client"), server: text("server") };
  const port = Number(text("port"));
  return { kind, ...about, ...(kind === "pair" && { protocol: text("protocol"), ...(port && { port }) }), first_seen: now, last_seen: now, count: 1 };
}
