"use client";

import { useState, type ReactNode } from "react";

import { Button } from "./button";
import { Dialog } from "./dialog";

interface Words {
  title: string;
  confirm: string;
  cancel: string;
  failed: string;
}

/** Confirm is a button that asks before it does something. While that goes on the question stays; where it fails, it says why. */
export function Confirm({ button, words, children, onConfirm }: { button: (ask: () => void) => ReactNode; words: Words; children: ReactNode; onConfirm: () => Promise<unknown> }) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const show = (to: boolean) => {
    if (busy) return;
    setError("");
    setOpen(to);
  };
  const confirm = async () => {
    setBusy(true);
    setError("");
    try {
      await onConfirm();
      setOpen(false);
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {button(() => show(true))}
      <Dialog title={words.title} open={open} onClose={() => show(false)}>
        <div className="space-y-2 text-muted">{children}</div>
        {error && (
          <p role="alert" className="mt-3 text-warn">
            <strong className="font-semibold">{words.failed}.</strong> {error}
          </p>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button disabled={busy} onClick={() => show(false)}>
            {words.cancel}
          </Button>
          <Button disabled={busy} onClick={() => void confirm()} primary>
            {words.confirm}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
