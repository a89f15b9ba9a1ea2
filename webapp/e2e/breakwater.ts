// The program under test, as a person runs it: BREAKWATER_BIN, else bin/breakwater of this project.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type { Alert, AlertDetail, AlertList } from "../lib/alerts";

const binary = resolve(process.env.BREAKWATER_BIN ?? join(import.meta.dirname, "../../bin/breakwater"));
if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build first`);

function start(args: string[], env: Record<string, string> = {}, cwd?: string) {
  const clean = { PATH: process.env.PATH, HOME: process.env.HOME, ...env }; // no setting of this machine
  const child = spawn(binary, args, { cwd, env: clean as unknown as NodeJS.ProcessEnv, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (said += text));
  return { child, said: () => said };
}

/** breakwater runs one command to its end and is what it printed; another exit code than 0 is an error. */
export async function breakwater(...args: string[]): Promise<string> {
  const { child, said } = start(args);
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`breakwater ${args.join(" ")} ended with ${code}:\n${said()}`);
  return said();
}

/** Server is a `breakwater serve` with a database of its own, on a free port that it keeps when it is started again. */
export class Server {
  url = "";
  #folder = "";
  #child: ChildProcess | undefined;

  static async start(): Promise<Server> {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), "breakwater-e2e-"));
    await server.begin();
    return server;
  }

  /** begin starts the program; the second time on the port of the first. */
  async begin(): Promise<void> {
    const { child, said } = start(
      ["serve"],
      { API_PORT: this.url ? new URL(this.url).port : "0", DATABASE_URL: `sqlite://${join(this.#folder, "breakwater.db")}` },
      this.#folder, // where no .env lies
    );
    this.#child = child;
    for (let tries = 0; ; tries++) {
      const at = /http:\/\/[\w.:[\]]+/.exec(said())?.[0];
      if (at && (await fetch(`${at}/health`).then((r) => r.ok, () => false))) {
        this.url = at;
        return;
      }
      if (child.exitCode !== null || tries > 400) throw new Error(`breakwater serve did not come up:\n${said()}`);
      await pause(25);
    }
  }

  /** halt stops the program, by default as Ctrl-C does. */
  async halt(signal: NodeJS.Signals = "SIGINT"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "close");
  }

  async stop(): Promise<void> {
    await this.halt();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** replay feeds a capture whose first five minutes are normal. */
  replay = (file: string, ...more: string[]) => breakwater("replay", file, "--learn", "300s", "--server", this.url, ...more);

  async alerts(query = "limit=200"): Promise<{ alerts: Alert[]; total: number }> {
    const { alerts, total } = (await (await fetch(`${this.url}/api/alerts?${query}`)).json()) as AlertList;
    return { alerts: alerts ?? [], total };
  }

  /** ask is what the API answers to a GET, or to a request with a body. */
  async ask<T>(path: string, method = "GET", body?: object): Promise<T> {
    const answer = await fetch(this.url + path, { method, ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  alert = async (id: string) => (await (await fetch(`${this.url}/api/alerts/${id}`)).json()) as AlertDetail;
}

export const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
