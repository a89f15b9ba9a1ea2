import createClient from "openapi-fetch";

import type { paths } from "./schema";
import { texts } from "./texts";

/** The API as lib/schema.d.ts describes it, at the server that this page came from. */
export const api = createClient<paths>({
  baseUrl: typeof location === "undefined" ? "" : location.origin,
  querySerializer: { array: { style: "form", explode: false } }, // severity=high,critical
});

/** An answer that was not the one hoped for, in words for a person. status is 0 where the server could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** isMissing is whether there is no such thing, or its id was mistyped. */
export const isMissing = (error: Error | null) => error instanceof ApiError && (error.status === 404 || error.status === 422);

/** unlessRefused is when a query is asked for again: not where the server said that it is wrong. */
export const unlessRefused = (failures: number, error: Error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500) && failures < 2;

/**
 * ask is the answer's body, or throws an ApiError with the server's own explanation (RFC 9457 `detail`).
 * It throws as well where something answered that is not our server: a proxy's error page, a captive portal.
 */
export async function ask<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let answer: { data?: T; error?: unknown; response: Response };
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, texts.errors.unreachable);
  }
  const { data, error, response } = answer;
  if (response.ok && data !== undefined) return data;
  const detail = typeof error === "object" && error !== null && "detail" in error ? error.detail : undefined;
  throw new ApiError(response.status, typeof detail === "string" && detail ? detail : texts.errors.status(response.status));
}
