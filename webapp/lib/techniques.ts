import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "./api-client";

/** techniqueNames is the name of every technique of ATT&CK for ICS, by its id. They are part of the program: asked for once. */
export const techniqueNames = queryOptions({
  queryKey: ["techniques"] as const,
  queryFn: async ({ signal }): Promise<ReadonlyMap<string, string>> =>
    new Map(((await ask(api.GET("/api/mitre/techniques", { signal }))) ?? []).map((t) => [t.id, t.name])),
  staleTime: Infinity,
  gcTime: Infinity,
});
