import { isFiltered, severities, statuses, type Filters } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Bars } from "@/ui/level";
import { Toggles } from "@/ui/toggles";
import { rankOf, StatusMark } from "./severity";

const t = texts.filters;

export function AlertFilters({ filters, onChange }: { filters: Filters; onChange: (to: Partial<Filters>) => void }) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
      <Toggles
        label={t.severity}
        chosen={filters.severity}
        onChange={(severity) => onChange({ severity })}
        choices={severities.map((s) => ({
          value: s,
          content: (
            <>
              <Bars rank={rankOf(s)} />
              {texts.severity[s]}
            </>
          ),
        }))}
      />
      <Toggles
        label={t.status}
        chosen={filters.status}
        onChange={(status) => onChange({ status })}
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
      {filters.facility.length > 0 && (
        // The facilities come from a link; each can be taken out again.
        <Toggles
          label={t.facility}
          chosen={filters.facility}
          onChange={(facility) => onChange({ facility })}
          choices={filters.facility.map((id) => ({ value: id, content: t.inFacility(id) }))}
        />
      )}
      {isFiltered(filters) && (
        <button type="button" className="text-sm text-accent underline underline-offset-4" onClick={() => onChange({ severity: [], status: [], facility: [] })}>
          {t.clear}
        </button>
      )}
    </div>
  );
}
