import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "./api-client";

/** health is what the server says of itself and of its engines, which come and go. With each new connection it is asked for at once: the server may be another. */
export const health = queryOptions({ queryKey: ["health"], queryFn: () => ask(api.GET("/health")), staleTime: Infinity, refetchInterval: 10_000 });
