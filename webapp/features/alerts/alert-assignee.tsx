"use client";

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";

import { assignAlert, Overtaken, type AlertDetail } from "@/lib/alerts";
import { preference } from "@/lib/preference";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { inputClass } from "@/ui/field";
import { overtaken } from "./use-triage";

const t = texts.panel;

/** lastAssignee is whom this browser gave an alert to last: most often the one who sits at it. */
const lastAssignee = preference("assignee", "", (kept) => String(kept).slice(0, 64));

/** AlertAssignee is who works on an alert, and gives it to somebody else. */
export function AlertAssignee({ alert }: { alert: AlertDetail }) {
  const cache = useQueryClient();
  const id = useId();
  const [editing, setEditing] = useState(false);
  const [name, setName] = useState(() => alert.assignee || lastAssignee.read());
  const assign = useMutation({
    mutationFn: (to: string) => assignAlert(cache, alert, to),
    onSuccess: (_, to) => {
      if (to) lastAssignee.write(to);
      setEditing(false);
    },
    networkMode: "always",
  });
  const error = assign.error;
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{editing ? <label htmlFor={id}>{t.assignName}</label> : t.assignee}</dt>
      <dd className="break-words">
        {editing ? (
          <form
            className="mt-1 flex flex-wrap gap-1.5"
            onSubmit={(e) => {
              e.preventDefault();
              assign.mutate(name.trim());
            }}
          >
            <input id={id} autoFocus value={name} maxLength={64} onChange={(e) => setName(e.target.value)} onKeyDown={(e) => e.key === "Escape" && (e.stopPropagation(), e.nativeEvent.stopImmediatePropagation(), setEditing(false))} className={inputClass} />
            <Button type="submit" disabled={assign.isPending || !name.trim()}>
              {t.assign}
            </Button>
            {alert.assignee && (
              <Button disabled={assign.isPending} onClick={() => assign.mutate("")}>
                {t.unassign}
              </Button>
            )}
          </form>
        ) : (
          <>
            {alert.assignee || t.nobody}{" "}
            <button type="button" className="text-accent underline underline-offset-4" onClick={() => setEditing(true)}>
              {t.assign}
            </button>
          </>
        )}
        {error && (
          <p role="alert" className="mt-1 text-warn">
            {error instanceof Overtaken ? overtaken(error.now) : t.changeFailed(error.message)}
          </p>
        )}
      </dd>
    </div>
  );
}
