"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";

import { usePreference } from "@/hooks/use-preference";
import { makeMute } from "@/lib/mutes";
import { ruleList } from "@/lib/rules";
import { systemStatus } from "@/lib/system";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { fromInput, ownZone, toInput, zone } from "@/lib/time";
import { Button } from "@/ui/button";
import { Field, inputClass } from "@/ui/field";

const t = texts.mutes;

const hour = 3_600_000; // ms

/** MuteForm makes a mute, or a maintenance window where it begins later. */
export function MuteForm({ onClose }: { onClose: () => void }) {
  const cache = useQueryClient();
  const id = useId();
  const inZone = usePreference(zone);
  const { data: system } = useQuery(systemStatus);
  const { data: rules = [] } = useQuery(ruleList);
  const { data: techniques } = useQuery(techniqueNames);
  const [from, setFrom] = useState(() => toInput(new Date().toISOString()));
  const [until, setUntil] = useState(() => toInput(new Date(Date.now() + 8 * hour).toISOString()));
  const make = useMutation({ mutationFn: (form: FormData) => makeMute(cache, request(form)), onSuccess: onClose, networkMode: "always" });
  const submit = (e: FormEvent<HTMLFormElement>) => {
    e.preventDefault();
    make.mutate(new FormData(e.currentTarget));
  };
  const last = (hours: number) => setUntil(toInput(new Date(Date.parse(fromInput(from) || new Date().toISOString()) + hours * hour).toISOString()));
  return (
    <form onSubmit={submit} className="mt-4 grid gap-3 rounded-md border border-line p-4 sm:grid-cols-2">
      <Field label={t.facility}>
        <select name="facility_id" className={inputClass}>
          <option value="">{t.every}</option>
          {system?.facilities.map((f) => (
            <option key={f.id} value={f.id}>
              {f.name}
            </option>
          ))}
        </select>
      </Field>
      <Field label={t.asset} hint={t.assetHint}>
        <input name="asset" maxLength={64} className={inputClass} />
      </Field>
      <Field label={t.rule}>
        <input name="rule" maxLength={64} list={`${id}rules`} className={inputClass} />
      </Field>
      <Field label={t.technique}>
        <input name="technique" maxLength={9} list={`${id}techniques`} className={inputClass} />
      </Field>
      <datalist id={`${id}rules`}>
        {rules.map((r) => (
          <option key={r.id} value={r.id} />
        ))}
      </datalist>
      <datalist id={`${id}techniques`}>
        {[...(techniques ?? [])].map(([technique, name]) => (
          <option key={technique} value={technique}>
            {name}
          </option>
        ))}
      </datalist>
      <p className="text-xs text-muted sm:col-span-2">{t.anyHint}</p>
      <Field label={t.from}>
        <input type="datetime-local" name="from" required value={from} onChange={(e) => setFrom(e.target.value)} className={inputClass} />
      </Field>
      <Field label={t.until} hint={t.timesHint(inZone || ownZone())}>
        <input type="datetime-local" name="until" required value={until} min={from} onChange={(e) => setUntil(e.target.value)} className={inputClass} />
      </Field>
      <div role="group" aria-label={t.lasting} className="flex flex-wrap items-center gap-2 text-sm sm:col-span-2">
        <span className="text-xs text-muted">{t.lasting}</span>
        {Object.entries(t.for).map(([hours, name]) => (
          <Button key={hours} onClick={() => last(Number(hours))}>
            {name}
          </Button>
        ))}
      </div>
      <Field label={t.reason} hint={t.reasonHint} className="sm:col-span-2">
        <input name="reason" required maxLength={500} className={inputClass} />
      </Field>
      {make.error && (
        <p role="alert" className="text-sm text-warn sm:col-span-2">
          {make.error.message}
        </p>
      )}
      <div className="flex gap-2 sm:col-span-2">
        <Button type="submit" disabled={make.isPending} primary>
          {t.save}
        </Button>
        <Button onClick={onClose}>{t.cancel}</Button>
      </div>
    </form>
  );
}

/** request is what the form says, without what is left empty. */
function request(form: FormData) {
  const text = (name: string) => String(form.get(name) ?? "").trim();
  const optional = (["facility_id", "asset", "rule", "technique"] as const).flatMap((name) => (text(name) ? [[name, text(name)] as const] : []));
  return { ...Object.fromEntries(optional), from: fromInput(text("from")), until: fromInput(text("until")), reason: text("reason") };
}
