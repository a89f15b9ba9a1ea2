import type { Metadata } from "next";
import { Suspense } from "react";

import { AttackView } from "@/features/attack-graph/attack-view";
import { texts } from "@/lib/texts";
import { Skeleton } from "@/ui/skeleton";

export const metadata: Metadata = { title: texts.attack.title };

export default function AttackGraphPage() {
  return (
    // What is shown depends on the URL's query, which an exported page learns in the browser only.
    <Suspense fallback={<Skeleton label={texts.attack.loading} rows={8} />}>
      <AttackView />
    </Suspense>
  );
}
