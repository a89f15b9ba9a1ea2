// The theme is an attribute of <html>: data-theme="light" or "dark". What was chosen is kept by this browser; with
// nothing chosen, or "system", the machine's own setting holds, also when it changes under the open page.

export const themes = ["light", "dark", "system"] as const;
export type Theme = (typeof themes)[number];

const storageKey = "breakwater-theme";

/** themeScript runs before the first paint, so that a dark page never flashes white. */
export const themeScript = `(()=>{let t;try{t=localStorage.getItem(${JSON.stringify(storageKey)})}catch{}
const d=matchMedia("(prefers-color-scheme: dark)");
document.documentElement.dataset.theme=t==="light"||t==="dark"?t:d.matches?"dark":"light"})()`;

const listeners = new Set<() => void>();

/** subscribe calls listener whenever the theme may have changed, here, in another tab or on the machine. */
export function subscribe(listener: () => void): () => void {
  const machine = matchMedia("(prefers-color-scheme: dark)");
  const onChange = () => {
    show(readTheme());
    listener();
  };
  listeners.add(listener);
  machine.addEventListener("change", onChange);
  window.addEventListener("storage", onChange);
  return () => {
    listeners.delete(listener);
    machine.removeEventListener("change", onChange);
    window.removeEventListener("storage", onChange);
  };
}

export function readTheme(): Theme {
  try {
    const kept = localStorage.getItem(storageKey);
    return kept === "light" || kept === "dark" ? kept : "system";
  } catch {
    return "system"; // a browser that keeps nothing
  }
}

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(storageKey, theme);
  } catch {
    // it holds for this page only
  }
  show(theme);
  for (const listener of listeners) listener();
}

function show(theme: Theme): void {
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
