// What a person chose for this browser: kept in its storage, the same in all its tabs. Nothing of it goes to the server.

export interface Preference<T> {
  read: () => T;
  write: (to: T) => void;
  subscribe: (listener: () => void) => () => void;
  fallback: T;
}

/**
 * preference is kept under a name. parse makes of what was kept, by whichever version of this page, a value; it may throw,
 * and then the fallback holds. read gives the same value until it changes.
 */
export function preference<T>(name: string, fallback: T, parse: (kept: unknown) => T): Preference<T> {
  const key = `breakwater-${name}`;
  const listeners = new Set<() => void>();
  let text: string | null | undefined;
  let value = fallback;

  const set = (next: string | null) => {
    if (next === text) return;
    text = next;
    try {
      value = next === null ? fallback : parse(JSON.parse(next));
    } catch {
      value = fallback;
    }
  };
  const kept = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return text ?? null; // a browser that keeps nothing: it holds for this page only
    }
  };
  const onStorage = (e: StorageEvent) => {
    if (e.key === key || e.key === null) for (const listener of listeners) listener();
  };

  return {
    fallback,
    read() {
      set(kept());
      return value;
    },
    write(to) {
      const next = JSON.stringify(to);
      try {
        localStorage.setItem(key, next);
      } catch {
        // see kept
      }
      set(next);
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      if (!listeners.size) window.addEventListener("storage", onStorage);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (!listeners.size) window.removeEventListener("storage", onStorage);
      };
    },
  };
}
