import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Commands } from "@/ui/commands";
import { Notice } from "@/ui/notice";

const t = texts.empty;

/** EmptyList says why nothing is listed, and what to do about it. */
export function EmptyList({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (filtered) {
    return (
      <Notice title={t.filteredTitle}>
        <p>{t.filteredBody}</p>
        <Button className="mt-4" onClick={onClear}>
          {texts.filters.clear}
        </Button>
      </Notice>
    );
  }
  return (
    <Notice title={t.title}>
      <p>{t.body}</p>
      <Commands list={[t.demo, t.replay]} />
      <p>{t.live}</p>
    </Notice>
  );
}
