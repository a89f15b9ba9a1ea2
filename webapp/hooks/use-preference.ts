"use client";

import { useSyncExternalStore } from "react";

import type { Preference } from "@/lib/preference";

/** usePreference is what was chosen; on an exported page, before the browser has it, the fallback. */
export const usePreference = <T,>({ subscribe, read, fallback }: Preference<T>): T => useSyncExternalStore(subscribe, read, () => fallback);
