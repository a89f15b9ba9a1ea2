import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useMemo, useSyncExternalStore, type ReactNode } from "react";
import { vi } from "vitest";

import { channelsInto } from "@/hooks/use-websocket";
import { LiveAlerts } from "@/lib/alerts";
import type { Message } from "@/lib/live";

// The router's one promise that the pages build on: what is written to the history is what useSearchParams reads.
const changed = new Set<() => void>();
for (const way of ["pushState", "replaceState"] as const) {
  const original = window.history[way].bind(window.history);
  window.history[way] = (...args) => {
    original(...args);
    for (const tell of changed) tell();
  };
}
vi.mock("next/navigation", () => ({
  usePathname: () => window.location.pathname,
  useSearchParams: function useSearchParams() {
    const search = useSyncExternalStore(
      (tell) => {
        changed.add(tell);
        return () => changed.delete(tell);
      },
      () => window.location.search,
    );
    return useMemo(() => new URLSearchParams(search), [search]);
  },
}));

/** show renders a page at a URL. live and hear bring in messages as the socket would. */
export function show(page: ReactNode, url: string) {
  window.history.replaceState(null, "", url);
  const cache = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
  render(<QueryClientProvider client={cache}>{page}</QueryClientProvider>);
  const { channels } = channelsInto(cache);
  // What a message changes is on the screen a task later.
  const hear = (message: Message) =>
    act(async () => {
      channels[message.channel]!.take(message);
      await new Promise((done) => setTimeout(done));
    });
  return { user: userEvent.setup(), live: new LiveAlerts(cache), hear, cache };
}

/** where is the URL that the page is at now. */
export const where = () => decodeURIComponent(window.location.pathname + window.location.search);
