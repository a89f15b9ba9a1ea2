"use client";

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { useMediaQuery } from "@/hooks/use-media-query";
import { assetValues } from "@/lib/assets";
import { allAssets, asAssetQuery, assetSorts, isNarrowed, levels, roles, type AssetFilters as Filters, type Level, type Role } from "@/lib/asset-filters";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Pick } from "@/ui/pick";
import { Select } from "@/ui/select";

const t = texts.inventory;

/** AssetFilters is every filter of the list; where the screen is narrow, behind a button that says how many are set. */
export function AssetFilters(props: { filters: Filters; onChange: (to: Partial<Filters>) => void }) {
  const narrow = useMediaQuery("(max-width: 639px)");
  const [open, setOpen] = useState(false);
  if (!narrow) return <All {...props} />;
  return (
    <div className="w-full">
      <Button aria-expanded={open} onClick={() => setOpen(!open)}>
        {t.filters.open(Object.keys(asAssetQuery({ ...props.filters, search: "", facility: "" })).length)}
      </Button>
      {open && (
        <div className="pt-3">
          <All {...props} />
        </div>
      )}
    </div>
  );
}

function All({ filters, onChange }: { filters: Filters; onChange: (to: Partial<Filters>) => void }) {
  const { data: values } = useQuery(assetValues(filters.facility));
  // The API takes lists apart at commas.
  const plain = (all: readonly string[] = []) => all.filter((v) => !v.includes(",")).map((value) => ({ value, name: value }));
  return (
    <div role="group" aria-label={t.filters.label} className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <Pick label={t.filters.role} words={t.filters} chosen={filters.role} onChange={(role) => onChange({ role: role as Role[] })} choices={roles.map((value) => ({ value, name: t.roles[value] }))} />
      <Pick label={t.filters.level} words={t.filters} chosen={filters.level} onChange={(level) => onChange({ level: level as Level[] })} choices={levels.map((value) => ({ value, name: t.levels[value] }))} />
      <Pick label={t.filters.protocol} words={t.filters} chosen={filters.protocol} onChange={(protocol) => onChange({ protocol })} choices={plain(values?.protocols)} />
      <Pick label={t.filters.zone} words={t.filters} chosen={filters.zone} onChange={(zone) => onChange({ zone })} choices={plain(values?.zones)} />
      <Pick label={t.filters.vendor} words={t.filters} chosen={filters.vendor} onChange={(vendor) => onChange({ vendor })} choices={plain(values?.vendors)} />
      <Select label={t.filters.sort} active={filters.sort !== allAssets.sort} value={filters.sort} onChange={(sort) => onChange({ sort })} choices={assetSorts.map((value) => ({ value, name: t.sorts[value] }))} />
      {isNarrowed(filters) && (
        <button type="button" className="text-sm text-accent underline underline-offset-4" onClick={() => onChange({ ...allAssets, facility: filters.facility, sort: filters.sort })}>
          {t.filters.clear}
        </button>
      )}
    </div>
  );
}
