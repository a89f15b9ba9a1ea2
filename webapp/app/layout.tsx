import type { Metadata, Viewport } from "next";
import { GeistMono } from "geist/font/mono";
import { GeistSans } from "geist/font/sans";

import "./globals.css";
import { Shell } from "@/features/shell/shell";
import { texts } from "@/lib/texts";
import { themeScript } from "@/lib/theme";
import { Providers } from "./providers";

export const metadata: Metadata = {
  title: { default: texts.product, template: `%s · ${texts.product}` },
  description: texts.tagline,
};

export const viewport: Viewport = { width: "device-width", initialScale: 1, colorScheme: "light dark" };

export default function RootLayout({ children }: { children: React.ReactNode }) {
  return (
    // The script sets data-theme before React looks at the page.
    <html lang="en" className={`${GeistSans.variable} ${GeistMono.variable}`} suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: themeScript }} />
      </head>
      <body>
        <Providers>
          <Shell>{children}</Shell>
        </Providers>
      </body>
    </html>
  );
}
