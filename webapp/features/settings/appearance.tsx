"use client";

import { useSyncExternalStore } from "react";

import { usePreference } from "@/hooks/use-preference";
import { shortcuts } from "@/lib/keys";
import { texts } from "@/lib/texts";
import { chooseTheme, readTheme, subscribe, themes } from "@/lib/theme";
import { zone, zones, type Zones } from "@/lib/time";
import { Card } from "@/ui/card";
import { Field, inputClass } from "@/ui/field";
import { Choice } from "./choice";

const t = texts.settings;

const never = () => () => {};
const none: Zones = { own: "", all: [] }; // which zones there are, the browser knows

/** Appearance is how this browser shows things. */
export function Appearance() {
  const theme = useSyncExternalStore(subscribe, readTheme, () => undefined);
  const inZone = usePreference(zone);
  const { own, all } = useSyncExternalStore(never, zones, () => none);
  const keys = usePreference(shortcuts);
  return (
    <Card id="appearance" title={t.appearance}>
      <p className="pb-2 text-sm text-muted">{t.here}</p>
      <fieldset className="py-2">
        <legend className="mb-1 text-xs text-muted">{t.theme}</legend>
        <div className="flex flex-wrap gap-x-5 gap-y-2">
          {themes.map((name) => (
            <label key={name} className="inline-flex items-center gap-2">
              <input type="radio" name="theme" className="size-4 accent-accent" checked={theme === name} onChange={() => chooseTheme(name)} />
              {texts.shell.themes[name]}
            </label>
          ))}
        </div>
      </fieldset>
      <Field label={t.zone} hint={t.zoneHint} className="max-w-sm py-2">
        <select value={inZone} onChange={(e) => zone.write(e.target.value)} className={inputClass}>
          <option value="">{t.zoneOwn(own)}</option>
          {all.map((name) => (
            <option key={name} value={name}>
              {name.replaceAll("_", " ")}
            </option>
          ))}
        </select>
      </Field>
      <Choice name={t.shortcuts} hint={t.shortcutsHint} on={keys} onChange={(on) => shortcuts.write(on)} />
    </Card>
  );
}
