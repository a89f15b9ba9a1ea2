import type { ReactNode } from "react";

import { texts } from "@/lib/texts";
import { Commands } from "@/ui/commands";
import { Notice } from "@/ui/notice";

const t = texts.dashboard.facilities;

/** NothingWatched says how a first facility comes to be. */
export function NothingWatched({ demo }: { demo: ReactNode }) {
  return (
    <>
      <Notice title={t.emptyTitle}>
        <p>{t.emptyBody}</p>
        <Commands list={[t.sensor, t.replay]} />
      </Notice>
      {demo}
    </>
  );
}
