import type { Alert } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { SeverityBadge } from "./severity";

/** ArrivalNotice tells of a new alert that this page of the list does not show: another filter, another page. */
export function ArrivalNotice({ alert, onShow }: { alert: Alert; onShow: () => void }) {
  return (
    <div className="flex flex-wrap items-center gap-3 border-t border-line bg-selected px-4 py-2 text-sm">
      <SeverityBadge severity={alert.severity} />
      <span className="min-w-0 flex-1">{texts.arrivals.one(texts.severity[alert.severity], alert.title, alert.asset)}</span>
      <Button onClick={onShow}>{texts.arrivals.show}</Button>
    </div>
  );
}
