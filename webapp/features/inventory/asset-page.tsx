"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useState, type ReactNode } from "react";

import { alertsHref, rank } from "@/lib/alert-filters";
import { isMissing } from "@/lib/api-client";
import { assetDetail, deedOf, idOf, importNames, nameOf, nameTable, numberOf, serviceOf, usesOf, type Asset, type AssetDetail, type Talk } from "@/lib/assets";
import { assetHref, facilityHref } from "@/lib/asset-filters";
import { count } from "@/lib/format";
import { texts } from "@/lib/texts";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Card } from "@/ui/card";
import { Failure } from "@/ui/failure";
import { Field, inputClass } from "@/ui/field";
import { Level } from "@/ui/level";
import { Notice } from "@/ui/notice";
import { PlaceLink } from "@/ui/place-link";
import { Skeleton } from "@/ui/skeleton";
import { Time } from "@/ui/time";
import { ClassWord, DeedWord } from "./marks";
import type { InventoryUrl } from "./use-inventory-url";

const t = texts.inventory.asset;
const words = texts.inventory;

/** AssetPage is one asset: who it is, whom it talks with, by which functions, and what alerts are about it. */
export function AssetPage({ facility, id, url }: { facility: string; id: string; url: InventoryUrl }) {
  const { data, error, refetch, isFetching } = useQuery(assetDetail(facility, id));
  const missing = isMissing(error);
  return (
    <>
      <nav aria-label={t.back} className="px-4 pt-4 text-sm">
        <PlaceLink href={url.href({ asset: "" })} onGo={() => url.go({ asset: "" })} className="text-accent underline-offset-4 hover:underline">
          ← {t.back}
        </PlaceLink>
        <span className="text-muted"> / </span>
        <Link href={facilityHref(facility)} className="text-accent underline-offset-4 hover:underline">
          {facility}
        </Link>
      </nav>
      {data ? (
        <Details of={data} />
      ) : !error ? (
        <>
          <h1 className="sr-only">{id}</h1>
          <Skeleton label={t.loading} rows={6} />
        </>
      ) : missing ? (
        <Notice heading="h1" title={t.missing} role="alert">
          <p>{t.missingBody(id, facility)}</p>
          <Link href={alertsHref({ facility: [facility], search: id })} className="mt-4 inline-block text-accent underline underline-offset-4">
            {t.allAlerts}
          </Link>
        </Notice>
      ) : (
        <div className="px-4">
          <h1 className="sr-only">{id}</h1>
          <Failure title={t.failed} error={error} onRetry={() => void refetch()} busy={isFetching} />
        </div>
      )}
    </>
  );
}

function Details({ of }: { of: AssetDetail }) {
  const { asset: a, conversations: talks } = of;
  const id = idOf(a);
  return (
    <div className="grid gap-4 p-4 @5xl:grid-cols-[minmax(0,23rem)_minmax(0,1fr)]">
      <div className="col-span-full flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className={`text-xl font-semibold tracking-tight break-all ${a.name ? "" : "font-mono"}`}>{nameOf(a)}</h1>
        {a.name && <span className="font-mono text-muted">{id}</span>}
        <span title={words.rolesHint[a.role]}>
          <Badge tone="accent">{words.roles[a.role]}</Badge>
        </span>
        <Badge>{a.level ? words.levelShort(a.level) : words.levels.unknown}</Badge>
        {a.open_alerts > 0 && <Badge tone="bad">{words.open(a.open_alerts)}</Badge>}
        {a.ip && (
          <Link href={`${facilityHref(a.facility_id, true)}&at=${encodeURIComponent(id)}`} className="ml-auto text-sm text-accent underline-offset-4 hover:underline">
            {t.onMap}
          </Link>
        )}
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Who asset={a} />
        <Alerts of={of} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Talks of={of} />
        <Functions id="asked" title={t.asked} talks={talks.filter((c) => c.server === a.ip)} always />
        <Functions id="uses" title={t.uses} talks={talks.filter((c) => c.client === a.ip)} />
      </div>
    </div>
  );
}

