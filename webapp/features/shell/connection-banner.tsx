"use client";

import { useConnection } from "@/hooks/use-websocket";
import { texts } from "@/lib/texts";
import { localParts } from "@/lib/time";

/** ConnectionBanner stands at the foot of the screen while the server is away: nothing moves for it, and nothing stays under it for good. */
export function ConnectionBanner() {
  const connection = useConnection();
  if (connection.state !== "offline") return null;
  return (
    <aside aria-label={texts.connection.label} data-testid="offline" className="sticky bottom-0 z-20 border-t border-warn bg-surface px-4 py-2 text-sm font-medium text-warn">
      {texts.connection.banner(localParts(new Date(connection.since).toISOString()).clock)}
    </aside>
  );
}
