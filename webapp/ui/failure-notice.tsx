import { texts } from "@/lib/texts";
import { Button } from "./button";
import { Notice } from "./notice";

/** FailureNotice stands where a page's content could not be loaded: why, and a way to try again. Where there is no such thing, missing says so, and trying again helps nobody. */
export function FailureNotice({ title, error, missing, onRetry, busy }: {
  title: string;
  error: Error;
  missing?: { title: string; body: string } | false;
  onRetry: () => void;
  busy: boolean;
}) {
  if (missing) {
    return (
      <Notice title={missing.title} role="alert">
        <p>{missing.body}</p>
      </Notice>
    );
  }
  return (
    <Notice title={title} role="alert">
      <p>{error.message}</p>
      <Button className="mt-4" onClick={onRetry} disabled={busy}>
        {texts.errors.retry}
      </Button>
    </Notice>
  );
}
