"use client";

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";

import { useMediaQuery } from "@/hooks/use-media-query";
import { isMissing } from "@/lib/api-client";
import { technique, type AttackGraph } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { Failure } from "@/ui/failure";
import { SidePanel, SidePanelTitle } from "@/ui/side-panel";
import { Skeleton } from "@/ui/skeleton";
import type { AttackUrl } from "./use-attack-url";

const t = texts.attack;

// The graph is there before what only a chosen technique needs; that is fetched right behind it.
const details = () => import("./technique-details");
const TechniqueDetails = lazy(async () => ({ default: (await details()).TechniqueDetails }));

export interface PanelProps {
  graph: AttackGraph | undefined;
  url: AttackUrl;
}

/** TechniquePanel says of the chosen technique what it is, how it stands here, and why. */
export function TechniquePanel({ onClosed, ...props }: PanelProps & { onClosed: (was: string) => void }) {
  const { url } = props;
  const narrow = useMediaQuery("(max-width: 1023px)");
  useEffect(() => void details(), []);
  return (
    <SidePanel id={url.technique} label={t.panel} close={t.close} modal={narrow} onClose={() => url.go({ technique: null })} onClosed={onClosed}>
      {url.technique !== null && <Body key={url.technique} id={url.technique} {...props} />}
    </SidePanel>
  );
}

function Body({ id, ...props }: PanelProps & { id: string }) {
  const { data, error, refetch, isFetching } = useQuery(technique(id));
  const missing = isMissing(error);
  const title = !error ? t.panelLoading : missing ? t.missing : t.panelFailed;
  const loading = (
    <>
      <SidePanelTitle className="sr-only">{title}</SidePanelTitle>
      {!error && <Skeleton label={title} rows={5} />}
    </>
  );
  if (data) {
    return (
      <Suspense fallback={loading}>
        <TechniqueDetails technique={data} {...props} />
      </Suspense>
    );
  }
  return (
    <>
      {loading}
      {error && missing && (
        <div role="alert" className="space-y-1 px-5 py-4 text-sm text-muted">
          <p className="font-semibold text-text">{title}</p>
          <p>{error.message}</p>
        </div>
      )}
      {error && !missing && (
        <div className="px-5">
          <Failure title={title} error={error} onRetry={() => void refetch()} busy={isFetching} />
        </div>
      )}
    </>
  );
}
