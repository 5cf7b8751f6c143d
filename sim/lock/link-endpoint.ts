/** A peripheral's end of a paired serial line, played by a Unix socket: bytes in, authentic messages out. */
import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock, LinkSession, LinkState, LinkStep, Timer } from "@kerbside/protocol";
import { clearStaleSocket } from "./stale-socket.ts";

export type LinkEndpointOptions<M extends { readonly type: string }> = {
  readonly path: string;
  /** A session that knows of nothing yet. */
  readonly fresh: () => LinkSession<M>;
  readonly clock: Clock;
  readonly onMessage: (message: LinkStep<M>["messages"][number]) => void;
  /** Whether the firmware runs; what comes while it does not is lost. */
  readonly isAwake: () => boolean;
};

export type LinkEndpoint<M> = {
  /** Sends if a session stands, and says whether; else nothing happens, and nothing is kept. */
  readonly send: (message: M) => boolean;
  readonly state: () => LinkState["value"];
  /** The firmware has been reset: it knows of no session any more. */
  readonly reset: () => void;
  /** Pulls the plug, or puts it back. */
  readonly unplug: (unplugged: boolean) => void;
  readonly close: () => Promise<void>;
};

const TICK_MS = 100;
/** A reader that lags by this much is gone. */
const WAITING_BYTES_MAX = 16 * 1024;

/** Opens the socket (mode 0600). Rejects if somebody else serves it. A new connection takes the line over. */
export async function serveLink<M extends { readonly type: string }>(
  options: LinkEndpointOptions<M>,
): Promise<LinkEndpoint<M>> {
  await clearStaleSocket(options.path);
  const endpoint = new Endpoint(options);
  await endpoint.listen();
  return endpoint;
}

class Endpoint<M extends { readonly type: string }> implements LinkEndpoint<M> {
  readonly #options: LinkEndpointOptions<M>;
  readonly #server: Server;
  #session: LinkSession<M>;
  #socket: Socket | undefined;
  #timer: Timer | undefined;
  #unplugged = false;

  constructor(options: LinkEndpointOptions<M>) {
    this.#options = options;
    this.#session = this.#options.fresh();
    this.#server = createServer((socket) => this.#connect(socket));
  }

  listen(): Promise<void> {
    const { path } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        chmodSync(path, 0o600);
        this.#tick();
        resolve();
      });
    });
  }

  state(): LinkState["value"] {
    return this.#session.state.value;
  }

  send(message: M): boolean {
    const sent = this.#session.send(message, this.#options.clock.bootMs());
    if (sent.sent) this.#write(sent.bytesOut);
    return sent.sent;
  }

  reset(): void {
    this.#session = this.#options.fresh();
  }

  unplug(unplugged: boolean): void {
    this.#unplugged = unplugged;
    if (unplugged) this.#socket?.destroy();
  }

  close(): Promise<void> {
    this.#timer?.cancel();
    this.#socket?.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #connect(socket: Socket): void {
    // Its end is told by "close", which follows.
    socket.on("error", () => {});
    if (this.#unplugged) {
      socket.destroy();
      return;
    }
    this.#socket?.destroy();
    this.#socket = socket;
    socket.on("data", (bytes) => {
      const { isAwake, clock } = this.#options;
      if (isAwake()) this.#step(this.#session.receive(bytes, clock.bootMs()));
    });
    socket.on("close", () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  #step({ messages, bytesOut }: LinkStep<M>): void {
    this.#write(bytesOut);
    for (const message of messages) this.#options.onMessage(message);
  }

  #write(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (bytes.length === 0 || socket === undefined || socket.destroyed) return;
    if (socket.writableLength > WAITING_BYTES_MAX) socket.destroy();
    else socket.write(bytes);
  }

  #tick(): void {
    this.#step(this.#session.tick(this.#options.clock.bootMs()));
    this.#timer = this.#options.clock.after(TICK_MS, () => this.#tick());
  }
}
