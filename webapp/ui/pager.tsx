import { Button } from "./button";

interface Words {
  label: string;
  previous: string;
  next: string;
  position: (page: number, pages: number) => string;
}

/** Pager moves over numbered pages; where there is one page only, it is not there. */
export function Pager({ page, pages, words, onPage }: { page: number; pages: number; words: Words; onPage: (page: number) => void }) {
  if (pages <= 1) return null;
  return (
    <nav aria-label={words.label} className="flex items-center justify-between gap-3 border-t border-line px-4 py-2.5 text-sm">
      <Button disabled={page <= 1} onClick={() => onPage(page - 1)}>
        {words.previous}
      </Button>
      <span className="text-muted">{words.position(page, pages)}</span>
      <Button disabled={page >= pages} onClick={() => onPage(page + 1)}>
        {words.next}
      </Button>
    </nav>
  );
}
