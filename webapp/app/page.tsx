"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect } from "react";

import { texts } from "@/lib/texts";

/** The front page goes to the alerts until there is a dashboard. */
export default function Home() {
  const router = useRouter();
  useEffect(() => router.replace("/alerts"), [router]);
  return (
    <main id="content" className="p-6">
      <Link href="/alerts">{texts.notFound.home}</Link>
    </main>
  );
}
