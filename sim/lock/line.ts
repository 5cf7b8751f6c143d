/**
 * A serial line as a peripheral has it: somebody connects, bytes go both ways, somebody hangs up. Played by a Unix
 * socket, or in memory where car and module run in one process under a simulated clock.
 */
import { chmodSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Clock } from "@kerbside/protocol";
import { clearStaleSocket } from "./stale-socket.ts";

/** The one at the other end. */
export type Peer = {
  readonly write: (bytes: Uint8Array) => void;
  /** Handed over and not taken yet. */
  readonly waitingBytes: () => number;
  readonly hangUp: () => void;
};
export type PeerEvents = {
  readonly data: (bytes: Uint8Array) => void;
  /** Once, whoever hung up. */
  readonly closed: () => void;
};
/** Begins to take connections; resolves once it does. */
export type OpenLine = (
  connected: (peer: Peer) => PeerEvents,
) => Promise<{ readonly close: () => Promise<void> }>;

/** A socket of mode 0600. Rejects if somebody else serves it. */
export function socketLine(path: string): OpenLine {
  return async (connected) => {
    await clearStaleSocket(path);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      const events = connected({
        write: (bytes) => {
          if (!socket.destroyed) socket.write(bytes);
        },
        waitingBytes: () => socket.writableLength,
        hangUp: () => socket.destroy(),
      });
      // Its end is told by "close", which follows.
      socket.on("error", () => {});
      socket.on("data", (bytes) => events.data(bytes));
      socket.on("close", () => {
        sockets.delete(socket);
        events.closed();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        chmodSync(path, 0o600);
        resolve();
      });
    });
    return {
      close: () => {
        for (const socket of sockets) socket.destroy();
        return new Promise((resolve) => server.close(() => resolve()));
      },
    };
  };
}

/** What the module's end gets of a connection, as its driver of serial lines would give it. */
export type MemoryConnection = {
  readonly write: (bytes: Uint8Array) => boolean;
  readonly close: () => void;
};
export type MemoryEvents = {
  readonly data: (bytes: Uint8Array) => void;
  readonly closed: (reason: string) => void;
};
export type MemoryLine = {
  readonly open: OpenLine;
  /** The module's end; rejects while nobody serves the line. */
  readonly connect: (events: MemoryEvents) => Promise<MemoryConnection>;
};

/** A byte on a line of 115,200 baud takes 87 µs; a frame of either link is over within this. */
const TRAVEL_MS = 5;

/** A line without a wire: what is written arrives a little later, in order, unless somebody hung up meanwhile. */
export function memoryLine(clock: Pick<Clock, "after">): MemoryLine {
  let serve: ((peer: Peer) => PeerEvents) | undefined;
  return {
    open: async (connected) => {
      serve = connected;
      return {
        close: async () => {
          serve = undefined;
        },
      };
    },
    connect: async (module) => {
      if (serve === undefined) throw new Error("nobody is at the other end of the line");
      let isOpen = true;
      const hangUp = (reason: string): void => {
        if (!isOpen) return;
        isOpen = false;
        peripheral.closed();
        module.closed(reason);
      };
      const later = (deliver: () => void): void => {
        clock.after(TRAVEL_MS, () => {
          if (isOpen) deliver();
        });
      };
      const peripheral = serve({
        write: (bytes) => later(() => module.data(bytes)),
        waitingBytes: () => 0,
        // Not within the call that found the line taken: the module has not got its end yet.
        hangUp: () => void clock.after(0, () => hangUp("the other side hung up")),
      });
      return {
        write: (bytes) => {
          // The writer may use its bytes again.
          const copy = Uint8Array.from(bytes);
          if (isOpen) later(() => peripheral.data(copy));
          return isOpen;
        },
        close: () => hangUp("closed"),
      };
    },
  };
}
