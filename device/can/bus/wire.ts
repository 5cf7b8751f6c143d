/**
 * How frames travel between two of our own processes (simulator and agent, receiver and agent): over a byte
 * stream that keeps its bytes, so that nonsense means a wrong partner, and ends the connection.
 *
 * Each side first sends GREETING. Then records, big-endian:
 *
 *     0  u8   type: 0x46 frame, 0x53 state, 0x52 a frame that was not sent
 *     1  u8   frame: flags (1 extended, 2 remote, 4 error, 8 FD); state: place in BUS_STATES
 *     2  u8   bytes of data, 0 to 64 (state, not sent: of UTF-8 reason)
 *     3  u8   0
 *     4  u32  identifier (state: 0)
 *     8  u32  sequence: counts frames of this direction from 0, those dropped on the way too
 *    12  f64  time of the frame in microseconds, NaN if it has none (state: NaN)
 *    20       data
 */
import { type CanFrame, CLASSIC_BYTES_MAX, EXTENDED_ID_MAX, STANDARD_ID_MAX } from "../frame.ts";
import { BUS_STATES, type BusFrame, type BusState } from "./bus.ts";

export const GREETING: Uint8Array = new TextEncoder().encode("KBCAN/1\n");
export const HEADER_BYTES = 20;
const TYPE_FRAME = 0x46;
const TYPE_STATE = 0x53;
const TYPE_REFUSED = 0x52;
const FLAG_EXTENDED = 1;
const FLAG_REMOTE = 2;
const FLAG_ERROR = 4;
const FLAG_FD = 8;
const FLAGS_ALL = 15;
const DATA_BYTES_MAX = 64;
/** Bytes that may wait for their record's end. */
export const RECORD_BYTES_MAX: number = HEADER_BYTES + DATA_BYTES_MAX;
const SEQUENCE_MODULUS = 0x1_0000_0000;

export type WireRecord =
  | { readonly type: "frame"; readonly frame: BusFrame; readonly sequence: number }
  | { readonly type: "state"; readonly state: BusState; readonly reason: string }
  | { readonly type: "refused"; readonly reason: string };

/** The other side does not speak this protocol: the connection is of no more use. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export type WireFrame = Pick<CanFrame, "id" | "ext" | "data" | "kind" | "fd" | "timeUs">;

/** The frame must be a valid one: see `frameProblem`. */
export function encodeFrameRecord(frame: WireFrame, sequence: number): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + frame.data.length);
  writeFrameRecord(out, new DataView(out.buffer), 0, frame, sequence);
  return out;
}

/** As `encodeFrameRecord`, to `out` from `at` on (`view` is of the same bytes). Returns where it ends. */
export function writeFrameRecord(
  out: Uint8Array,
  view: DataView,
  at: number,
  { data, kind, ext, fd, id, timeUs }: WireFrame,
  sequence: number,
): number {
  out[at] = TYPE_FRAME;
  out[at + 1] =
    (ext ? FLAG_EXTENDED : 0) |
    (kind === "remote" ? FLAG_REMOTE : 0) |
    (kind === "error" ? FLAG_ERROR : 0) |
    (fd ? FLAG_FD : 0);
  out[at + 2] = data.length;
  out[at + 3] = 0;
  view.setUint32(at + 4, id);
  view.setUint32(at + 8, sequence % SEQUENCE_MODULUS);
  view.setFloat64(at + 12, timeUs ?? Number.NaN);
  out.set(data, at + HEADER_BYTES);
  return at + HEADER_BYTES + data.length;
}

export function encodeStateRecord(state: BusState, reason: string): Uint8Array {
  return encodeText(TYPE_STATE, BUS_STATES.indexOf(state), reason);
}

/** A frame from the other side that could not be sent. */
export function encodeRefusedRecord(reason: string): Uint8Array {
  return encodeText(TYPE_REFUSED, 0, reason);
}

function encodeText(type: number, detail: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason).subarray(0, DATA_BYTES_MAX);
  const out = new Uint8Array(HEADER_BYTES + text.length);
  out[0] = type;
  out[1] = detail;
  out[2] = text.length;
  new DataView(out.buffer).setFloat64(12, Number.NaN);
  out.set(text, HEADER_BYTES);
  return out;
}

/** Frames that were dropped between two sequence numbers. */
export function missedBetween(last: number, next: number): number {
  return (next - last - 1 + SEQUENCE_MODULUS) % SEQUENCE_MODULUS;
}

