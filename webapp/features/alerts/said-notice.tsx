"use client";

import { useEffect } from "react";

import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import type { Said } from "./use-triage";

const shownFor = 5_000; // ms; a problem stays until it is dismissed

/** SaidNotice is what became of the last thing that was done. */
export function SaidNotice({ said, onShow, onDismiss }: { said: Said; onShow: (id: string) => void; onDismiss: () => void }) {
  useEffect(() => {
    if (said.problem) return;
    const timer = setTimeout(onDismiss, shownFor);
    return () => clearTimeout(timer);
  }, [said, onDismiss]);
  return (
    <div
      role={said.problem ? "alert" : "status"}
      className={`flex max-w-2xl flex-wrap items-center gap-3 rounded-lg border bg-surface px-4 py-2 text-sm shadow-lg ${said.problem ? "border-warn text-text" : "border-line-strong"}`}
    >
      <p className="min-w-0 flex-1">{said.text}</p>
      {said.problem && (
        <div className="flex gap-2">
          {said.alert && <Button onClick={() => onShow(said.alert!)}>{texts.arrivals.show}</Button>}
          <Button onClick={onDismiss}>{texts.arrivals.dismiss}</Button>
        </div>
      )}
    </div>
  );
}
