import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "./api-client";

/** health is what the server says of itself. It is asked for again with each new connection: the server may be another. */
export const health = queryOptions({ queryKey: ["health"], queryFn: () => ask(api.GET("/health")), staleTime: Infinity });
