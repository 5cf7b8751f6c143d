/** A TCP proxy that misbehaves on demand: cuts, delays, and goes silent both ways while both ends think it is open. */
import { connect, createServer, type Socket } from "node:net";

export type TcpProxy = {
  readonly port: number;
  /** Ends every connection at once, by a reset. */
  readonly cut: () => void;
  /** From now on everything is swallowed in both directions, and new connections are accepted into silence. */
  readonly silence: (on: boolean) => void;
  /** What goes up is swallowed, what goes down arrives. */
  readonly mute: (on: boolean) => void;
  /** New connections are refused by a reset. */
  readonly refuse: (on: boolean) => void;
  /** Each chunk is held for so long, in milliseconds. */
  readonly delay: (ms: number) => void;
  /** The chance of a chunk that a byte of it is changed on the way. */
  readonly corrupt: (chance: number) => void;
  readonly connections: () => number;
  /** Called with the number of bytes that have gone up on a connection; may `cut`. */
  readonly onUp: (listener: ((bytes: number) => void) | undefined) => void;
  readonly close: () => Promise<void>;
};

export async function tcpProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let silent = false;
  let muted = false;
  let refusing = false;
  let delayMs = 0;
  let corruption = 0;
  let count = 0;
  let onUp: ((bytes: number) => void) | undefined;
  const pipe = (from: Socket, to: Socket, up: boolean): void => {
    let total = 0;
    from.on("data", (chunk: Buffer) => {
      if (silent || (muted && up)) return;
      total += chunk.length;
      if (up) onUp?.(total);
      if (corruption > 0 && Math.random() < corruption) {
        const at = Math.floor(Math.random() * chunk.length);
        chunk[at] = (chunk[at] ?? 0) ^ 1;
      }
      if (delayMs === 0) to.write(chunk);
      else setTimeout(() => to.destroyed || to.write(chunk), delayMs);
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      if (!silent) to.destroy();
    });
  };
  const server = createServer((near) => {
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    count += 1;
    const far = connect({ port: target, host: "127.0.0.1", noDelay: true });
    near.setNoDelay(true);
    const pair = [near, far] as const;
    pairs.add(pair);
    near.on("close", () => pairs.delete(pair));
    pipe(near, far, true);
    pipe(far, near, false);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("proxy: no port");
  const cut = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  return {
    port: address.port,
    cut,
    silence: (on) => {
      silent = on;
    },
    mute: (on) => {
      muted = on;
    },
    refuse: (on) => {
      refusing = on;
    },
    delay: (ms) => {
      delayMs = ms;
    },
    corrupt: (chance) => {
      corruption = chance;
    },
    connections: () => count,
    onUp: (listener) => {
      onUp = listener;
    },
    close: () => {
      cut();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
