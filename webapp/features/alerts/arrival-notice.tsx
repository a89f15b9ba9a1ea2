import type { Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { SeverityBadge } from "./severity";

/** ArrivalNotice tells of a new alert that the list does not show: the filters hide it, or it stands further down. */
export function ArrivalNotice({ alert, onShow }: { alert: Alert; onShow: () => void }) {
  return (
    <div className="flex max-w-2xl flex-wrap items-center gap-3 rounded-lg border border-line-strong bg-surface px-4 py-2 text-sm shadow-lg">
      <SeverityBadge severity={alert.severity} />
      <span className="min-w-0 flex-1">{texts.arrivals.one(texts.severity[alert.severity], alert.title, alert.asset)}</span>
      <Button onClick={onShow}>{texts.arrivals.show}</Button>
    </div>
  );
}
