import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
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
      <dl className="my-5 space-y-4">
        {[t.demo, t.replay].map(({ what, command }) => (
          <div key={command}>
            <dt>{what}</dt>
            <dd className="mt-1">
              <code className="block overflow-x-auto rounded-md border border-line bg-sunken px-3 py-2 font-mono text-sm text-text">{command}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p>{t.live}</p>
    </Notice>
  );
}
