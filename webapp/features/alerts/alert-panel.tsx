"use client";

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";

import { useMediaQuery } from "@/hooks/use-media-query";
import { alertDetail, type AlertDetail, type Status } from "@/lib/alerts";
import { isMissing } from "@/lib/api-client";
import { texts } from "@/lib/texts";
import { FailureNotice } from "@/ui/failure-notice";
import { SidePanel, SidePanelTitle } from "@/ui/side-panel";
import { Skeleton } from "@/ui/skeleton";

const t = texts.panel;

// The list is there before what only an open alert needs; that is fetched right behind it.
const details = () => import("./alert-details");
const AlertDetails = lazy(async () => ({ default: (await details()).AlertDetails }));

/** AlertPanel shows the alert of that id, or nothing: beside the list, on a phone over it. */
export function AlertPanel({ id, onClose, onClosed, ...triage }: TriageProps & { id: string | null; onClose: () => void; onClosed: (was: string) => void }) {
  const narrow = useMediaQuery("(max-width: 1023px)");
  useEffect(() => void details(), []);
  return (
    <SidePanel id={id} label={t.label} close={t.close} modal={narrow} onClose={onClose} onClosed={onClosed}>
      {id !== null && <Body key={id} id={id} {...triage} />}
    </SidePanel>
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
      <SidePanelTitle className="sr-only">{t.loading}</SidePanelTitle>
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
  const title = texts.errors.panelTitle;
  const missing = isMissing(error) && { title: t.missing, body: t.missingBody };
  return (
    <>
      <SidePanelTitle className="sr-only">{missing ? missing.title : title}</SidePanelTitle>
      <FailureNotice title={title} missing={missing} error={error} onRetry={() => void refetch()} busy={isFetching} />
    </>
  );
}
