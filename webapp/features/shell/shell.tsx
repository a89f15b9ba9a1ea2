"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";

import { health } from "@/lib/health";
import { texts } from "@/lib/texts";
import { ConnectionBanner } from "./connection-banner";
import { ConnectionState } from "./connection-state";
import { DemoStrip } from "./demo-strip";
import { Navigation } from "./navigation";
import { ThemeSwitch } from "./theme-switch";

const t = texts.shell;

/** Shell is what stands around every page: where one can go, and whether what is shown is live. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePathname();
  const { data } = useQuery(health);
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#content" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t.skip}
      </a>
      <header className="sticky top-0 z-20 flex min-h-12 items-center gap-x-2 border-b border-line bg-surface px-4 py-1.5 sm:gap-x-4">
        <Link href="/" className="flex items-center gap-2 text-base font-semibold tracking-tight">
          <Mark />
          <span className="sr-only sm:not-sr-only">{texts.product}</span>
        </Link>
        {/* Another page, and the menu of a narrow screen is closed again. */}
        <Navigation key={path} path={path} />
        <div className="ml-auto flex items-center gap-2.5 sm:gap-4">
          <ConnectionState />
          {data && (
            <span className="hidden text-xs text-muted 2xl:inline" title={t.version(data.version)}>
              {data.version}
            </span>
          )}
          <ThemeSwitch />
        </div>
      </header>
      <DemoStrip />
      {children}
      <ConnectionBanner />
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
