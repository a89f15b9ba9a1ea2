// Mutes: what is kept quiet for a time, and why. A mute in the future is a maintenance window.

import { queryOptions, type QueryClient } from "@tanstack/react-query";

import { api, ask } from "./api-client";
import type { components } from "./schema";

export type Mute = components["schemas"]["Mute"];
export type MuteRequest = components["schemas"]["MuteRequestBody"];

const all = ["mutes"] as const;

/** muteList is the mutes, those that end last first; with ended, also those that are over. There are few: the first 200. */
export const muteList = (ended: boolean) =>
  queryOptions({
    queryKey: [...all, ended] as const,
    queryFn: async ({ signal }): Promise<Mute[]> => (await ask(api.GET("/api/mutes", { params: { query: { ended: ended ? "true" : "false", limit: 200 } }, signal }))).mutes ?? [],
  });

export async function makeMute(cache: QueryClient, body: MuteRequest): Promise<void> {
  await ask(api.POST("/api/mutes", { body }));
  await cache.invalidateQueries({ queryKey: all });
}

/** endMute ends it now. What it has marked stays marked. */
export async function endMute(cache: QueryClient, id: string): Promise<void> {
  const { error, response } = await api.DELETE("/api/mutes/{id}", { params: { path: { id } } });
  // 404: a colleague was quicker, and it is over as was wanted.
  if (!response.ok && response.status !== 404) await ask(Promise.resolve({ error, response }));
  await cache.invalidateQueries({ queryKey: all });
}
