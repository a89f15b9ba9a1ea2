"use client";

import { useState, useSyncExternalStore } from "react";

import { usePreference } from "@/hooks/use-preference";
import { alarm, ring } from "@/lib/alarm";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Choice } from "./choice";

const t = texts.settings;

const permission = () => ("Notification" in window ? Notification.permission : "missing");

/** Notifications is how a critical alert reaches somebody who looks elsewhere. */
export function Notifications() {
  const chosen = usePreference(alarm);
  const [, answered] = useState(0);
  const allowed = useSyncExternalStore(() => () => {}, permission, () => "default" as const);
  const notify = async (on: boolean) => {
    if (on && permission() === "default") await Notification.requestPermission();
    answered((n) => n + 1);
    alarm.write({ ...alarm.read(), notify: on && permission() === "granted" });
  };
  return (
    <Card id="notifications" title={t.notifications}>
      <p className="pb-1 text-sm text-muted">
        {t.notifyLead} {t.here}
      </p>
      <Choice name={t.notify} hint={allowed === "denied" ? t.notifyDenied : allowed === "missing" ? t.notifyMissing : t.notifyHint} on={chosen.notify && allowed === "granted"} disabled={allowed === "denied" || allowed === "missing"} onChange={(on) => void notify(on)} />
      <Choice name={t.sound} hint={t.soundHint} on={chosen.sound} onChange={(sound) => alarm.write({ ...alarm.read(), sound })}>
        <Button onClick={() => void ring().catch(() => undefined)}>{t.test}</Button>
      </Choice>
    </Card>
  );
}
