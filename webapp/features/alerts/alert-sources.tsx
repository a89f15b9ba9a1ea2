import { conversationOf, type Source } from "@/lib/alerts";
import { techniqueHref } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { QuietLink } from "@/ui/quiet-link";
import { Time } from "@/ui/time";
import { SeverityBadge } from "./severity";

const t = texts.panel;

/** AlertSources is which detector said what, layer by layer: what is wrong, which technique it is, what comes next. */
export function AlertSources({ sources }: { sources: readonly Source[] }) {
  return (
    <div className="space-y-4">
      {([1, 2, 3] as const).map((layer) => {
        const here = sources.filter((s) => s.layer === layer);
        return (
          here.length > 0 && (
            <div key={layer}>
              <h4 className="mb-1.5 text-xs text-muted">{t.layers[layer]}</h4>
              <ul className="space-y-2">
                {here.map((s) => (
                  <SourceCard key={s.model_name} source={s} />
                ))}
              </ul>
            </div>
          )
        );
      })}
    </div>
  );
}

function SourceCard({ source: s }: { source: Source }) {
  const talk = conversationOf(s);
  return (
    <li className="rounded-md border border-line p-3">
      <div className="mb-1 flex flex-wrap items-center gap-x-3 gap-y-1">
        <SeverityBadge severity={s.severity} />
        <span className="font-mono">{s.model_name}</span>
        {s.external && <Badge>{t.external}</Badge>}
        {s.muted && <Badge>{texts.alerts.muted}</Badge>}
        <span className="ml-auto text-xs text-muted">
          {t.confidence} <span className="text-text">{t.percent(s.confidence)}</span> · {texts.alerts.times(s.count)}
        </span>
      </div>
      <p>{s.evidence}</p>
      {s.context_evidence && <p className="mt-1 text-muted">{s.context_evidence}</p>}
      <p className="mt-1.5 flex flex-wrap gap-x-4 gap-y-0.5 text-xs text-muted">
        {talk.client && talk.server && (
          <span>
            <span className="sr-only">{t.conversation}: </span>
            <span className="font-mono">
              {talk.client} → {talk.server}
              {talk.port ? `:${talk.port}` : ""}
            </span>{" "}
            {talk.protocol}
          </span>
        )}
        {s.technique && (
          <span>
            <QuietLink href={techniqueHref(s.technique)}>
              <span className="font-mono">{s.technique}</span> {s.technique_name}
            </QuietLink>
          </span>
        )}
        <Time at={s.detection_time} />
      </p>
    </li>
  );
}
