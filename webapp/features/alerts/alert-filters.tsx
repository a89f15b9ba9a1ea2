"use client";

import { useQuery } from "@tanstack/react-query";
import { memo, useState } from "react";

import { useMediaQuery } from "@/hooks/use-media-query";
import { asQuery, everything, isFiltered, noFilters, nobody, ranges, rank, severities, sorts, statuses, type Filters } from "@/lib/alert-filters";
import { alertStats } from "@/lib/alerts";
import { count } from "@/lib/format";
import { systemStatus } from "@/lib/system";
import { techniqueNames } from "@/lib/techniques";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Bars } from "@/ui/level";
import { Pick } from "@/ui/pick";
import { Select } from "@/ui/select";
import { TimeFilter } from "@/ui/time-filter";
import { Toggles } from "@/ui/toggles";
import { StatusMark } from "./severity";

const t = texts.filters;

/** times are the stretches of time that the page offers. */
export const times = (["", ...ranges] as const).map((value) => ({ value, name: value ? t.ranges[value] : t.allTime }));

interface Props {
  filters: Filters;
  assignees: readonly string[]; // who works on what is listed
  onChange: (to: Partial<Filters>) => void;
}

/** AlertFilters is every filter of the list; where the screen is narrow, behind a button that says how many are set. It is not drawn again with each alert that comes. */
export const AlertFilters = memo(function AlertFilters(props: Props) {
  const narrow = useMediaQuery("(max-width: 639px)");
  const [open, setOpen] = useState(false);
  if (!narrow) return <Filter {...props} />;
  return (
    <div className="w-full">
      <Button aria-expanded={open} onClick={() => setOpen(!open)}>
        {t.open(Object.keys(asQuery({ ...props.filters, search: "" })).length)}
      </Button>
      {open && (
        <div className="pt-3">
          <Filter {...props} />
        </div>
      )}
    </div>
  );
});

function Filter({ filters, assignees, onChange }: Props) {
  return (
    <div role="group" aria-label={t.label} className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <Toggles
        label={t.severity}
        chosen={filters.severity}
        onChange={(severity) => onChange({ severity: severities.filter((s) => severity.includes(s)) })}
        choices={severities.map((s) => ({
          value: s,
          content: (
            <>
              <Bars rank={rank[s]} />
              {texts.severity[s]}
            </>
          ),
        }))}
      />
      <Toggles
        label={t.status}
        chosen={filters.status}
        onChange={(status) => onChange({ status: statuses.filter((s) => status.includes(s)) })}
        choices={statuses.map((s) => ({
          value: s,
          content: (
            <>
              <StatusMark status={s} />
              {texts.status[s]}
            </>
          ),
        }))}
      />
      <FacilityFilter chosen={filters.facility} onChange={(facility) => onChange({ facility })} />
      <TechniqueFilter filters={filters} onChange={(technique) => onChange({ technique })} />
      <AssigneeFilter chosen={filters.assignee} names={assignees} onChange={(assignee) => onChange({ assignee })} />
      <TimeFilter times={filters} ranges={times} onChange={onChange} />
      <Select label={t.muted} active={filters.muted !== ""} value={filters.muted} onChange={(muted) => onChange({ muted })} choices={(["", "false", "true"] as const).map((value) => ({ value, name: t.mutedChoices[value] }))} />
      <Select label={t.sort} active={filters.sort !== everything.sort} value={filters.sort} onChange={(sort) => onChange({ sort })} choices={sorts.map((value) => ({ value, name: t.sorts[value] }))} />
      {isFiltered(filters) && (
        <button type="button" className="text-sm text-accent underline underline-offset-4" onClick={() => onChange(noFilters(filters))}>
          {t.clear}
        </button>
      )}
    </div>
  );
}

/** FacilityFilter chooses among the facilities that there are. */
export function FacilityFilter({ chosen, onChange }: { chosen: readonly string[]; onChange: (to: string[]) => void }) {
  const { data: system } = useQuery(systemStatus);
  return <Pick label={t.facility} words={t} chosen={chosen} onChange={onChange} choices={(system?.facilities ?? []).map((f) => ({ value: f.id, name: f.name || f.id }))} />;
}

/** TechniqueFilter chooses among the techniques that alerts under the other filters show. They are counted when it is opened. */
function TechniqueFilter({ filters, onChange }: { filters: Filters; onChange: (to: string[]) => void }) {
  const [open, setOpen] = useState(false);
  const { data: stats } = useQuery({ ...alertStats({ ...filters, technique: [] }), enabled: open });
  const { data: names } = useQuery(techniqueNames);
  const seen = Object.entries(stats?.by_technique ?? {}).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const ids = [...filters.technique.filter((id) => !seen.some(([other]) => other === id)).map((id) => [id, 0] as const), ...seen];
  return (
    <Pick
      label={t.technique}
      onOpenChange={setOpen}
      words={t}
      chosen={filters.technique}
      onChange={onChange}
      choices={ids.map(([value, n]) => ({ value, name: `${value} ${names?.get(value) ?? ""}`.trim(), hint: n ? count(n) : undefined }))}
    />
  );
}

/** AssigneeFilter chooses among those who work on what is listed, and takes any other name. */
function AssigneeFilter({ chosen, names, onChange }: { chosen: readonly string[]; names: readonly string[]; onChange: (to: string[]) => void }) {
  return (
    <Pick
      label={t.assignee}
      words={t}
      chosen={chosen}
      onChange={onChange}
      choices={[{ value: nobody, name: t.nobody }, ...names.map((value) => ({ value, name: value }))]}
      add={{ label: t.assigneeName, parse: (text) => text.trim().replaceAll(",", "").slice(0, 64) }}
    />
  );
}
