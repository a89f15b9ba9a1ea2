// Records the captures that all browser tests replay: the simulated plant, its first five minutes undisturbed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

import { breakwater } from "./breakwater";

declare module "vitest" {
  export interface ProvidedContext {
    captures: { write: string; three: string };
  }
}

export default async function setup(project: TestProject) {
  const folder = await mkdtemp(join(tmpdir(), "breakwater-captures-"));
  const record = async (name: string, ...attacks: string[]) => {
    const file = join(folder, `${name}.pcap`);
    await breakwater("plant", "record", "--out", file, "--duration", "420s", ...attacks.flatMap((a) => ["--attack", a]));
    return file;
  };
  project.provide("captures", {
    write: await record("write", "unauthorised-write@400s"),
    three: await record("three", "port-scan@320s", "unauthorised-write@360s", "function-scan@390s"),
  });
  return () => rm(folder, { recursive: true });
}
