"use client";

import Link from "next/link";
import { useRef, useState } from "react";

import { texts } from "@/lib/texts";

const t = texts.shell;

/** pages is every page there is to go to; a test holds it equal to the folders of app/. */
export const pages = ["/", "/alerts", "/facilities", "/attack-graph", "/fl-status", "/settings"] as const satisfies readonly (keyof typeof t.pages)[];

/** Navigation is the links to the pages: in a row, or where the screen is narrow behind a button. */
export function Navigation({ path }: { path: string }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const item = "flex min-h-10 items-center rounded-md px-2.5 text-sm font-medium whitespace-nowrap lg:inline-flex lg:min-h-8";
  return (
    <div
      onKeyDown={(e) => {
        if (e.key !== "Escape" || !open) return;
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        ref={button}
        type="button"
        aria-expanded={open}
        aria-controls="navigation"
        onClick={() => setOpen(!open)}
        className="inline-flex min-h-8 items-center gap-1.5 rounded-md border border-line px-2 text-sm font-medium lg:hidden"
      >
        <svg aria-hidden viewBox="0 0 16 16" className="size-4" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round">
          {open ? <path d="m4 4 8 8M12 4l-8 8" /> : <path d="M2 4h12M2 8h12M2 12h12" />}
        </svg>
        {t.menu}
      </button>
      <nav
        id="navigation"
        aria-label={t.navigation}
        className={`${open ? "block" : "hidden"} absolute inset-x-0 top-full border-b border-line bg-surface p-2 shadow-lg lg:static lg:flex lg:items-center lg:gap-1 lg:border-0 lg:p-0 lg:shadow-none`}
      >
        {pages.map((href) => {
          const here = path === href;
          return (
            <Link key={href} href={href} aria-current={here ? "page" : undefined} className={`${item} ${here ? "bg-selected text-text" : "text-muted hover:bg-hover hover:text-text"}`}>
              {t.pages[href]}
            </Link>
          );
        })}
        <a href="/docs/" className={`${item} text-muted hover:bg-hover hover:text-text`}>
          {t.apiDocs}
        </a>
      </nav>
    </div>
  );
}
