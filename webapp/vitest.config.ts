import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "@": import.meta.dirname } },
  test: { environment: "jsdom", include: ["{app,features,hooks,lib,test,ui}/**/*.test.{ts,tsx}"], setupFiles: ["test/setup.ts"], testTimeout: 20_000 },
});
