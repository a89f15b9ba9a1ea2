import type { Metadata } from "next";
import { Suspense } from "react";

import { InventoryView } from "@/features/inventory/inventory-view";
import { texts } from "@/lib/texts";
import { Skeleton } from "@/ui/skeleton";

export const metadata: Metadata = { title: texts.inventory.title };

export default function FacilitiesPage() {
  return (
    // What is shown depends on the URL's query, which an exported page learns in the browser only.
    <Suspense fallback={<Skeleton label={texts.inventory.loading} rows={8} />}>
      <InventoryView />
    </Suspense>
  );
}
