/** The simulator's end of the bus: a Unix socket that any number of agents and tools may listen at. */
import { chmodSync, rmSync, statSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import type { CanFrame } from "../frame.ts";
import type { BusState, OutgoingFrame } from "./bus.ts";
import { frameProblem } from "./bus.ts";
import { encodeFrameRecord, encodeStateRecord, GREETING, WireDecoder } from "./wire.ts";

export type ServeBusOptions = {
  readonly path: string;
  /** Frames that clients send; they reach the other clients as well. */
  readonly onFrame?: (frame: CanFrame) => void;
  readonly onClients?: (count: number) => void;
};

export type BusServer = {
  readonly path: string;
  readonly clients: () => number;
  /**
   * To all clients. A client that lags by more than CLIENT_BYTES_MAX misses frames, and finds out by their
   * numbers. Throws RangeError for a frame that no bus would carry.
   */
  readonly send: (frame: OutgoingFrame & { readonly timeUs?: number | null }) => void;
  /** Pretends that the bus has got into that state; clients that come later hear of it too. */
  readonly pretend: (state: Exclude<BusState, "stopped">, reason: string) => void;
  /** Resolves when every client for which it can be done has taken what was sent: for senders without a pace. */
  readonly drained: () => Promise<void>;
  readonly close: () => Promise<void>;
};

/** About 0.7 s of a full 500 kbit/s bus. */
const CLIENT_BYTES_MAX = 128 * 1024;
const CLIENTS_MAX = 16;
const NOTHING = new Uint8Array(0);

type Client = { readonly socket: Socket; readonly decoder: WireDecoder; sequence: number };

/**
 * Opens the socket (mode 0600). A socket file that nobody listens at is replaced. Rejects if somebody does, or
 * if the path is something else.
 */
export async function serveBus(options: ServeBusOptions): Promise<BusServer> {
  await clearStale(options.path);
  const clients = new Set<Client>();
  let state: Exclude<BusState, "stopped"> = "up";
  let stateReason = "";
  const server = createServer((socket) => {
    if (clients.size >= CLIENTS_MAX) {
      socket.destroy();
      return;
    }
    const client = accept(socket, clients, options);
    socket.write(GREETING);
    if (state !== "up") socket.write(encodeStateRecord(state, stateReason));
    clients.add(client);
    options.onClients?.(clients.size);
  });
  await listening(server, options.path);
  chmodSync(options.path, 0o600);
  return {
    path: options.path,
    clients: () => clients.size,
    send: (frame) => {
      const problem = frameProblem(frame);
      if (problem !== undefined) throw new RangeError(problem);
      broadcast(clients, frame);
    },
    pretend: (next, reason) => {
      state = next;
      stateReason = reason;
      const record = encodeStateRecord(next, reason);
      for (const { socket } of clients) socket.write(record);
    },
    drained: async () => {
      await Promise.all([...clients].map(({ socket }) => socketDrained(socket)));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const { socket } of clients) socket.destroy();
      }),
  };
}

function accept(socket: Socket, clients: Set<Client>, options: ServeBusOptions): Client {
  const client: Client = { socket, decoder: new WireDecoder("sim"), sequence: 0 };
  socket.on("data", (chunk) => {
    try {
      for (const record of client.decoder.push(chunk)) {
        if (record.type !== "frame") continue;
        options.onFrame?.(record.frame);
        broadcast(clients, record.frame, client);
      }
    } catch {
      // A partner that talks nonsense is not one of ours; what it would say next is of no interest.
      socket.destroy();
    }
  });
  // Its loss is told by "close", which follows.
  socket.on("error", () => {});
  socket.on("close", () => {
    clients.delete(client);
    options.onClients?.(clients.size);
  });
  return client;
}

function broadcast(
  clients: ReadonlySet<Client>,
  frame: OutgoingFrame & { readonly timeUs?: number | null },
  except?: Client,
): void {
  const { id, ext, data, kind = "data", fd = false, timeUs = null } = frame;
  for (const client of clients) {
    if (client === except) continue;
    const sequence = client.sequence;
    client.sequence += 1;
    if (client.socket.writableLength > CLIENT_BYTES_MAX) continue;
    corkForTick(client.socket);
    client.socket.write(encodeFrameRecord({ id, ext, data, kind, fd, timeUs }, sequence));
  }
}

/** Frames sent in one turn of the loop leave in one write. */
function corkForTick(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** Every byte has left this process: what follows, even the end of it, loses none of them. */
function socketDrained(socket: Socket): Promise<void> {
  if (socket.writableLength === 0 || socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("close", done);
      resolve();
    };
    socket.on("close", done);
    // "drain" comes only after a full buffer; an empty write is answered once all before it is written.
    socket.write(NOTHING, done);
  });
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Removes a socket that a killed process left. Rejects if it is alive or no socket. */
async function clearStale(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path}: expected a socket or nothing`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.on("connect", () => resolve(true)).on("error", () => resolve(false));
    probe.on("connect", () => probe.destroy());
  });
  if (alive) throw new Error(`${path}: another process serves this bus`);
  rmSync(path);
}