function Who({ asset: a }: { asset: Asset }) {
  const behind = a.traits?.includes("remote") && !a.traits.includes("announced");
  const did = (a.traits ?? []).map((trait) => t.traits[trait] ?? trait).join(", ");
  return (
    <Card title={t.who}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-sm">
        {a.ip && (
          <Fact name={t.address}>
            <span className="font-mono">{a.ip}</span>
          </Fact>
        )}
        <Fact name={t.mac}>{a.mac ? <span className="font-mono">{a.mac}</span> : <Muted>{behind ? t.behind : t.noMac}</Muted>}</Fact>
        <Fact name={t.vendor}>{a.vendor || <Muted>{words.noVendor}</Muted>}</Fact>
        <Fact name={t.role} hint={words.rolesHint[a.role]}>
          {words.roles[a.role]}
        </Fact>
        {did && <Fact name={t.did}>{did}</Fact>}
        <Fact name={t.level} hint={words.levelHint}>
          {words.levels[a.level ?? "unknown"]}
        </Fact>
        <Fact name={t.zone}>{a.zone || <Muted>{t.noZone}</Muted>}</Fact>
        <Fact name={t.speaks}>{a.protocols?.length ? <span className="font-mono">{a.protocols.join(" ")}</span> : <Muted>{t.nothing}</Muted>}</Fact>
        <Fact name={t.first}>{a.first_seen ? <Time at={a.first_seen} /> : <Muted>{words.unseen}</Muted>}</Fact>
        {a.last_seen && (
          <Fact name={t.last}>
            <Time at={a.last_seen} />
          </Fact>
        )}
      </dl>
      <NameForm key={`${a.name} ${a.zone}`} asset={a} />
    </Card>
  );
}

function Fact({ name, hint, children }: { name: string; hint?: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 break-words">
        {children}
        {hint && <span className="block text-xs text-muted">{hint}</span>}
      </dd>
    </>
  );
}

const Muted = ({ children }: { children: ReactNode }) => <span className="text-muted">{children}</span>;

/** NameForm gives the asset a name and a zone. */
function NameForm({ asset: a }: { asset: Asset }) {
  const cache = useQueryClient();
  const [name, setName] = useState(a.name);
  const [zone, setZone] = useState(a.zone);
  const save = useMutation({
    mutationFn: async () => {
      const { accepted, errors } = await importNames(cache, a.facility_id, nameTable(a, name.trim(), zone.trim()));
      if (!accepted) throw new Error(errors?.[0]?.detail ?? "");
    },
    networkMode: "always",
  });
  const same = (name.trim() || a.name) === a.name && (zone.trim() || a.zone) === a.zone;
  return (
    <form
      className="mt-4 grid grid-cols-2 items-end gap-3 border-t border-line pt-3"
      onSubmit={(e) => {
        e.preventDefault();
        if (!same) save.mutate();
      }}
    >
      <Field label={t.name}>
        <input value={name} maxLength={128} onChange={(e) => setName(e.target.value)} className={inputClass} />
      </Field>
      <Field label={t.zone}>
        <input value={zone} maxLength={64} onChange={(e) => setZone(e.target.value)} className={inputClass} />
      </Field>
      <p aria-live="polite" className={`text-xs ${save.error ? "text-warn" : "text-muted"}`}>
        {save.error ? t.saveFailed(save.error.message) : save.isSuccess ? t.saved : t.nameHint}
      </p>
      <Button type="submit" className="justify-self-end" disabled={same || save.isPending}>
        {t.save}
      </Button>
    </form>
  );
}

