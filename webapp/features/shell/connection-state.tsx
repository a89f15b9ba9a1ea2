"use client";

import { useConnection } from "@/hooks/use-websocket";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";

const t = texts.connection;

/** ConnectionState says whether the page follows the server, in words; the dot only repeats it. */
export function ConnectionState() {
  const connection = useConnection();
  const live = connection.state === "live";
  const offline = connection.state === "offline";
  const words = offline ? t.offline(localParts(new Date(connection.since).toISOString()).clock) : t[connection.state];
  return (
    <p
      role="status"
      aria-label={t.label}
      title={live ? t.liveHint : t.staleHint}
      data-state={connection.state}
      className={`flex items-center gap-1.5 text-sm whitespace-nowrap ${live ? "text-ok" : offline ? "font-medium text-warn" : "text-muted"}`}
    >
      <svg aria-hidden viewBox="0 0 8 8" className="size-2" fill={live ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.5">
        <circle cx="4" cy="4" r="3" />
      </svg>
      {words}
    </p>
  );
}
