/**
 * The byte stream to the lock controller: a tty, or a Unix socket where a simulator plays the controller. A write to a
 * stream that is not open is queued by @serialport/stream and sent when it opens again: a stale unlock. So a stream
 * serves one connection, is never reopened, and takes no byte unless it is open.
 */
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Line } from "@kerbside/protocol";
import { SerialPortStream } from "@serialport/stream";

/** A line over a serial port. */
export type SerialLink = Line;

/** What a serial port is opened with, as the bindings of serialport have it (their own types do not resolve here). */
type PortOptions = { readonly path: string; readonly baudRate: number };
/** Eight data bits, no parity, one stop bit, no flow control; no other process may open the port. */
const LINE_SETTINGS = {
  dataBits: 8,
  lock: true,
  stopBits: 1,
  parity: "none",
  rtscts: false,
  xon: false,
  xoff: false,
  xany: false,
  hupcl: true,
} as const;

const CHUNK_BYTES_MAX = 64 * 1024;

/** What a closed port says, in the form that the stream does not take for a fault. */
const canceled = (): Promise<never> =>
  Promise.reject(Object.assign(new Error("port closed"), { canceled: true }));

/** A Unix socket in the shape of a serial port. Line settings mean nothing here. */
class SocketPort {
  readonly openOptions: PortOptions & typeof LINE_SETTINGS;
  readonly #socket: Socket;

  constructor(options: PortOptions, socket: Socket) {
    this.openOptions = { ...LINE_SETTINGS, ...options };
    this.#socket = socket;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  async read(
    buffer: Buffer,
    offset: number,
    length: number,
  ): Promise<{ buffer: Buffer; bytesRead: number }> {
    for (;;) {
      if (this.#socket.destroyed) return canceled();
      const chunk: Buffer | null = this.#socket.read(Math.min(length, this.#socket.readableLength));
      if (chunk !== null) {
        chunk.copy(buffer, offset);
        return { buffer, bytesRead: chunk.length };
      }
      if (this.#socket.readableEnded) throw new Error("the other side closed the socket");
      const either = new AbortController();
      const { signal } = either;
      // `readable` comes at the end of what there is, too. The one that does not come is given up.
      await Promise.race(["readable", "close"].map((name) => once(this.#socket, name, { signal })));
      either.abort();
    }
  }

  async write(buffer: Buffer): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(buffer, (error) => (error ? reject(error) : resolve()));
    });
  }

  // A serial port has these; a socket has no settings, and nobody asks it.
  readonly set: () => Promise<never> = canceled;
  readonly get: () => Promise<never> = canceled;
  readonly update: () => Promise<never> = canceled;
  readonly getBaudRate: () => Promise<never> = canceled;
  readonly flush: () => Promise<never> = canceled;
  readonly drain: () => Promise<never> = canceled;
}

/**
 * The stream hears of an end by a `read` that fails while its port is open. Where a hang-up comes between two reads the
 * port is closed already, which the stream takes for its own doing: it would stand over a dead socket for ever.
 */
const socketBinding = (gone: () => void) => ({
  list: canceled,
  open: async (options: PortOptions): Promise<SocketPort> => {
    const socket = connect(options.path);
    await once(socket, "connect");
    // An error destroys the socket; `read` and `write` report it.
    socket.on("error", () => undefined);
    socket.on("close", gone);
    return new SocketPort(options, socket);
  },
});

/** The link at `path`: a character device is opened at `baudRate`, anything else is taken for a Unix socket. */
export function serialLink(path: string, baudRate: number): SerialLink {
  return async (events) => {
    const isTty = statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() === true;
    // Loaded where there is a tty, and not before the agent's first event is kept: it is native code with much around it.
    const tty = isTty ? (await import("@serialport/bindings-cpp")).autoDetect() : undefined;
    return new Promise((resolve, reject) => {
      const binding = tty ?? socketBinding(() => end("closed"));
      const stream = new SerialPortStream({
        binding,
        path,
        baudRate,
        ...LINE_SETTINGS,
        autoOpen: false,
        highWaterMark: CHUNK_BYTES_MAX,
      });
      let closed = false;
      const end = (why: unknown): void => {
        if (closed) return;
        closed = true;
        stream.destroy();
        events.closed(String(why));
      };
      stream.on("data", (chunk: Buffer) => events.data(chunk));
      stream.on("close", () => end("closed"));
      stream.open((failure) => {
        if (failure instanceof Error) {
          reject(new Error(`lock link: ${failure.message}`));
          return;
        }
        stream.on("error", end);
        resolve({
          write: (bytes) => {
            if (closed || !stream.isOpen) return false;
            stream.write(Buffer.from(bytes));
            return true;
          },
          close: () => {
            if (stream.isOpen) stream.close();
          },
        });
      });
    });
  };
}
