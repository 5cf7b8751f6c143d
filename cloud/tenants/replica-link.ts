/**
 * A replica on another machine (P-90): that machine dials this one, both show certificates of an authority that is for
 * nothing else (TLS 1.3), and what is done here is done there in the same order. A round ends when the other side says
 * that all of it is on its disk. A connection that breaks is dialled again and goes on after the last round that was done
 * (`replica-session.ts`), or begins with whole copies; until these are there, what was there before stays.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import { type Clock, type Log, ProtocolError, type Timer } from "@kerbside/protocol";
import { makeDirectory } from "./files.ts";
import { keepReplica, LinkLost, type ReplicaRound } from "./replica.ts";
import {
  encodeFrame,
  FRAME_BYTES_MAX,
  type Frame,
  FrameReader,
  inFrames,
  NO_SESSION,
  type Order,
  ROUND_DONE,
  SESSION_CHARS,
} from "./replica-frames.ts";
import { ReplicaSessions } from "./replica-session.ts";
import { directoryTarget, nextOf, placeWhole, type ReplicaTarget } from "./replica-target.ts";
import { checkStage, type Stage, stageOf } from "./stage.ts";

/** A side that is silent for so long is given up, in milliseconds. */
const SILENT_MS_MAX = 60_000;
const DIAL_MS = { first: 500, last: 15_000 } as const;
/** A replica may hold this much that was not written there yet, in bytes. */
const UNSENT_BYTES_MAX: number = 8 * 1024 * 1024;
/** Of what a file's content is put together from, in bytes: keys and vaults are small. */
const PUT_BYTES_MAX: number = 1024 * 1024 * 1024;

/** As PEM. */
export type LinkCertificates = {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
};
type Parts = { readonly clock: Clock; readonly log: Log };

export type ServedReplica = { readonly port: number; readonly close: () => Promise<void> };
export type ServeOptions = Parts & {
  readonly source: string;
  readonly host: string;
  readonly port: number;
  readonly certificates: LinkCertificates;
  readonly everyMs: number;
  /** Each round that is durable on the other side. */
  readonly told?: (round: ReplicaRound) => void;
};

