import { texts } from "@/lib/texts";
import { Button } from "./button";

/** Failure stands where something could not be loaded: why, and a way to try again. */
export function Failure({ title, error, onRetry, busy }: { title: string; error: Error; onRetry: () => void; busy: boolean }) {
  return (
    <div role="alert" className="flex flex-col items-start gap-2 py-4 text-sm text-muted">
      <p className="font-semibold text-text">{title}</p>
      <p>{error.message}</p>
      <Button className="mt-1" onClick={onRetry} disabled={busy}>
        {texts.errors.retry}
      </Button>
    </div>
  );
}
