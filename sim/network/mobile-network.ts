/**
 * The mobile network that the module's connection goes through, as a TCP relay: coverage as it is where the car stands.
 * What is lost on the way comes late, as TCP has it; without coverage nothing goes either way, and nobody is told.
 */
import { connect, createServer, type Socket } from "node:net";
import type { Clock, Random } from "@kerbside/protocol";

export const COVERAGES = ["full", "weak", "none"] as const;
export type Coverage = (typeof COVERAGES)[number];

/** One way, ms: the edge of a cell, and how often a packet has to be sent again. */
const WEAK_DELAY_MS = { min: 150, max: 1200 } as const;
const WEAK_LOSS = 0.12;
const RETRANSMIT_MS = 1500;
/** A module that dials without coverage gives up after this. */
const NO_NETWORK_MS = 1000;
/** What one connection may have on its way in one direction; beyond it the sender waits. */
const WAITING_BYTES_MAX: number = 512 * 1024;
const CONNECTIONS_MAX = 8;

export type NetworkCounts = {
  readonly connections: number;
  readonly upBytes: number;
  readonly downBytes: number;
  /** On its way, either way. */
  readonly waitingBytes: number;
};
export type MobileNetwork = {
  /** On the loopback address: where the module connects to. */
  readonly port: number;
  readonly coverage: () => Coverage;
  readonly setCoverage: (coverage: Coverage) => void;
  readonly counts: () => NetworkCounts;
  readonly close: () => Promise<void>;
};

export type NetworkOptions = {
  /** Where the network leads to. */
  readonly to: { readonly host: string; readonly port: number };
  /** 0: any free one. */
  readonly port?: number;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
};

export async function openNetwork(options: NetworkOptions): Promise<MobileNetwork> {
  const network = new Relay(options);
  await network.listen();
  return network;
}

/** One direction of a connection: a queue that keeps its order. */
class Way {
  readonly #relay: Relay;
  readonly #from: Socket;
  readonly #to: Socket;
  #queue: { readonly chunk: Buffer; readonly readyMs: number }[] = [];
  #waiting = 0;
  #lastMs = 0;
  #ended = false;

  constructor(relay: Relay, from: Socket, to: Socket, passed: (bytes: number) => void) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Buffer) => {
      passed(chunk.length);
      // What is sent later does not come earlier.
      this.#lastMs = Math.max(this.#lastMs, relay.nowMs() + relay.delayMs());
      this.#queue.push({ chunk, readyMs: this.#lastMs });
      this.#waiting += chunk.length;
      if (this.#waiting > WAITING_BYTES_MAX) from.pause();
      this.pump();
    });
    from.on("end", () => {
      this.#ended = true;
      this.pump();
    });
  }

  get waitingBytes(): number {
    return this.#waiting;
  }

  pump(): void {
    if (this.#relay.coverage() === "none" || this.#to.destroyed) return;
    const nowMs = this.#relay.nowMs();
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (next.readyMs > nowMs) {
        this.#relay.later(next.readyMs - nowMs, () => this.pump());
        return;
      }
      this.#queue.shift();
      this.#waiting -= next.chunk.length;
      this.#to.write(next.chunk);
    }
    if (this.#from.isPaused()) this.#from.resume();
    if (this.#ended) this.#to.end();
  }
}

class Relay implements MobileNetwork {
  readonly #options: NetworkOptions;
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#connect(socket));
  readonly #sockets = new Set<Socket>();
  readonly #ways = new Set<Way>();
  #coverage: Coverage = "full";
  #port = 0;
  #counts = { connections: 0, upBytes: 0, downBytes: 0 };

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  listen(): Promise<void> {
    const { port = 0 } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        const address = this.#server.address();
        this.#port = typeof address === "object" && address !== null ? address.port : 0;
        resolve();
      });
    });
  }

  coverage = (): Coverage => this.#coverage;
  nowMs = (): number => this.#options.clock.bootMs();
  later = (ms: number, run: () => void): void => {
    this.#options.clock.after(ms, run);
  };

  setCoverage(coverage: Coverage): void {
    this.#coverage = coverage;
    for (const way of this.#ways) way.pump();
  }

  counts(): NetworkCounts {
    const waitingBytes = [...this.#ways].reduce((sum, way) => sum + way.waitingBytes, 0);
    return { ...this.#counts, waitingBytes };
  }

  delayMs(): number {
    if (this.#coverage !== "weak") return 0;
    const { random } = this.#options;
    const { min, max } = WEAK_DELAY_MS;
    const lost = random.fraction() < WEAK_LOSS ? RETRANSMIT_MS : 0;
    return min + random.fraction() * (max - min) + lost;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #connect(module: Socket): void {
    if (this.#coverage === "none" || this.#sockets.size >= 2 * CONNECTIONS_MAX) {
      module.on("error", () => undefined);
      this.later(NO_NETWORK_MS, () => module.destroy());
      return;
    }
    this.#counts.connections += 1;
    const { host, port } = this.#options.to;
    const cloud = connect({ host, port, allowHalfOpen: true, noDelay: true });
    module.setNoDelay(true);
    const up = new Way(this, module, cloud, (bytes) => {
      this.#counts.upBytes += bytes;
    });
    const down = new Way(this, cloud, module, (bytes) => {
      this.#counts.downBytes += bytes;
    });
    this.#ways.add(up).add(down);
    for (const [one, other] of [
      [module, cloud],
      [cloud, module],
    ] as const) {
      this.#sockets.add(one);
      // Its end is told by "close", which follows.
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#sockets.delete(one);
        this.#ways.delete(up);
        this.#ways.delete(down);
        // Without coverage the other side hears of nothing.
        if (this.#coverage !== "none") other.destroy();
        else this.later(NO_NETWORK_MS, () => other.destroy());
      });
    }
  }
}
