import type { Metadata } from "next";
import { Suspense } from "react";

import { FederationView } from "@/features/federation/federation-view";
import { ModelVersions } from "@/features/models/model-versions";
import { texts } from "@/lib/texts";
import { Skeleton } from "@/ui/skeleton";

export const metadata: Metadata = { title: texts.federation.title };

export default function FederationPage() {
  return (
    // The history's filters are in the URL's query, which an exported page learns in the browser only.
    <Suspense fallback={<Skeleton label={texts.federation.loading} rows={8} />}>
      <FederationView models={<ModelVersions />} />
    </Suspense>
  );
}
