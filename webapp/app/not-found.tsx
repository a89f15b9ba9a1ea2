import type { Metadata } from "next";
import Link from "next/link";

import { texts } from "@/lib/texts";
import { Notice } from "@/ui/notice";

export const metadata: Metadata = { title: texts.notFound.title };

export default function NotFound() {
  return (
    <main id="content" tabIndex={-1}>
      <Notice title={texts.notFound.title} heading="h1">
        <p>{texts.notFound.body}</p>
        <p className="mt-4">
          <Link href="/" className="text-accent underline underline-offset-4">
            {texts.notFound.home}
          </Link>
        </p>
      </Notice>
    </main>
  );
}
