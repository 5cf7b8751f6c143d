/**
 * What is sent to a replica on another machine: what is to be done, in order, each as a frame of two lengths (32 bits,
 * big-endian), a head as JSON and bytes. The other side answers a round with one byte, once all before it is durable.
 * What comes in is checked as if anybody could have sent it: paths by a pattern, lengths by bounds.
 */
import { ProtocolError } from "@kerbside/protocol";
import { isStage, type Stage } from "./stage.ts";

const LENGTHS_BYTES = 8;
const HEAD_BYTES_MAX: number = 64 * 1024;
/** Bytes of one frame; what is longer goes in several. */
export const FRAME_BYTES_MAX: number = 1024 * 1024;
export const ROUND_DONE = 6;

/** Relative to the replica's directory. */
const PATH =
  /^(?:tenants\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\/)?[a-z][a-z-]{0,40}\.(?:sqlite|sealed)$/;
/** What the other side says first: the session of its last whole round, in hex; zeros where there was none. */
export const SESSION_CHARS = 32;
export const NO_SESSION: string = "0".repeat(SESSION_CHARS);
const SESSION = /^[0-9a-f]{32}$/;
const DIRECTORY = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** `piece` and `put` come in as many as their content needs; `last` ends it. */
export type Order =
  | { readonly do: "stage"; readonly stage: Stage; readonly session: string }
  | { readonly do: "piece"; readonly path: string; readonly first: boolean; readonly last: boolean }
  | { readonly do: "put"; readonly path: string; readonly last: boolean }
  | { readonly do: "begin"; readonly path: string }
  | { readonly do: "append"; readonly path: string; readonly at: number }
  | { readonly do: "takeIn"; readonly path: string }
  | { readonly do: "keep"; readonly names: readonly string[] }
  | { readonly do: "round" };
export type Frame = { readonly order: Order; readonly bytes: Uint8Array };

const NONE = new Uint8Array();

export function encodeFrame(order: Order, bytes: Uint8Array = NONE): Uint8Array {
  const head = Buffer.from(JSON.stringify(order));
  const lengths = Buffer.alloc(LENGTHS_BYTES);
  lengths.writeUInt32BE(head.length, 0);
  lengths.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([lengths, head, bytes]);
}

/** Bytes cut into what one frame may hold; one piece at least. */
export function* inFrames(bytes: Uint8Array): Generator<{ piece: Uint8Array; last: boolean }> {
  for (let at = 0; ; at += FRAME_BYTES_MAX) {
    const last = at + FRAME_BYTES_MAX >= bytes.length;
    yield { piece: bytes.subarray(at, at + FRAME_BYTES_MAX), last };
    if (last) return;
  }
}

/** Puts frames together out of what comes in. Throws ProtocolError `malformed` for what is none. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  *take(chunk: Uint8Array): Generator<Frame> {
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= LENGTHS_BYTES) {
      const head = this.#held.readUInt32BE(0);
      const body = this.#held.readUInt32BE(4);
      if (head > HEAD_BYTES_MAX || body > FRAME_BYTES_MAX) throw malformed("a frame is too long");
      const end = LENGTHS_BYTES + head + body;
      if (this.#held.length < end) return;
      const text = this.#held.toString("utf8", LENGTHS_BYTES, LENGTHS_BYTES + head);
      const bytes = this.#held.subarray(LENGTHS_BYTES + head, end);
      this.#held = this.#held.subarray(end);
      yield { order: readOrder(text), bytes };
    }
  }
}

function malformed(what: string): ProtocolError {
  return new ProtocolError("malformed", `replica: ${what}`);
}

function readOrder(text: string): Order {
  const value = parse(text);
  const { at, path, names } = value;
  const to = (): string => {
    if (typeof path !== "string" || !PATH.test(path))
      throw malformed("a path is none of a replica");
    return path;
  };
  const flag = (name: string): boolean => value[name] === true;
  switch (value["do"]) {
    case "piece":
      return { do: "piece", path: to(), first: flag("first"), last: flag("last") };
    case "put":
      return { do: "put", path: to(), last: flag("last") };
    case "begin":
      return { do: "begin", path: to() };
    case "append":
      if (typeof at !== "number" || !Number.isSafeInteger(at) || at < 0)
        throw malformed("expected a place in a log");
      return { do: "append", path: to(), at };
    case "takeIn":
      return { do: "takeIn", path: to() };
    case "keep": {
      const isName = (name: unknown): name is string =>
        typeof name === "string" && DIRECTORY.test(name);
      if (!Array.isArray(names) || !names.every(isName)) throw malformed("expected directories");
      return { do: "keep", names };
    }
    case "stage": {
      const { stage, session } = value;
      if (!isStage(stage)) throw malformed("expected a stage");
      if (typeof session !== "string" || !SESSION.test(session))
        throw malformed("expected a session");
      return { do: "stage", stage, session };
    }
    case "round":
      return { do: "round" };
    default:
      throw malformed("an order is not known");
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Said below.
  }
  throw malformed("expected an order");
}
