"use client";

import { texts } from "@/lib/texts";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";

/** What is shown where a page itself has failed, which is a bug of ours. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  return (
    <main id="content" tabIndex={-1}>
      <Notice title={texts.errors.pageTitle} heading="h1" role="alert">
        <p>{error.message}</p>
        <Button className="mt-4" onClick={reset}>
          {texts.errors.retry}
        </Button>
      </Notice>
    </main>
  );
}
