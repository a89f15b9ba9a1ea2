import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "./api-client";
import type { components } from "./schema";

export type Rule = components["schemas"]["Rule"];

/** ruleList is the rules that detect, by id. Their hits grow: it is asked for with each visit. */
export const ruleList = queryOptions({
  queryKey: ["rules"] as const,
  queryFn: async ({ signal }): Promise<Rule[]> => (await ask(api.GET("/api/rules", { signal }))).rules ?? [],
  staleTime: 0,
});
