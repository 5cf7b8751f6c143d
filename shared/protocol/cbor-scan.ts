import { isUtf8 } from "node:buffer";
import { ProtocolError } from "./errors.ts";

/**
 * What one CBOR message may cost its reader. `itemsMax` bounds memory: the dearest item is an empty
 * map (about 200 bytes in V8), so 65,536 items stay below 16 MB. `mapEntriesMax` bounds time: integer
 * keys can be chosen to collide in a JavaScript Map, whose cost is then quadratic in the entries.
 */
export type CborLimits = {
  readonly bytesMax: number;
  readonly depthMax: number;
  readonly itemsMax: number;
  readonly mapEntriesMax: number;
  readonly textBytesMax: number;
};

/** 256 KB is what IoT Hub carries from a car in one message; nothing of ours is larger. */
export const CBOR_LIMITS: CborLimits = {
  bytesMax: 262_144,
  depthMax: 16,
  itemsMax: 65_536,
  mapEntriesMax: 1024,
  textBytesMax: 16_384,
};

/** What a scan found. `steps` counts items looked at and bytes compared: never above 4 a byte. */
export type CborScan = {
  readonly steps: number;
  /** An integer of 8 bytes that is safe as a number. */
  readonly wideSafe: boolean;
  /** An integer of 8 bytes that only a bigint can hold, or any negative one of 8 bytes. */
  readonly wideOther: boolean;
};

const SAFE_HIGH_MAX = 0x1f_ffff; // the upper 32 bits of 2^53 - 1
const MAJOR_NEGATIVE = 1;
const MAJOR_BYTES = 2;
const MAJOR_TEXT = 3;
const MAJOR_MAP = 5;
const MAJOR_TAG = 6;

const NOT_OPEN = -1;

/**
 * Reads a whole message without building anything, and throws `malformed` with the byte offset unless
 * it is one item in the form that `encodeCbor` writes and within `limits`. Linear in the length:
 * each byte is looked at once, and each byte of a map key at most twice more, for its order.
 */
export function scanCbor(bytes: Uint8Array, limits: CborLimits = CBOR_LIMITS): CborScan {
  if (bytes.length > limits.bytesMax)
    throw refuse(limits.bytesMax, `${bytes.length} bytes are more than ${limits.bytesMax}`);
  const scanner = new Scanner(bytes, limits);
  scanner.run();
  return scanner;
}

function refuse(offset: number, why: string): ProtocolError {
  return new ProtocolError("malformed", `CBOR at byte ${offset}: ${why}`);
}

