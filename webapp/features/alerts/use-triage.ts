"use client";

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";

import { Overtaken, setAlertsStatus, setAlertStatus, type Alert, type AlertDetail, type StatusChange } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";

const t = texts.triage;

/** Said is what became of the last thing that was done. */
export interface Said {
  text: string;
  problem: boolean;
  alert?: string; // its id: where to look
}

export interface Triage {
  busy: boolean;
  said: Said | null;
  say: (said: Said | null) => void;
  /** move gives alerts a status, one as it was seen, many whatever they are at; whether all went well. */
  move: (targets: Targets, change: StatusChange) => Promise<boolean>;
}

/** Targets is what is to be changed: one alert as it was seen, or many by their ids. */
export type Targets = { one: Alert } | { ids: readonly string[] };

export const sizeOf = (targets: Targets) => ("one" in targets ? 1 : targets.ids.length);

export function useTriage(): Triage {
  const cache = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [said, say] = useState<Said | null>(null);

  const move = useCallback<Triage["move"]>(
    async (targets, change) => {
      if ("one" in targets && targets.one.status === change.status && !change.note && !change.learn) {
        say({ text: t.same(texts.status[change.status]), problem: false });
        return true;
      }
      setBusy(true);
      try {
        let done = 1;
        if ("one" in targets) await setAlertStatus(cache, targets.one, change);
        else {
          const { changed, errors } = await setAlertsStatus(targets.ids, change);
          const [first] = errors;
          if (first) {
            say({ text: t.some(changed, first.detail), problem: true, alert: first.id });
            return false;
          }
          done = changed;
        }
        say({ text: t.done[change.status](done), problem: false });
        return true;
      } catch (error) {
        if (error instanceof Overtaken) say({ text: overtaken(error.now), problem: true, alert: error.now.id });
        else say({ text: t.failed(error instanceof Error ? error.message : String(error)), problem: true });
        return false;
      } finally {
        setBusy(false);
      }
    },
    [cache],
  );
  return { busy, said, say, move };
}

/** overtaken says how a colleague left an alert, and when and why in the words of its history. */
export function overtaken(now: AlertDetail): string {
  const line = now.history?.findLast((l) => l.kind === "status" || l.kind === "assignee");
  const is = t.isNow(texts.status[now.status], now.assignee);
  return t.overtaken(now.title, line ? `${is} ${t.lastLine(localParts(line.time).clock, line.text)}` : is);
}
