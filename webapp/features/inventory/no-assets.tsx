import { texts } from "@/lib/texts";
import { Notice } from "@/ui/notice";

const t = texts.inventory.empty;

/** NoAssets says what to do where nothing was seen yet. */
export function NoAssets() {
  return (
    <Notice title={t.title}>
      <p className="mb-4">{t.body}</p>
      <dl className="space-y-3">
        {[t.replay, t.sensor].map(({ what, command }) => (
          <div key={command}>
            <dt>{what}</dt>
            <dd>
              <code className="mt-1 block rounded bg-sunken px-2 py-1.5 font-mono text-sm break-words text-text">{command}</code>
            </dd>
          </div>
        ))}
      </dl>
      <p className="mt-4">
        {t.demo} {t.live}
      </p>
    </Notice>
  );
}
