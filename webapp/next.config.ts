import type { NextConfig } from "next";

// `pnpm build` writes plain files to out/site/, which the Go program embeds. `pnpm dev` serves the same pages on port 3000
// and hands everything that is the program's to the one that runs beside it: an export cannot do that, so the two differ.
const development = process.env.NODE_ENV === "development";
const server = process.env.BREAKWATER_SERVER ?? "http://127.0.0.1:8000";

const config: NextConfig = {
  ...(development
    ? {
        skipTrailingSlashRedirect: true,
        rewrites: async () =>
          ["/api/:path*", "/ws", "/health", "/docs/:path*", "/openapi.json"].map((source) => ({
            source,
            destination: `${server}${source}`,
          })),
      }
    : { output: "export" as const, distDir: "out/site" }),
  agentRules: false, // `next dev` writes no files of its own into the tree
  poweredByHeader: false,
  reactStrictMode: true,
  turbopack: {
    root: import.meta.dirname,
    rules: { "*.css": { loaders: ["@tailwindcss/turbopack"], as: "*.css" } },
  },
};

export default config;
