"use client";

import Link from "next/link";

import { usePreference } from "@/hooks/use-preference";
import { shortcuts } from "@/lib/keys";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";

const t = texts.keys;

export function KeysHelp({ onClose }: { onClose: () => void }) {
  const on = usePreference(shortcuts);
  return (
    <Dialog title={t.title} open onClose={onClose}>
      {!on && (
        <p className="mb-3 text-sm text-warn">
          {t.off}{" "}
          <Link href="/settings#appearance" className="text-accent underline underline-offset-4">
            {t.settings}
          </Link>
        </p>
      )}
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2 text-sm">
        {t.list.map(({ keys, does }) => (
          <div key={does} className="contents">
            <dt className="flex gap-1">
              {keys.map((key) => (
                <kbd key={key} className="min-w-6 rounded border border-line-strong px-1.5 text-center font-mono">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <div className="mt-5 flex justify-end">
        <Button onClick={onClose}>{t.close}</Button>
      </div>
    </Dialog>
  );
}