/**
 * When what is read arrived. With `monotonicUs`, now on the monotonic clock that all processes of a machine share, a
 * frame's own time is read on it too, and says how long ago it came.
 */
export type Arrival = { readonly bootMs: number; readonly monotonicUs?: number };
const UNTIMED: Arrival = { bootMs: 0 };

/** Bytes to records. Holds at most one unfinished record; the data of frames are copies. */
export class WireDecoder {
  readonly #bus: string;
  #rest: Uint8Array = new Uint8Array(0);
  #greeted = false;
  /** Of the latest frame: rounding shall not make time go back. */
  #lastMs = Number.NEGATIVE_INFINITY;

  /** `bus` names the frames it makes. */
  constructor(bus: string) {
    this.#bus = bus;
  }

  /** Whether the other side has shown that it speaks this protocol. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Throws WireError; after that it is of no more use. */
  push(chunk: Uint8Array, arrival: Arrival = UNTIMED): WireRecord[] {
    // A plain array even of a Buffer, whose slices would keep the whole chunk alive.
    const plain = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    const bytes = this.#rest.length === 0 ? plain : joined(this.#rest, plain);
    let at = this.#greeted ? 0 : this.#greet(bytes);
    const records: WireRecord[] = [];
    if (this.#greeted) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      while (bytes.length - at >= HEADER_BYTES) {
        const length = HEADER_BYTES + dataLength(bytes, at);
        if (bytes.length - at < length) break;
        records.push(this.#record(bytes, view, at, length, arrival));
        at += length;
      }
    }
    this.#rest = bytes.slice(at);
    return records;
  }

  #greet(bytes: Uint8Array): number {
    const seen = bytes.subarray(0, GREETING.length);
    if (!seen.every((byte, i) => byte === GREETING[i])) throw new WireError("wrong greeting");
    if (seen.length < GREETING.length) return 0;
    this.#greeted = true;
    return GREETING.length;
  }

  #record(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    arrival: Arrival,
  ): WireRecord {
    const type = bytes[at];
    const flags = bytes[at + 1] ?? 0;
    const data = bytes.slice(at + HEADER_BYTES, at + length);
    if (type === TYPE_STATE) {
      const state = BUS_STATES[flags];
      if (state === undefined) throw new WireError(`no state ${flags}`);
      return { type: "state", state, reason: new TextDecoder().decode(data) };
    }
    if (type === TYPE_REFUSED) return { type: "refused", reason: new TextDecoder().decode(data) };
    const frame = frameOf(this.#bus, flags, view.getUint32(at + 4), data);
    const timeUs = view.getFloat64(at + 12);
    const { bootMs, monotonicUs } = arrival;
    const own = Number.isFinite(timeUs);
    if (monotonicUs === undefined) {
      frame.timeUs = own ? timeUs : null;
      frame.bootMs = bootMs;
    } else {
      const agoMs = own ? Math.round(Math.max(0, monotonicUs - timeUs) / 1000) : 0;
      this.#lastMs = Math.max(this.#lastMs, bootMs - agoMs);
      frame.bootMs = this.#lastMs;
    }
    return { type: "frame", frame, sequence: view.getUint32(at + 8) };
  }
}

/** Without a time yet. Throws WireError for what no bus carries. */
function frameOf(
  bus: string,
  flags: number,
  id: number,
  data: Uint8Array,
): CanFrame & { bootMs: number } {
  const ext = (flags & FLAG_EXTENDED) !== 0;
  const fd = (flags & FLAG_FD) !== 0;
  const kind =
    (flags & FLAG_ERROR) !== 0 ? "error" : (flags & FLAG_REMOTE) !== 0 ? "remote" : "data";
  if (flags > FLAGS_ALL) throw new WireError(`unknown flags ${flags}`);
  if (id > (ext || kind === "error" ? EXTENDED_ID_MAX : STANDARD_ID_MAX)) {
    throw new WireError(`id ${id} is out of range`);
  }
  if (!fd && data.length > CLASSIC_BYTES_MAX) throw new WireError(`${data.length} bytes, not FD`);
  return { timeUs: null, bus, id, ext, kind, fd, data, bootMs: 0 };
}

function dataLength(bytes: Uint8Array, at: number): number {
  const type = bytes[at];
  const length = bytes[at + 2] ?? 0;
  if (
    (type !== TYPE_FRAME && type !== TYPE_STATE && type !== TYPE_REFUSED) ||
    length > DATA_BYTES_MAX ||
    bytes[at + 3] !== 0
  ) {
    throw new WireError("no record begins here");
  }
  return length;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
