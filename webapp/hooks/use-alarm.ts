"use client";

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { alarm, ring } from "@/lib/alarm";
import { alertsHref } from "@/lib/alert-filters";
import { alertAlarms, type Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { usePreference } from "./use-preference";

const ringEvery = 5_000; // ms: a storm is one sound now and then

/** useAlarm makes critical alerts known as was chosen in the settings: once, at the root of the page. onOpen goes to an alert's address. */
export function useAlarm(onOpen: (href: string) => void): void {
  const { notify, sound } = usePreference(alarm);
  const { data: alarms } = useQuery(alertAlarms);
  const heard = useRef(alarms[0]?.alert.id); // what came before this page was looked at rings no more
  const rangAt = useRef(-Infinity);
  useEffect(() => {
    const until = alarms.findIndex((a) => a.alert.id === heard.current);
    const fresh = until < 0 ? alarms : alarms.slice(0, until);
    const newest = fresh[0];
    if (!newest) return;
    heard.current = newest.alert.id;
    if (sound && newest.at - rangAt.current >= ringEvery) {
      rangAt.current = newest.at;
      ring().catch(() => undefined); // the browser lets no page sound that was not touched
    }
    if (notify && "Notification" in window && Notification.permission === "granted") show(newest.alert, fresh.length, onOpen);
  }, [alarms, notify, sound, onOpen]);
}

function show(alert: Alert, count: number, onOpen: (href: string) => void): void {
  // Tabs that tell of the same alert replace each other's notification.
  const note = new Notification(texts.alarm.title(count), { body: texts.alarm.body(alert.title, alert.asset, alert.facility_id), tag: alert.id });
  note.onclick = () => {
    window.focus();
    onOpen(alertsHref({}, alert.id));
    note.close();
  };
}
