/** Single bits, the most significant of each byte first, and numbers made of them. */
import { ProtocolError } from "./errors.ts";

/** What `bits` takes at once. */
const AT_ONCE_MAX = 24;
/** Bits of the longest number: a safe integer. */
const NUMBER_BITS_MAX = 53;
/** Bits that say how many a number has. */
const SIZE_BITS = 6;
/** Zeros behind the end, so that whoever looks ahead needs no check. */
const PADDING_BYTES = 8;

export class BitWriter {
  #bytes: Uint8Array = new Uint8Array(1024);
  #length = 0;
  #held = 0;
  #heldBits = 0;

  /** The lowest `count` bits of an unsigned integer; at most 24. */
  bits(value: number, count: number): void {
    let left = count;
    while (left > 0) {
      const taken = Math.min(left, 8 - this.#heldBits);
      left -= taken;
      this.#held = (this.#held << taken) | ((value >>> left) & (2 ** taken - 1));
      this.#heldBits += taken;
      if (this.#heldBits === 8) this.#flush();
    }
  }

  /** Bytes as they are, wherever the last bit ended. */
  bytes(value: Uint8Array): void {
    for (const byte of value) this.bits(byte, 8);
  }

  /** What was written; the last byte is filled with zeros. */
  done(): Uint8Array {
    if (this.#heldBits > 0) this.bits(0, 8 - this.#heldBits);
    return this.#bytes.slice(0, this.#length);
  }

  #flush(): void {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length] = this.#held;
    this.#length += 1;
    this.#held = 0;
    this.#heldBits = 0;
  }
}

/** Whatever takes bits: a writer, or who only counts them. */
export type BitSink = Pick<BitWriter, "bits">;

/** The lowest `count` bits of an unsigned safe integer. */
export function writeLong(out: BitSink, value: number, count: number): void {
  let left = count;
  while (left > 0) {
    const taken = Math.min(left, AT_ONCE_MAX);
    left -= taken;
    out.bits(Math.floor(value / 2 ** left) % 2 ** taken, taken);
  }
}

/** An unsigned safe integer: how many bits it has, then those after its first. */
export function writeSized(out: BitSink, value: number): void {
  const size = sizeOf(value);
  out.bits(size, SIZE_BITS);
  if (size > 1) writeLong(out, value, size - 1);
}

/** A small unsigned integer (Elias gamma of the next one): 1 bit for 0, 3 for 1 and 2, 5 for 3 to 6. */
export function writeCount(out: BitSink, value: number): void {
  const size = sizeOf(value + 1);
  writeLong(out, 0, size - 1);
  writeLong(out, value + 1, size);
}

function sizeOf(value: number): number {
  let size = 0;
  for (let rest = value; rest >= 1; rest = Math.floor(rest / 2)) size += 1;
  return size;
}

/** An integer with its sign in the lowest bit. */
export function zigzagOf(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function fromZigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Reads on behind the end as if zeros stood there; `check` and `end` tell. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #endBits: number;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = new Uint8Array(bytes.length + PADDING_BYTES);
    this.#bytes.set(bytes);
    this.#endBits = 8 * bytes.length;
  }

  /** The next `count` bits, which stay; at most 24. */
  peek(count: number): number {
    const from = this.#at >> 3;
    const bytes = this.#bytes;
    if (from > bytes.length - 4) return 0;
    const word =
      ((bytes[from] as number) << 24) |
      ((bytes[from + 1] as number) << 16) |
      ((bytes[from + 2] as number) << 8) |
      (bytes[from + 3] as number);
    return (word << (this.#at & 7)) >>> (32 - count);
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** The next `count` bits; 1 to 24. */
  bits(count: number): number {
    const found = this.peek(count);
    this.#at += count;
    return found;
  }

  /** What a table says of the next `count` bits: 16 × a symbol + the length of its code, which alone is passed over. */
  symbol(table: Uint16Array, count: number): number {
    const found = table[this.peek(count)] as number;
    this.#at += found & 15;
    return found >> 4;
  }

  bytes(count: number): Uint8Array {
    if (8 * count > this.#endBits - this.#at) throw early();
    return Uint8Array.from({ length: count }, () => this.bits(8));
  }

  /** Throws ProtocolError `malformed` where more was read than there is. */
  check(): void {
    if (this.#at > this.#endBits) throw early();
  }

  /** Throws ProtocolError `malformed` unless all was read but the zeros that fill the last byte. */
  end(): void {
    this.check();
    const left = this.#endBits - this.#at;
    if (left > 7 || (left > 0 && this.peek(left) !== 0))
      throw new ProtocolError("malformed", "columns: expected no more bits");
  }
}

function early(): ProtocolError {
  return new ProtocolError("malformed", "columns: end too early");
}

/** `count` bits; up to 53. */
export function readLong(reader: BitReader, count: number): number {
  let value = 0;
  for (let left = count; left > 0; ) {
    const taken = Math.min(left, AT_ONCE_MAX);
    left -= taken;
    value = value * 2 ** taken + reader.bits(taken);
  }
  return value;
}

/** What `writeSized` wrote. Throws ProtocolError `malformed`. */
export function readSized(reader: BitReader): number {
  const size = reader.bits(SIZE_BITS);
  if (size > NUMBER_BITS_MAX) throw new ProtocolError("malformed", "columns: a number too long");
  return size === 0 ? 0 : 2 ** (size - 1) + readLong(reader, size - 1);
}

/** What `writeCount` wrote. Throws ProtocolError `malformed`. */
export function readCount(reader: BitReader): number {
  let zeros = 0;
  while (reader.bits(1) === 0) {
    zeros += 1;
    if (zeros >= AT_ONCE_MAX) throw new ProtocolError("malformed", "columns: a count too long");
  }
  return 2 ** zeros + readLong(reader, zeros) - 1;
}
