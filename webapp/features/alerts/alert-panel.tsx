"use client";

import { useQuery } from "@tanstack/react-query";
import { Dialog } from "radix-ui";
import { lazy, Suspense, useEffect, useRef } from "react";

import { useMediaQuery } from "@/hooks/use-media-query";
import { alertDetail, type AlertDetail, type Status } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Skeleton } from "@/ui/skeleton";
import { failureTitle, FailureNotice } from "./failure-notice";

const t = texts.panel;

// The list is there before what only an open alert needs; that is fetched right behind it.
const details = () => import("./alert-details");
const AlertDetails = lazy(async () => ({ default: (await details()).AlertDetails }));

/**
 * AlertPanel shows the alert of that id, or nothing. Where the screen is wide it stands beside the list, which stays in
 * use; on a phone it lies over the list and keeps the focus. onClosed is called with the id that was
 * open when the panel has gone and the focus is free.
 */
export function AlertPanel({ id, onClose, onClosed, ...triage }: TriageProps & { id: string | null; onClose: () => void; onClosed: (was: string) => void }) {
  const narrow = useMediaQuery("(max-width: 1023px)");
  const content = useRef<HTMLDivElement>(null);
  const last = useRef("");
  useEffect(() => void details(), []);
  useEffect(() => {
    if (id === null) return;
    last.current = id;
    content.current?.scrollTo({ top: 0 });
  }, [id]);
  return (
    <Dialog.Root open={id !== null} onOpenChange={(open) => !open && onClose()} modal={narrow}>
      <Dialog.Content
        ref={content}
        aria-describedby={undefined}
        onOpenAutoFocus={(e) => {
          e.preventDefault();
          content.current?.focus();
        }}
        onCloseAutoFocus={(e) => {
          e.preventDefault();
          onClosed(last.current);
        }}
        onInteractOutside={(e) => e.preventDefault()}
        className="fixed inset-0 z-30 overflow-y-auto bg-surface outline-none lg:sticky lg:inset-auto lg:top-12 lg:z-10 lg:h-[calc(100dvh-3rem)] lg:w-[27rem] lg:shrink-0 lg:border-l lg:border-line xl:w-[32rem] 2xl:w-[36rem]"
      >
        <div className="sticky top-0 z-10 flex items-center justify-between border-b border-line bg-surface px-5 py-2">
          <p className="text-sm font-medium text-muted">{t.label}</p>
          <Dialog.Close asChild>
            <Button>
              {t.close} <kbd className="hidden font-mono text-xs text-muted lg:inline">Esc</kbd>
            </Button>
          </Dialog.Close>
        </div>
        {id !== null && <Body key={id} id={id} {...triage} />}
      </Dialog.Content>
    </Dialog.Root>
  );
}

/** TriageProps is what the panel's buttons do. */
export interface TriageProps {
  busy: boolean;
  onChoose: (status: Status, alert: AlertDetail) => void;
}

function Body({ id, ...triage }: TriageProps & { id: string }) {
  const { data, error, refetch, isFetching } = useQuery(alertDetail(id));
  const loading = (
    <>
      <Dialog.Title className="sr-only">{t.loading}</Dialog.Title>
      <Skeleton label={t.loading} rows={5} />
    </>
  );
  if (data) {
    return (
      <Suspense fallback={loading}>
        <AlertDetails alert={data} {...triage} />
      </Suspense>
    );
  }
  if (!error) return loading;
  const words = { title: texts.errors.panelTitle, missing: { title: t.missing, body: t.missingBody } };
  return (
    <>
      <Dialog.Title className="sr-only">{failureTitle(words, error)}</Dialog.Title>
      <FailureNotice words={words} error={error} onRetry={() => void refetch()} busy={isFetching} />
    </>
  );
}
