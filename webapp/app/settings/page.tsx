import type { Metadata } from "next";

import { DemoControls } from "@/features/demo/demo-controls";
import { ModelVersions } from "@/features/models/model-versions";
import { SettingsView } from "@/features/settings/settings-view";
import { texts } from "@/lib/texts";

export const metadata: Metadata = { title: texts.settings.title };

export default function SettingsPage() {
  return <SettingsView models={<ModelVersions />} demo={<DemoControls />} />;
}
