import { rank } from "@/lib/alert-filters";
import type { Severity, Status } from "@/lib/alerts";
import { texts } from "@/lib/texts";
import { Level } from "@/ui/level";

export function SeverityBadge({ severity }: { severity: Severity }) {
  return <Level rank={rank[severity]}>{texts.severity[severity]}</Level>;
}

const marks: Record<Status, React.ReactNode> = {
  new: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  acknowledged: (
    <>
      <circle cx="6" cy="6" r="4" />
      <path d="M6 2a4 4 0 0 1 0 8Z" fill="currentColor" />
    </>
  ),
  resolved: <path d="m2.5 6.5 2.5 2.5 4.5-5.5" />,
  "false-positive": <path d="m3 3 6 6M9 3 3 9" />,
};

export function StatusMark({ status }: { status: Status }) {
  return (
    <svg aria-hidden viewBox="0 0 12 12" className="size-3 shrink-0" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
      {marks[status]}
    </svg>
  );
}

export function StatusWord({ status }: { status: Status }) {
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${status === "new" ? "font-medium text-text" : "text-muted"}`}>
      <StatusMark status={status} />
      {texts.status[status]}
    </span>
  );
}
