// What every noun's live messages need: a message that can be trusted to be one, an item put in the place of an older
// one, and asking again where a message does not say enough.

import type { QueryClient, QueryKey } from "@tanstack/react-query";

/** Message is the data of a publication: what happened, and to what. */
export interface Message<Type extends string = string, Data = unknown> {
  channel: string;
  type: Type;
  data: Data;
}

/** isMessage tells whether m is a message of one of these types. Its data is an object then; what is in it, the server answers for. */
export function isMessage<T extends string>(m: unknown, types: readonly T[]): m is Message<T, object> {
  if (typeof m !== "object" || m === null || !("type" in m) || !("data" in m)) return false;
  return (types as readonly unknown[]).includes(m.type) && typeof m.data === "object" && m.data !== null;
}

/** newer tells whether next says more than what is known of the same thing; messages may come twice and late. */
export const newer = (next: { version: number }, known: { version: number } | null | undefined) => !known || next.version > known.version;

/** upsert is the list with the item in it: in its own place, or at the end where it is new. An older version changes nothing. */
export function upsert<K, T extends { version: number }>(list: readonly T[], item: T, key: (item: T) => K): T[] {
  const at = list.findIndex((other) => key(other) === key(item));
  if (at < 0) return [...list, item];
  return newer(item, list[at]) ? list.with(at, item) : (list as T[]);
}

/**
 * Reloads asks for queries again: soon, then at most once in `every` milliseconds, and never while they are on their way,
 * however many messages want it. A slow server is thus not asked faster than it answers.
 */
export class Reloads {
  #waiting = new Map<string, QueryKey>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #askedAt = -Infinity;

  static readonly after = 400; // ms: what belongs together comes within

  constructor(
    private readonly cache: QueryClient,
    private readonly every: number,
  ) {}

  /** soon asks again for all queries whose key begins so. */
  soon(...keys: QueryKey[]): void {
    for (const key of keys) this.#waiting.set(JSON.stringify(key), key);
    this.#timer ??= setTimeout(() => this.#ask(), Math.max(Reloads.after, this.#askedAt + this.every - Date.now()));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #ask(): void {
    this.#timer = undefined;
    this.#askedAt = Date.now();
    const ready = [...this.#waiting].filter(([, queryKey]) => !this.cache.isFetching({ queryKey }));
    for (const [name, queryKey] of ready) {
      this.#waiting.delete(name);
      void this.cache.invalidateQueries({ queryKey });
    }
    if (this.#waiting.size) this.soon();
  }
}
