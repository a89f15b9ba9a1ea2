// The server's end of /ws as tests see it: it answers as Centrifuge's JSON protocol has it, keeps what it published, and
// can go away.

interface Command {
  id: number;
  connect?: object;
  subscribe?: { channel: string; recover?: boolean; offset?: number };
}

let published: { channel: string; offset: number; data: unknown }[] = [];
let away = false;
let forgets = false; // whether it can no longer tell what was missed
const open = new Set<FakeSocket>();

export class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 3;
  readyState = FakeSocket.CONNECTING;
  binaryType = "blob";
  onopen?: () => void;
  onmessage?: (e: { data: string }) => void;
  onclose?: (e: { code: number; reason: string }) => void;
  onerror?: (e: object) => void;
  readonly channels = new Set<string>();

  constructor(readonly url: string) {
    setTimeout(() => {
      if (away) return this.drop();
      this.readyState = FakeSocket.OPEN;
      open.add(this);
      this.onopen?.();
    });
  }

  send(lines: string): void {
    for (const line of lines.split("\n").filter(Boolean)) {
      const { id, connect, subscribe } = JSON.parse(line) as Command;
      if (connect) this.reply({ id, connect: { client: "test", version: "test" } });
      if (subscribe) this.#subscribe(id, subscribe);
    }
  }

  #subscribe(id: number, { channel, recover, offset: from = 0 }: NonNullable<Command["subscribe"]>): void {
    this.channels.add(channel);
    const all = published.filter((p) => p.channel === channel);
    const recovered = recover === true && !forgets;
    const publications = recovered ? all.filter((p) => p.offset > from).map(({ offset, data }) => ({ offset, data })) : [];
    this.reply({ id, subscribe: { recoverable: true, positioned: true, epoch: "test", offset: all.at(-1)?.offset ?? 0, was_recovering: recover === true, recovered, publications } });
  }

  reply(message: object): void {
    setTimeout(() => this.readyState === FakeSocket.OPEN && this.onmessage?.({ data: JSON.stringify(message) }));
  }

  close(): void {
    this.drop();
  }

  drop(): void {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    open.delete(this);
    this.onclose?.({ code: 1006, reason: "" });
  }
}

/** publish brings a message to those who listen to its channel, and keeps it for those who are away. */
export function publish(data: { channel: string }): void {
  const offset = published.filter((p) => p.channel === data.channel).length + 1;
  published.push({ channel: data.channel, offset, data });
  for (const socket of open) if (socket.channels.has(data.channel)) socket.reply({ push: { channel: data.channel, pub: { offset, data } } });
}

/** leave lets the server go away. */
export function leave(): void {
  away = true;
  for (const socket of [...open]) socket.drop();
}

/** comeBack lets it be there again; forgetful, it cannot tell what was missed. */
export function comeBack(forgetful = false): void {
  away = false;
  forgets = forgetful;
}

/** newServer is one that nobody has heard anything of. */
export function newServer(): void {
  leave();
  comeBack();
  published = [];
}
