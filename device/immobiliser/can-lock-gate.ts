/**
 * Which frames may be sent to lock a car by its body computer: an allow-list as data (id, length, bytes, counter,
 * checksum, period, how often). Everything that is not in it, not now, or not in turn is refused. The gate sees every
 * frame last, whoever made it.
 */
import type { LockAction } from "@kerbside/protocol";

export type CanLockFrame = {
  readonly id: number;
  readonly ext: boolean;
  /** The payload, with zeros where counter and checksum go. 1 to 8 bytes. */
  readonly data: Uint8Array;
  /** A count from 0 that rises with each frame: which byte, its lowest bit there, and its width in bits. */
  readonly counter?: { readonly byte: number; readonly shift: number; readonly bits: number };
  /** Over all other bytes, in their order. */
  readonly checksum?: { readonly byte: number; readonly kind: "xor8" | "crc8_j1850" };
  /** Between one and the next. */
  readonly periodMs: number;
  /** How many make one command. Body computers want to see several. */
  readonly repeats: number;
};
export type CanLocking = {
  readonly actions: Readonly<Partial<Record<LockAction, CanLockFrame>>>;
  /** By when the car's own signals show what came of it. */
  readonly sensedWithinMs: number;
};
export type CanLockSend = Pick<CanLockFrame, "id" | "ext" | "data">;

const CRC8_POLYNOMIAL = 0x1d;
/** SAE J1850 CRC-8: polynomial 0x1D, start and end XOR 0xFF. */
export function crc8J1850(bytes: Iterable<number>): number {
  let crc = 0xff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x80) === 0 ? (crc << 1) & 0xff : ((crc << 1) ^ CRC8_POLYNOMIAL) & 0xff;
    }
  }
  return crc ^ 0xff;
}

/** The frame as it goes out with this count. Pure. */
export function canLockFrame(row: CanLockFrame, count: number): CanLockSend {
  const { counter, checksum, id, ext } = row;
  const value = counter === undefined ? 0 : (count % 2 ** counter.bits) << counter.shift;
  const data = row.data.map((byte, at) => (at === counter?.byte ? byte | value : byte));
  if (checksum !== undefined) {
    const others = data.filter((_, at) => at !== checksum.byte);
    data[checksum.byte] =
      checksum.kind === "xor8" ? others.reduce((sum, byte) => sum ^ byte, 0) : crc8J1850(others);
  }
  return { id, ext, data };
}

/** Why a frame may not be sent now, or that it may. */
export type GateVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: "closed" | "not_listed" | "too_soon" | "spent" };

type Opened = { readonly row: CanLockFrame; left: number; notBeforeMs: number };

export class CanLockGate {
  readonly #locking: CanLocking;
  /** The next count of each row, for the life of the process. */
  readonly #counts = new Map<CanLockFrame, number>();
  #opened: Opened | undefined;

  /** Throws RangeError where counter or checksum of a row lie outside its bytes: it would go out without them. */
  constructor(locking: CanLocking) {
    for (const { data, counter, checksum } of Object.values(locking.actions)) {
      const isOutside = [counter, checksum].some(
        (at) => at !== undefined && at.byte >= data.length,
      );
      if (isOutside || (counter !== undefined && counter.shift + counter.bits > 8)) {
        throw new RangeError(`locking by CAN: counter or checksum outside of ${data.length} bytes`);
      }
    }
    this.#locking = locking;
  }

  /** Opens it for one command. Nothing passes before that, and not more than the row's `repeats` after it. */
  open(action: LockAction): CanLockFrame | undefined {
    const row = this.#locking.actions[action];
    this.#opened =
      row === undefined
        ? undefined
        : { row, left: row.repeats, notBeforeMs: Number.NEGATIVE_INFINITY };
    return row;
  }

  close(): void {
    this.#opened = undefined;
  }

  /** The next frame of the open row; undefined while it is closed. */
  next(): CanLockSend | undefined {
    const opened = this.#opened;
    return opened && this.#nextOf(opened.row);
  }

  #nextOf(row: CanLockFrame): CanLockSend {
    return canLockFrame(row, this.#counts.get(row) ?? 0);
  }

  /** Judges a frame about to be sent, and counts it where it is allowed. */
  pass(frame: CanLockSend, nowMs: number): GateVerdict {
    const opened = this.#opened;
    if (opened === undefined) return { allowed: false, reason: "closed" };
    if (!isSame(frame, this.#nextOf(opened.row))) return { allowed: false, reason: "not_listed" };
    if (opened.left === 0) return { allowed: false, reason: "spent" };
    if (nowMs < opened.notBeforeMs) return { allowed: false, reason: "too_soon" };
    opened.left -= 1;
    opened.notBeforeMs = nowMs + opened.row.periodMs;
    this.#counts.set(opened.row, (this.#counts.get(opened.row) ?? 0) + 1);
    return { allowed: true };
  }
}

function isSame(a: CanLockSend, b: CanLockSend): boolean {
  const sameBytes =
    a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]);
  return a.id === b.id && a.ext === b.ext && sameBytes;
}
