// Models: every version that was trained, which of them sensors detect with, and going back to another.

import { infiniteQueryOptions, type QueryClient } from "@tanstack/react-query";

import { api, ask } from "./api-client";
import type { components } from "./schema";

export type Model = components["schemas"]["ModelVersion"];
export type ModelPage = components["schemas"]["ModelPage"];

const pageSize = 10;

/** modelPages is the models, newest first, page after page; facility is one facility's alone. */
export const modelPages = (facility?: string) =>
  infiniteQueryOptions({
    queryKey: ["models", "list", facility ?? ""],
    queryFn: ({ signal, pageParam: cursor }): Promise<ModelPage> =>
      ask(api.GET("/api/models", { params: { query: { limit: pageSize, ...(facility && { facility: [facility] }), ...(cursor && { cursor }) } }, signal })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor,
  });

/** rollBack makes a version the one that its facility's sensors detect with. */
export async function rollBack(cache: QueryClient, version: number): Promise<void> {
  await ask(api.POST("/api/models/{version}/rollback", { params: { path: { version } } }));
  await cache.invalidateQueries({ queryKey: ["models"] });
}
