import { queryOptions } from "@tanstack/react-query";

import type { Answer } from "./answer";
import { api, ask } from "./api-client";

export type Evidence = Answer<"/api/context/{alert_id}/evidence">;
export type Second = NonNullable<Evidence["timeline"]>[number];

/** evidence is the minute before an alert as it was when the alert was raised, and what its sources say. It grows with them, but its seconds never change. */
export const evidence = (id: string) =>
  queryOptions({
    queryKey: ["context", "evidence", id] as const,
    queryFn: ({ signal }): Promise<Evidence> => ask(api.GET("/api/context/{alert_id}/evidence", { params: { path: { alert_id: id } }, signal })),
  });
