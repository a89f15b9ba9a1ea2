"use client";

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { demoStatus } from "@/lib/demo";
import { texts } from "@/lib/texts";
import { Appearance } from "./appearance";
import { Baseline } from "./baseline";
import { Mutes } from "./mutes";
import { Notifications } from "./notifications";
import { Rules } from "./rules";

const t = texts.settings;

const sections = [
  { id: "appearance", name: t.appearance },
  { id: "notifications", name: t.notifications },
  { id: "mutes", name: texts.mutes.title },
  { id: "baseline", name: texts.baseline.title },
  { id: "rules", name: texts.rules.title },
  { id: "models", name: texts.models.title },
  { id: "demo", name: texts.demo.title },
] as const;

/** SettingsView is what can be set: for this browser first, then for everybody. models and demo are other features' parts. */
export function SettingsView({ models, demo }: { models: ReactNode; demo: ReactNode }) {
  const { data: offered } = useQuery(demoStatus);
  return (
    <main id="content" tabIndex={-1} className="mx-auto w-full max-w-7xl flex-1 px-4 pt-4 pb-12 outline-none">
      <h1 className="mb-4 text-xl font-semibold tracking-tight">{t.title}</h1>
      <div className="gap-8 lg:grid lg:grid-cols-[13rem_minmax(0,1fr)]">
        <nav aria-label={t.sections} className="mb-4 lg:mb-0">
          <ul className="flex flex-wrap gap-x-4 gap-y-1 text-sm lg:sticky lg:top-16 lg:flex-col lg:gap-1">
            {sections.filter(({ id }) => id !== "demo" || offered?.enabled).map(({ id, name }) => (
              <li key={id}>
                <a href={`#${id}`} className="block rounded-md text-muted hover:text-text lg:px-2 lg:py-1 lg:hover:bg-hover">
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div className="space-y-5">
          <Appearance />
          <Notifications />
          <Mutes />
          <Baseline />
          <Rules />
          {models}
          {demo}
        </div>
      </div>
    </main>
  );
}
