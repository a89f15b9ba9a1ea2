import type { paths } from "./schema";

/** Answer is what GET of that path answers with 200. */
export type Answer<P extends keyof paths> = paths[P] extends { get: { responses: { 200: { content: { "application/json": infer T } } } } } ? T : never;
