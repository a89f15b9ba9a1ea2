import type { Status } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";

const t = texts.triage;

/** BulkBar is what can be done with the selected alerts. It lies over the foot of the list, so that no row moves when it comes. */
export function BulkBar({ count, busy, onChoose, onClear }: { count: number; busy: boolean; onChoose: (status: Status) => void; onClear: () => void }) {
  return (
    <div role="toolbar" aria-label={t.label} className="flex flex-wrap items-center gap-2 rounded-lg border border-line-strong bg-surface p-2 shadow-lg">
      <span className="px-2 text-sm font-medium">{t.selected(count)}</span>
      <Button disabled={busy} onClick={() => onChoose("acknowledged")}>
        {t.acknowledge}
      </Button>
      <Button disabled={busy} onClick={() => onChoose("resolved")}>
        {t.resolve}
      </Button>
      <Button disabled={busy} onClick={() => onChoose("false-positive")}>
        {t["false-positive"]}
      </Button>
      <Button disabled={busy} onClick={() => onChoose("new")}>
        {t.reopen}
      </Button>
      <button type="button" className="px-2 text-sm text-accent underline underline-offset-4" onClick={onClear}>
        {t.clear}
      </button>
    </div>
  );
}
