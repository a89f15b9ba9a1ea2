import { preference } from "./preference";

/** shortcuts is whether single letters act: who dictates, or types by accident, turns them off (WCAG 2.1.4). */
export const shortcuts = preference("shortcuts", true, (kept) => kept !== false);

/** isTyping is whether a key goes into a field. */
export const isTyping = (e: KeyboardEvent) => e.isComposing || (e.target instanceof HTMLElement && e.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]") !== null);
