import type { Filters } from "@/lib/alert-filters";
import { exportHref } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Popover } from "@/ui/popover";

const t = texts.exports;

/** ExportMenu downloads all alerts of the filters, also those that are not loaded. */
export function ExportMenu({ filters, total }: { filters: Filters; total: number }) {
  return (
    <Popover label={t.open} align="end" button={t.open}>
      <h2 className="mb-1 font-semibold">{t.title(total)}</h2>
      <ul>
        {(["csv", "json", "stix"] as const).map((format) => (
          <li key={format}>
            <a href={exportHref(filters, format)} download className="flex min-h-8 items-center rounded px-2 hover:bg-hover">
              {t.formats[format]}
            </a>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
