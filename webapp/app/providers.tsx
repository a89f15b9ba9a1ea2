"use client";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useState } from "react";

import { useAlarm } from "@/hooks/use-alarm";
import { useWebSocket } from "@/hooks/use-websocket";

/** Providers is what every page stands on: one query cache, one socket that keeps it fresh. */
export function Providers({ children }: { children: React.ReactNode }) {
  const [cache] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          // The socket says what changes, so a query is not asked for again by itself. networkMode: the server may be
          // on this machine, which the browser calls offline when it has no network.
          queries: { staleTime: 30_000, refetchOnWindowFocus: false, refetchOnReconnect: false, retry: 1, networkMode: "always" },
        },
      }),
  );
  return (
    <QueryClientProvider client={cache}>
      <Socket />
      {children}
    </QueryClientProvider>
  );
}

function Socket() {
  useWebSocket();
  useAlarm(useRouter().push);
  return null;
}