/** Serves one replica at a time; a newer connection takes the place of the one before. */
export async function serveReplica(options: ServeOptions): Promise<ServedReplica> {
  const { certificates, clock, log, everyMs, told } = options;
  const stage = stageOf(options.source);
  const sessions = new ReplicaSessions(options.source, clock);
  let current: TLSSocket | undefined;
  let stop: (() => void) | undefined;
  const begin = async (socket: TLSSocket): Promise<void> => {
    const link = linkTarget(socket);
    const { id, replica } = await sessions.begin(await link.hello, link.target);
    if (socket !== current || socket.destroyed) return;
    link.open(stage, id);
    stop = keepReplica(replica, everyMs, {
      ...{ clock, log },
      ...(told === undefined ? {} : { told }),
      lost: () => socket.destroy(),
    });
  };
  const server = createServer(
    { ...certificates, minVersion: "TLSv1.3", requestCert: true, rejectUnauthorized: true },
    (socket) => {
      current?.destroy();
      current = socket;
      socket.setTimeout(SILENT_MS_MAX, () => socket.destroy());
      socket.once("close", () => {
        log.warn("replica.lost", {});
        if (socket !== current) return;
        stop?.();
        stop = undefined;
        sessions.ended();
      });
      begin(socket).catch(() => socket.destroy());
    },
  );
  server.on("tlsClientError", () => log.warn("replica.refused", {}));
  await listening(server, options.host, options.port);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    close: () =>
      new Promise((done) => {
        current?.destroy();
        stop?.();
        sessions.close();
        server.close(() => done());
      }),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new ProtocolError("storage_failed", `replica: cannot listen on ${host}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
}

type Link = {
  /** The session whose last round the other side has. */
  readonly hello: Promise<string>;
  readonly open: (stage: Stage, session: string) => void;
  /** What is done to it is sent, in order. */
  readonly target: ReplicaTarget;
};

function linkTarget(socket: TLSSocket): Link {
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const one of waiting.splice(0)) one();
  };
  let done = 0;
  let asked = 0;
  let said = "";
  socket.on("data", (bytes: Buffer) => {
    const missing = Math.max(0, SESSION_CHARS - said.length);
    said += bytes.toString("latin1", 0, missing);
    done += bytes.subarray(missing).filter((byte) => byte === ROUND_DONE).length;
    wake();
  });
  for (const event of ["close", "drain"]) socket.on(event, wake);
  socket.on("error", () => undefined);
  const send = (order: Order, bytes?: Uint8Array): void => {
    if (socket.destroyed) throw new LinkLost("replica: the connection is gone");
    socket.write(encodeFrame(order, bytes));
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (socket.destroyed) throw new LinkLost("replica: the connection is gone");
      await new Promise<void>((resume) => waiting.push(resume));
    }
  };
  const room = (): Promise<void> => until(() => socket.writableLength < UNSENT_BYTES_MAX);
  const target: ReplicaTarget = {
    database: (path) => ({
      copy: (source) => sendWhole(source, path, send, room),
      begin: (header) => send({ do: "begin", path }, header),
      append: (from, pieces) => {
        let at = from;
        for (const bytes of pieces.length === 0 ? [new Uint8Array()] : pieces)
          for (const { piece } of inFrames(bytes)) {
            send({ do: "append", path, at }, piece);
            at += piece.length;
          }
      },
      takeIn: () => send({ do: "takeIn", path }),
    }),
    put: (path, content) => {
      for (const { piece, last } of inFrames(content)) send({ do: "put", path, last }, piece);
    },
    keepTenants: (names) => send({ do: "keep", names }),
    room,
    settled: () => {
      send({ do: "round" });
      asked += 1;
      return until(() => done >= asked);
    },
    close: () => socket.destroy(),
  };
  return {
    hello: until(() => said.length >= SESSION_CHARS).then(() => said),
    open: (stage, session) => send({ do: "stage", stage, session }),
    target,
  };
}

type Send = (order: Order, bytes?: Uint8Array) => void;

/** To the end that the file has when that is reached. */
async function sendWhole(
  source: string,
  path: string,
  send: Send,
  room: () => Promise<void>,
): Promise<void> {
  const from = openSync(source, "r");
  try {
    for (let at = 0, last = false; !last; ) {
      const piece = new Uint8Array(FRAME_BYTES_MAX);
      const length = readSync(from, piece, 0, piece.length, at);
      last = length < piece.length;
      send({ do: "piece", path, first: at === 0, last }, piece.subarray(0, length));
      at += length;
      await room();
    }
  } finally {
    closeSync(from);
  }
}

export type FollowOptions = Parts & {
  readonly to: string;
  readonly host: string;
  readonly port: number;
  readonly certificates: LinkCertificates;
  /** Where this is (P-94): a stream of the other stage is refused. */
  readonly stage: Stage;
  /** A round is durable here. */
  readonly told?: () => void;
  /** What comes is of the other stage, or this directory is: nothing was written, and nobody dials any more. */
  readonly refused?: (error: ProtocolError) => void;
};

/** Dials until it is stopped. Returns how to stop. */
export function followReplica(options: FollowOptions): () => void {
  const { clock, log, host, port, certificates } = options;
  let delayMs: number = DIAL_MS.first;
  let socket: TLSSocket | undefined;
  let timer: Timer | undefined;
  let stopped = false;
  // Kept in this process alone: after a start nobody knows what was done to the directory meanwhile.
  let session = NO_SESSION;
  const dial = (): void => {
    let coming = NO_SESSION;
    const writer = replicaWriter(options.to, options.stage);
    const reader = new FrameReader();
    const link = connect({ ...certificates, host, port, minVersion: "TLSv1.3" });
    socket = link;
    link.write(session);
    link.setTimeout(SILENT_MS_MAX, () => link.destroy());
    link.on("error", (error) => log.warn("replica.lost", { reason: codeOf(error) }));
    link.on("data", (chunk: Buffer) => {
      try {
        for (const frame of reader.take(chunk)) {
          if (frame.order.do === "stage") coming = frame.order.session;
          if (writer(frame)) {
            session = coming;
            delayMs = DIAL_MS.first;
            link.write(Uint8Array.of(ROUND_DONE));
            options.told?.();
          }
        }
      } catch (error) {
        log.warn("replica.failed", { reason: codeOf(error) });
        link.destroy();
        if (!(error instanceof ProtocolError) || error.code !== "conflict") return;
        stopped = true;
        options.refused?.(error);
      }
    });
    link.once("close", () => {
      if (stopped) return;
      timer = clock.after(delayMs, dial);
      delayMs = Math.min(2 * delayMs, DIAL_MS.last);
    });
  };
  dial();
  return () => {
    stopped = true;
    timer?.cancel();
    socket?.destroy();
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "failed";
}

/**
 * Does what frames say to the replica in a directory. Says whether a round is done. Throws ProtocolError `conflict` for
 * another stage than `here`, `malformed` for anything before the stage is said.
 */
export function replicaWriter(directory: string, here: Stage): (frame: Frame) => boolean {
  let isStaged = false;
  makeDirectory(directory);
  const target = directoryTarget(directory);
  const puts = new Map<string, Uint8Array[]>();
  return ({ order, bytes }) => {
    if (order.do !== "stage" && !isStaged)
      throw new ProtocolError("malformed", "replica: expected its stage first");
    switch (order.do) {
      case "stage":
        checkStage("what is sent", order.stage, here);
        target.stage(order.stage);
        isStaged = true;
        break;
      case "piece":
        putPiece(join(directory, order.path), order, bytes);
        break;
      case "put": {
        const held = puts.get(order.path) ?? [];
        held.push(Uint8Array.from(bytes));
        puts.set(order.path, held);
        if (held.length > PUT_BYTES_MAX / FRAME_BYTES_MAX)
          throw new ProtocolError("malformed", "replica: a file is too long");
        if (!order.last) break;
        puts.delete(order.path);
        target.put(order.path, Buffer.concat(held));
        break;
      }
      case "begin":
        target.database(order.path).begin(bytes);
        break;
      case "append":
        target.database(order.path).append(order.at, [bytes]);
        break;
      case "takeIn":
        target.database(order.path).takeIn();
        break;
      case "keep":
        target.keepTenants(order.names);
        break;
      case "round":
        return true;
    }
    return false;
  };
}

function putPiece(
  file: string,
  { first, last }: { readonly first: boolean; readonly last: boolean },
  bytes: Uint8Array,
): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (first) rmSync(nextOf(file), { force: true });
  const handle = openSync(nextOf(file), "a", 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
  } finally {
    closeSync(handle);
  }
  if (last) placeWhole(file);
}
