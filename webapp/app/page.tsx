import type { Metadata } from "next";

import { Dashboard } from "@/features/dashboard/dashboard";
import { DemoControls } from "@/features/demo/demo-controls";
import { texts } from "@/lib/texts";

export const metadata: Metadata = { title: texts.dashboard.title };

export default function DashboardPage() {
  return <Dashboard demo={<DemoControls />} />;
}
