import type { ReactNode } from "react";

interface Props {
  className?: string;
  children: ReactNode;
}

/** Table is a table as wide as its card. */
export function Table({ head, children }: { head: ReactNode; children: ReactNode }) {
  return (
    <div className="-mx-4">
      <table className="w-full text-left text-sm">
        <thead className="border-b border-line text-xs text-muted">
          <tr>{head}</tr>
        </thead>
        <tbody className="divide-y divide-line">{children}</tbody>
      </table>
    </div>
  );
}

export function Head({ className = "", children }: Props) {
  return (
    <th scope="col" className={`px-2 py-1.5 font-medium first:pl-4 last:pr-4 ${className}`}>
      {children}
    </th>
  );
}

/** RowHead is the cell that names its row, the first one. */
export function RowHead({ children }: { children: ReactNode }) {
  return (
    <th scope="row" className="py-2 pr-2 pl-4 align-top font-semibold">
      {children}
    </th>
  );
}

export function Cell({ className = "", children }: Props) {
  return <td className={`px-2 py-2 align-top last:pr-4 ${className}`}>{children}</td>;
}
