import type { Metadata } from "next";
import { Suspense } from "react";

import { AlertsView } from "@/features/alerts/alerts-view";
import { texts } from "@/lib/texts";
import { Skeleton } from "@/ui/skeleton";

export const metadata: Metadata = { title: texts.alerts.title };

export default function AlertsPage() {
  return (
    // What is shown depends on the URL's query, which an exported page learns in the browser only.
    <Suspense fallback={<Skeleton label={texts.alerts.loading} rows={8} />}>
      <AlertsView />
    </Suspense>
  );
}
