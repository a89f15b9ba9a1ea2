import { defineConfig } from "vitest/config";

// The real program, a real browser, one test after the other: two cores have enough to do with both.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    environment: "node",
    include: process.env.SOAK_MINUTES ? ["soak.ts"] : ["*.test.ts"],
    globalSetup: ["capture.ts"],
    fileParallelism: false,
    sequence: { concurrent: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
