/**
 * The signer as a process: listens on a Unix socket that only this user may open, reads bounded frames, and hands
 * each request to the core. It has the only access to the tenants' command keys and takes no other input.
 */
import { createServer, type Socket } from "node:net";
import { type Clock, type Log, ProtocolError, type Timer } from "@kerbside/protocol";
import { listenPrivately } from "../private-socket.ts";
import { Signer, type SignerParts } from "./core.ts";
import {
  FrameReader,
  frameAnswer,
  readRequest,
  type SignerAnswer,
  type SignerRequest,
} from "./wire.ts";

export const SIGNER_CONNECTIONS_MAX = 32;
/** Requests of one connection under way at a time; beyond it the socket is not read. */
export const SIGNER_IN_FLIGHT_MAX = 64;
/** A frame that has begun must end within this. */
export const FRAME_MS_MAX = 5000;
const WORDS_MAX = 500;

export type SignerOptions = SignerParts & {
  readonly socket: string;
  readonly log: Log;
};
export type RunningSigner = { readonly close: () => Promise<void> };

/**
 * Listens until closed. Throws ProtocolError `conflict` where another signer listens on that socket already; a
 * socket that a dead one left behind is replaced.
 */
export async function runSigner(options: SignerOptions): Promise<RunningSigner> {
  const { socket: path, clock, log } = options;
  const signer = new Signer(options);
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    serveConnection(socket, signer, clock, log);
  });
  server.maxConnections = SIGNER_CONNECTIONS_MAX;
  await listenPrivately(server, path, "signer");
  return {
    close: async () => {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

function serveConnection(socket: Socket, signer: Signer, clock: Clock, log: Log): void {
  const reader = new FrameReader();
  let inFlight = 0;
  let frameTimer: Timer | undefined;
  const watchFrame = (): void => {
    frameTimer?.cancel();
    frameTimer = reader.partial ? clock.after(FRAME_MS_MAX, () => socket.destroy()) : undefined;
  };
  /** What is to be signed and may not be recorded yet, by the request's id: told whether it is now. */
  const awaited = new Map<number, (is: boolean) => void>();
  const take = async (body: Uint8Array): Promise<void> => {
    const request = requestIn(body, log);
    if (request === undefined) return void socket.destroy();
    const { id, recorded, withdrawn } = request;
    if (recorded !== undefined) return awaited.get(recorded)?.(true);
    if (withdrawn !== undefined) return awaited.get(withdrawn)?.(false);
    inFlight += 1;
    if (inFlight >= SIGNER_IN_FLIGHT_MAX) socket.pause();
    const told = new Promise<boolean>((resolve) => awaited.set(id, resolve));
    const answer = await answerOf(signer, request, told, log);
    awaited.delete(id);
    inFlight -= 1;
    if (socket.destroyed) return;
    socket.write(frameAnswer(answer));
    socket.resume();
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const body of reader.push(chunk)) void take(body);
      watchFrame();
    } catch {
      log.warn("signer.frame_refused");
      socket.destroy();
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => frameTimer?.cancel());
}

/** Undefined where it cannot be read. */
function requestIn(body: Uint8Array, log: Log): SignerRequest | undefined {
  try {
    return readRequest(body);
  } catch {
    log.warn("signer.request_malformed");
    return undefined;
  }
}

/** Never rejects. */
async function answerOf(
  signer: Signer,
  request: SignerRequest,
  recorded: Promise<boolean>,
  log: Log,
): Promise<SignerAnswer> {
  const { id } = request;
  try {
    return await signer.answer(request, recorded);
  } catch (error) {
    if (error instanceof ProtocolError) {
      log.info("signer.refused", { code: error.code });
      return { id, error: error.code, words: error.message.slice(0, WORDS_MAX) };
    }
    log.error("signer.failed", { error: error instanceof Error ? error.name : "unknown" });
    return { id, error: "unavailable", words: "signer: failed" };
  }
}
