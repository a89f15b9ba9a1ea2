"use client";

import { ToggleGroup } from "radix-ui";
import { useSyncExternalStore, type ReactNode } from "react";

import { texts } from "@/lib/texts";
import { chooseTheme, readTheme, subscribe, themes, type Theme } from "@/lib/theme";

const icons: Record<Theme, ReactNode> = {
  light: (
    <>
      <circle cx="8" cy="8" r="2.8" />
      <path d="M8 1.5v1.700M8 12.800v1.700M1.5 8h1.700M12.8 8h1.700M3.4 3.400l1.2 1.200M11.4 11.400l1.2 1.200M3.4 12.600l1.2-1.200M11.4 4.600l1.2-1.2" />
    </>
  ),
  dark: <path d="M13.2 9.700A5.7 5.7 0 0 1 6.3 2.800a5.7 5.7 0 1 0 6.9 6.900Z" />,
  system: (
    <>
      <rect x="2" y="3" width="12" height="8" rx="1" />
      <path d="M6 13.5h4" />
    </>
  ),
};

export function ThemeSwitch() {
  const theme = useSyncExternalStore(subscribe, readTheme, () => undefined);
  return (
    <ToggleGroup.Root
      type="single"
      aria-label={texts.shell.theme}
      value={theme ?? ""}
      onValueChange={(chosen) => chosen && chooseTheme(chosen as Theme)}
      className="flex rounded-md border border-line p-0.5"
    >
      {themes.map((name) => (
        <ToggleGroup.Item
          key={name}
          value={name}
          aria-label={texts.shell.themes[name]}
          title={texts.shell.themes[name]}
          className="inline-flex size-6.5 items-center justify-center rounded text-muted hover:text-text data-[state=on]:bg-selected data-[state=on]:text-text"
        >
          <svg aria-hidden viewBox="0 0 16 16" className="size-4" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinecap="round" strokeLinejoin="round">
            {icons[name]}
          </svg>
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
