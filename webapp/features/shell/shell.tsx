"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";

import { health } from "@/lib/health";
import { texts } from "@/lib/texts";
import { ConnectionState } from "./connection-state";
import { ThemeSwitch } from "./theme-switch";

const t = texts.shell;

/** The pages that there are. */
const pages = [{ href: "/alerts", name: t.alerts }] as const;

/** Shell is what stands around every page: where one can go, and whether what is shown is live. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const { data } = useQuery(health);
  const item = "inline-flex min-h-8 items-center rounded-md px-2 text-sm font-medium whitespace-nowrap sm:px-2.5";
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#content" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t.skip}
      </a>
      <header className="sticky top-0 z-20 flex min-h-12 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line bg-surface px-4 py-1.5 sm:gap-x-4">
        <Link href="/alerts" className="flex items-center gap-2 text-base font-semibold tracking-tight">
          <Mark />
          <span className="sr-only sm:not-sr-only">{texts.product}</span>
        </Link>
        <nav aria-label={t.navigation} className="flex items-center gap-1">
          {pages.map(({ href, name }) => {
            const here = path === href;
            return (
              <Link key={href} href={href} aria-current={here ? "page" : undefined} className={`${item} ${here ? "bg-selected text-text" : "text-muted hover:bg-hover hover:text-text"}`}>
                {name}
              </Link>
            );
          })}
          <a href="/docs/" className={`${item} text-muted hover:bg-hover hover:text-text`}>
            {t.apiDocs}
          </a>
        </nav>
        <div className="ml-auto flex items-center gap-2.5 sm:gap-4">
          <ConnectionState />
          {data && (
            <span className="hidden text-xs text-muted md:inline" title={t.version(data.version)}>
              {data.version}
            </span>
          )}
          <ThemeSwitch />
        </div>
      </header>
      {children}
    </div>
  );
}

function Mark() {
  return (
    <svg aria-hidden viewBox="0 0 24 24" className="size-5 text-accent" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round">
      <path d="M2 7.5c1.8-2.2 3.6-2.2 5.4 0s3.6 2.2 5.1.2M2 13c1.8-2.2 3.6-2.2 5.4 0s3.6 2.2 5.1.2M2 18.5c1.8-2.2 3.6-2.2 5.4 0s3.6 2.2 5.1.2" />
      <path d="M18.5 3v18" strokeWidth="5" strokeLinecap="butt" />
    </svg>
  );
}
