/** A peripheral's end of a paired serial line: bytes in, authentic messages out. */
import type { Clock, LinkSession, LinkState, LinkStep, Timer } from "@kerbside/protocol";
import type { OpenLine, Peer, PeerEvents } from "./line.ts";

export type LinkEndpointOptions<M extends { readonly type: string }> = {
  readonly line: OpenLine;
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

/** Opens the line. Rejects if somebody else serves it. A new connection takes the line over. */
export async function serveLink<M extends { readonly type: string }>(
  options: LinkEndpointOptions<M>,
): Promise<LinkEndpoint<M>> {
  const endpoint = new Endpoint(options);
  await endpoint.listen();
  return endpoint;
}

class Endpoint<M extends { readonly type: string }> implements LinkEndpoint<M> {
  readonly #options: LinkEndpointOptions<M>;
  #line: Awaited<ReturnType<OpenLine>> | undefined;
  #session: LinkSession<M>;
  #peer: Peer | undefined;
  #timer: Timer | undefined;
  #unplugged = false;

  constructor(options: LinkEndpointOptions<M>) {
    this.#options = options;
    this.#session = this.#options.fresh();
  }

  async listen(): Promise<void> {
    this.#line = await this.#options.line((peer) => this.#connect(peer));
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
    if (unplugged) this.#peer?.hangUp();
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#peer?.hangUp();
    await this.#line?.close();
  }

  #connect(peer: Peer): PeerEvents {
    if (this.#unplugged) {
      peer.hangUp();
      return { data: () => undefined, closed: () => undefined };
    }
    this.#peer?.hangUp();
    this.#peer = peer;
    this.#timer?.cancel();
    this.#tick();
    return {
      data: (bytes) => {
        const { isAwake, clock } = this.#options;
        if (isAwake()) this.#step(this.#session.receive(bytes, clock.bootMs()));
      },
      closed: () => {
        if (this.#peer === peer) this.#peer = undefined;
      },
    };
  }

  #step({ messages, bytesOut }: LinkStep<M>): void {
    this.#write(bytesOut);
    for (const message of messages) this.#options.onMessage(message);
  }

  #write(bytes: Uint8Array): void {
    const peer = this.#peer;
    if (bytes.length === 0 || peer === undefined) return;
    if (peer.waitingBytes() > WAITING_BYTES_MAX) peer.hangUp();
    else peer.write(bytes);
  }

  #tick(): void {
    this.#step(this.#session.tick(this.#options.clock.bootMs()));
    // With nobody at the other end there is nothing to keep alive: the session ends by its silence.
    if (this.#peer === undefined && this.#session.state.value !== "ready") return;
    this.#timer = this.#options.clock.after(TICK_MS, () => this.#tick());
  }
}
