import type { ReactNode } from "react";

import { texts } from "@/lib/texts";
import { Notice } from "@/ui/notice";

const t = texts.dashboard.facilities;

/** NothingWatched says how a first facility comes to be. */
export function NothingWatched({ demo }: { demo: ReactNode }) {
  return (
    <>
      <Notice title={t.emptyTitle}>
        <p>{t.emptyBody}</p>
        <dl className="my-5 space-y-4">
          {[t.sensor, t.replay].map(({ what, command }) => (
            <div key={command}>
              <dt>{what}</dt>
              <dd className="mt-1">
                <code className="block overflow-x-auto rounded-md border border-line bg-sunken px-3 py-2 font-mono text-sm text-text">{command}</code>
              </dd>
            </div>
          ))}
        </dl>
      </Notice>
      {demo}
    </>
  );
}
