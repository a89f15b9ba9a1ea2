"use client";

import { useState } from "react";

import type { Technique } from "@/lib/attack";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Section } from "@/ui/section";

const t = texts.attack;

interface Thing {
  id: string;
  name: string;
}

/** Related is what ATT&CK relates to a technique: who used it, what helps, what it is aimed at. */
export function Related({ technique: x }: { technique: Technique }) {
  const used = (["campaign", "software", "group"] as const).map((kind) => [kind, x.used_by.filter((o) => o.kind === kind)] as const).filter(([, of]) => of.length);
  const titles = { campaign: t.campaigns, software: t.software, group: t.groups };
  return (
    <>
      <Section title={t.usedBy}>
        {!used.length && <p className="text-muted">{t.usedByNone}</p>}
        <div className="space-y-3">
          {used.map(([kind, of]) => (
            <div key={kind}>
              <h4 className="mb-1 text-xs text-muted">{titles[kind]}</h4>
              <Things of={of} />
            </div>
          ))}
        </div>
      </Section>
      <Section title={t.mitigations}>{x.mitigation.length ? <Things of={x.mitigation} /> : <p className="text-muted">{t.mitigationsNone}</p>}</Section>
      <Section title={t.assets}>{x.affected_assets.length ? <Things of={x.affected_assets} /> : <p className="text-muted">{t.assetsNone}</p>}</Section>
      {x.detection.length > 0 && (
        <Section title={t.detection}>
          {x.detection.map((d) => (
            <div key={d.id} className="mb-2">
              <p>
                {d.name} <span className="font-mono text-xs text-muted">{d.id}</span>
              </p>
              <p className="text-xs text-muted">{d.data_components.map((c) => c.name).join(", ")}</p>
            </div>
          ))}
        </Section>
      )}
    </>
  );
}

const few = 6;

function Things({ of }: { of: readonly Thing[] }) {
  const [all, setAll] = useState(false);
  const shown = all || of.length <= few + 1 ? of : of.slice(0, few);
  return (
    <>
      <ul className="space-y-0.5">
        {shown.map((o) => (
          <li key={o.id}>
            {o.name} <span className="font-mono text-xs text-muted">{o.id}</span>
          </li>
        ))}
      </ul>
      {shown.length < of.length && (
        <Button className="mt-1.5" onClick={() => setAll(true)}>
          {t.showAll(of.length)}
        </Button>
      )}
    </>
  );
}
