import { PlaceLink } from "./place-link";

/** Views is the ways in which a page can show what it shows, side by side. */
export function Views({ label, views }: { label: string; views: readonly { name: string; here: boolean; href: string; onGo: () => void }[] }) {
  return (
    <nav aria-label={label} className="flex rounded-md border border-line p-0.5">
      {views.map(({ name, here, href, onGo }) => (
        <PlaceLink
          key={name}
          href={href}
          onGo={onGo}
          aria-current={here ? "page" : undefined}
          className="flex min-h-7 items-center rounded px-2.5 text-sm text-muted hover:text-text aria-[current]:bg-selected aria-[current]:font-medium aria-[current]:text-text"
        >
          {name}
        </PlaceLink>
      ))}
    </nav>
  );
}