/** Open containers as parallel stacks of numbers: nothing is allocated while scanning. */
class Scanner {
  steps = 0;
  wideSafe = false;
  wideOther = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: CborLimits;
  #at = 0;
  #depth = 0;
  #items = 0;
  /** Items still to come in each open container; a map counts its keys and values. */
  readonly #left: number[] = [];
  /** Where the last key of each open map begins and ends, -1 in an array. */
  readonly #keyFrom: number[] = [];
  readonly #keyTo: number[] = [];

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
  }

  run(): void {
    do {
      this.#item();
      while (this.#depth > 0 && this.#left[this.#depth - 1] === 0) this.#depth -= 1;
    } while (this.#depth > 0);
    if (this.#at !== this.#bytes.length) throw refuse(this.#at, "bytes follow the item");
  }

  #item(): void {
    const from = this.#at;
    const inside = this.#depth - 1;
    const isKey = this.#enter(inside);
    this.steps += 1;
    this.#items += 1;
    if (this.#items > this.#limits.itemsMax)
      throw refuse(from, `more than ${this.#limits.itemsMax} items`);
    const head = this.#bytes[from];
    if (head === undefined) throw refuse(from, "the message ends where an item should begin");
    this.#at = from + 1;
    const major = head >> 5;
    if (isKey && (major > MAJOR_TEXT || major === MAJOR_BYTES))
      throw refuse(from, "a map key is an integer or a text");
    if (major === 7) this.#simple(from, head);
    else this.#counted(from, major, head & 0x1f, isKey);
    if (isKey) this.#ordered(inside, from);
  }

  /** Takes one item off the container around it; true where that item is a key. */
  #enter(inside: number): boolean {
    const left = this.#left[inside];
    if (left === undefined || inside < 0) return false;
    this.#left[inside] = left - 1;
    return this.#keyFrom[inside] !== NOT_OPEN && left % 2 === 0;
  }

  #counted(from: number, major: number, info: number, isKey: boolean): void {
    if (major === MAJOR_TAG) throw refuse(from, "tags are not used");
    if (info === 31) throw refuse(from, "indefinite lengths are not used");
    const argument = this.#argument(from, major, info);
    if (major <= MAJOR_NEGATIVE) {
      if (isKey && info === 27) throw refuse(from, "an integer key has at most 32 bits");
      return;
    }
    if (info === 27) throw refuse(from, "the length is above 32 bits");
    if (major === MAJOR_BYTES) this.#skip(from, argument);
    else if (major === MAJOR_TEXT) this.#text(from, argument);
    else this.#open(from, major, argument);
  }

  /** The number behind the head, in its shortest form; for 8 bytes the upper half only. */
  #argument(from: number, major: number, info: number): number {
    if (info < 24) return info;
    if (info > 27) throw refuse(from, "a reserved head");
    const size = 1 << (info - 24);
    if (from + 1 + size > this.#bytes.length) throw refuse(from, "the message ends inside a head");
    this.#at = from + 1 + size;
    if (size === 8) return this.#wide(from, major);
    const value =
      size === 1
        ? this.#view.getUint8(from + 1)
        : size === 2
          ? this.#view.getUint16(from + 1)
          : this.#view.getUint32(from + 1);
    if (value < (size === 1 ? 24 : size === 2 ? 0x100 : 0x1_0000))
      throw refuse(from, "not the shortest form");
    return value;
  }

  #wide(from: number, major: number): number {
    const high = this.#view.getUint32(from + 1);
    if (high === 0) throw refuse(from, "not the shortest form");
    if (major === MAJOR_NEGATIVE && high >= 0x8000_0000)
      throw refuse(from, "an integer below -2^63");
    if (high > SAFE_HIGH_MAX || major === MAJOR_NEGATIVE) this.wideOther = true;
    if (high <= SAFE_HIGH_MAX) this.wideSafe = true;
    return high;
  }

  #skip(from: number, length: number): void {
    if (length > this.#bytes.length - this.#at)
      throw refuse(from, "the message ends inside a string");
    this.#at += length;
  }

  #text(from: number, length: number): void {
    if (length > this.#limits.textBytesMax)
      throw refuse(from, `a text of ${length} bytes, more than ${this.#limits.textBytesMax}`);
    const start = this.#at;
    this.#skip(from, length);
    let at = start;
    while (at < this.#at && (this.#bytes[at] ?? 0x80) < 0x80) at += 1;
    if (at === this.#at) return;
    const rest = this.#bytes.subarray(at, this.#at);
    if (!isUtf8(rest)) throw refuse(from, "a text that is not UTF-8");
    if (at === start && rest[0] === 0xef && rest[1] === 0xbb && rest[2] === 0xbf)
      throw refuse(from, "a text that begins with a byte order mark");
  }

  #open(from: number, major: number, count: number): void {
    const entries = major === MAJOR_MAP;
    if (entries && count > this.#limits.mapEntriesMax)
      throw refuse(from, `a map of ${count} entries, more than ${this.#limits.mapEntriesMax}`);
    const items = entries ? count * 2 : count;
    // Each item takes a byte at least, so a length that cannot be met is refused before it is waited for.
    if (items > this.#bytes.length - this.#at) throw refuse(from, "more items than bytes are left");
    if (this.#depth >= this.#limits.depthMax)
      throw refuse(from, `nested deeper than ${this.#limits.depthMax}`);
    this.#left[this.#depth] = items;
    this.#keyFrom[this.#depth] = entries ? this.#at : NOT_OPEN;
    this.#keyTo[this.#depth] = this.#at;
    this.#depth += 1;
  }

  /** Keys rise strictly in the order of their encoded bytes (RFC 8949 § 4.2.1), so none comes twice. */
  #ordered(inside: number, from: number): void {
    const lastFrom = this.#keyFrom[inside] ?? 0;
    const lastTo = this.#keyTo[inside] ?? 0;
    this.#keyFrom[inside] = from;
    this.#keyTo[inside] = this.#at;
    const common = Math.min(lastTo - lastFrom, this.#at - from);
    for (let index = 0; index < common; index += 1) {
      this.steps += 1;
      const difference = (this.#bytes[from + index] ?? 0) - (this.#bytes[lastFrom + index] ?? 0);
      if (difference > 0) return;
      if (difference < 0) throw refuse(from, "map keys out of order");
    }
    // No encoded key is the beginning of another: equal so far means equal, unless there was none.
    if (lastTo > lastFrom) throw refuse(from, "a map key comes twice");
  }

  #simple(from: number, head: number): void {
    if (head >= 0xf4 && head <= 0xf6) return;
    if (head !== 0xfb) throw refuse(from, "only false, true, null and 64-bit floats are used");
    if (from + 9 > this.#bytes.length) throw refuse(from, "the message ends inside a float");
    this.#at = from + 9;
    const value = this.#view.getFloat64(from + 1);
    if (Number.isSafeInteger(value)) throw refuse(from, "an integer written as a float");
    if (Number.isNaN(value) && this.#view.getBigUint64(from + 1) !== 0x7ff8_0000_0000_0000n)
      throw refuse(from, "a NaN other than 7ff8000000000000");
  }
}
