import { isMissing } from "@/lib/api-client";
import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";

interface Words {
  title: string;
  missing?: { title: string; body: string }; // what is said where there is no such thing
}

/** failureTitle is what went wrong, in a few words. */
export const failureTitle = ({ title, missing }: Words, error: Error) => (missing && isMissing(error) ? missing.title : title);

/** FailureNotice stands where a page's content could not be loaded: why, and a way to try again where that can help. */
export function FailureNotice({ words, error, onRetry, busy }: { words: Words; error: Error; onRetry: () => void; busy: boolean }) {
  const missing = isMissing(error) ? words.missing : undefined;
  return (
    <Notice title={failureTitle(words, error)} role="alert">
      <p>{missing ? missing.body : error.message}</p>
      {!missing && (
        <Button className="mt-4" onClick={onRetry} disabled={busy}>
          {texts.errors.retry}
        </Button>
      )}
    </Notice>
  );
}