function Alerts({ of: { asset: a, newest_alerts: alerts } }: { of: AssetDetail }) {
  return (
    <Card title={t.alerts} more={{ href: alertsHref({ facility: [a.facility_id], search: idOf(a) }), name: t.allAlerts }}>
      {alerts.length === 0 ? (
        <p className="text-sm text-muted">{t.noAlerts}</p>
      ) : (
        <ul className="-mx-4 divide-y divide-line border-t border-line">
          {alerts.map((alert) => (
            <li key={alert.id} className="px-4 py-2 text-sm">
              <div className="flex items-start gap-3">
                <Level rank={rank[alert.severity]}>{texts.severity[alert.severity]}</Level>
                <div className="min-w-0">
                  <Link href={alertsHref({ facility: [a.facility_id] }, alert.id)} className="font-medium underline-offset-4 hover:underline">
                    {alert.title}
                  </Link>
                  <p className="text-xs text-muted">
                    <Time at={alert.last_seen} /> · {texts.status[alert.status]} · {texts.alerts.times(alert.count)}
                  </p>
                </div>
              </div>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

const atOnce = 12; // rows shown until more are asked for

/** useSome is the first of a list, and a button for more. */
function useSome<T>(all: readonly T[]): { some: readonly T[]; more: ReactNode } {
  const [shown, setShown] = useState(atOnce);
  const rest = all.length - shown;
  return {
    some: all.slice(0, shown),
    more: rest > 0 && (
      <Button className="mt-3 self-start" onClick={() => setShown(shown + 8 * atOnce)}>
        {t.more(Math.min(8 * atOnce, rest))}
      </Button>
    ),
  };
}

const head = "px-2 py-1.5 text-left text-xs font-medium text-muted first:pl-4 last:pr-4 whitespace-nowrap";
const cell = "px-2 py-1.5 first:pl-4 last:pr-4 align-top";

/** Table scrolls within itself where the screen is narrow; by keyboard too. */
function Table({ label, columns, right, children }: { label: string; columns: readonly string[]; right: readonly string[]; children: ReactNode }) {
  return (
    <div className="-mx-4 overflow-x-auto border-t border-line" tabIndex={0} role="group" aria-label={label}>
      <table className="w-full text-sm">
        <thead className="border-b border-line">
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col" className={`${head} ${right.includes(name) ? "text-right" : ""}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">{children}</tbody>
      </table>
    </div>
  );
}

function Talks({ of: { asset: a, conversations: talks, total_conversations: total, assets } }: { of: AssetDetail }) {
  const names = new Map(assets.map((o) => [idOf(o), o.name]));
  const { some, more } = useSome(talks);
  const c = t.talkColumns;
  return (
    <Card title={t.talks}>
      {talks.length === 0 ? (
        <p className="text-sm text-muted">{t.noTalks}</p>
      ) : (
        <>
          <Table label={t.talks} columns={Object.values(c)} right={[c.count]}>
            {some.map((talk) => {
              const asks = talk.client === a.ip;
              const peer = (asks ? talk.server : talk.client) ?? "";
              return (
                <tr key={`${talk.client} ${talk.server} ${talk.port}`}>
                  <td className={`${cell} text-muted`}>{asks ? t.asks : t.answers}</td>
                  <td className={cell}>
                    {names.has(peer) ? (
                      <Link href={assetHref(a.facility_id, peer)} className="text-accent underline-offset-4 hover:underline">
                        {names.get(peer) && <>{names.get(peer)} </>}
                        <span className={names.get(peer) ? "font-mono text-xs text-muted" : "font-mono"}>{peer}</span>
                      </Link>
                    ) : (
                      <span className="font-mono">{peer}</span>
                    )}
                  </td>
                  <td className={`${cell} font-mono whitespace-nowrap`}>{serviceOf(talk)}</td>
                  <td className={`${cell} whitespace-nowrap`}>
                    <DeedWord deed={deedOf(talk.functions)} />
                  </td>
                  <td className={`${cell} text-right`}>{count(talk.count)}</td>
                  <td className={`${cell} text-muted`}>
                    <Time at={talk.first_seen} />
                  </td>
                  <td className={cell}>
                    <Time at={talk.last_seen} />
                  </td>
                </tr>
              );
            })}
          </Table>
          {more}
          {total > talks.length && <p className="pt-3 text-sm text-muted">{t.talksLeft(talks.length, total)}</p>}
        </>
      )}
    </Card>
  );
}

/** Functions are those of conversations, added up. Where there are none and it is not to be there always, nothing is. */
function Functions({ id, title, talks, always }: { id: string; title: string; talks: readonly Talk[]; always?: boolean }) {
  const uses = usesOf(talks);
  const { some, more } = useSome(uses);
  const c = t.functionColumns;
  if (!uses.length && !always) return null;
  return (
    <Card id={id} title={title}>
      {uses.length === 0 ? (
        <p className="text-sm text-muted">{t.noFunctions}</p>
      ) : (
        <>
          <Table label={title} columns={Object.values(c)} right={[c.count, c.refused, c.peers]}>
            {some.map((u) => (
              <tr key={`${u.protocol} ${numberOf(u)}`}>
                <td className={`${cell} font-mono whitespace-nowrap`}>
                  {u.protocol} {numberOf(u)}
                </td>
                <td className={`${cell} min-w-40`}>{u.name}</td>
                <td className={cell}>
                  <ClassWord of={u.class} />
                </td>
                <td className={`${cell} text-right`}>{count(u.count)}</td>
                <td className={`${cell} text-right ${u.exceptions ? "font-medium text-warn" : "text-muted"}`}>{count(u.exceptions)}</td>
                <td className={`${cell} text-right`}>{count(u.peers)}</td>
              </tr>
            ))}
          </Table>
          {more}
        </>
      )}
    </Card>
  );
}
