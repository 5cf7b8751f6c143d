/** Unsigned LEB128 and zigzag over safe integers, and a reader that never runs past the end. */
import { ProtocolError } from "./errors.ts";

const FLOAT = new DataView(new ArrayBuffer(8));

/** Bytes that grow. */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(1024);
  #length = 0;

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** A safe integer from 0. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  /** An integer within ±2^52: its sign in the lowest bit. */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** An unsigned integer in a fixed number of bytes, the most significant first. */
  uintBytes(value: number, count: number): void {
    for (let i = count - 1; i >= 0; i -= 1) this.byte(Math.floor(value / 256 ** i) % 256);
  }

  /** A byte, then a float of 64 bits, the most significant first. */
  float64(head: number, value: number): void {
    this.byte(head);
    FLOAT.setFloat64(0, value);
    for (let i = 0; i < 8; i += 1) this.byte(FLOAT.getUint8(i));
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, and begins anew. */
  take(): Uint8Array {
    const written = this.done();
    this.#length = 0;
    return written;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Throws ProtocolError `malformed` at the end of the bytes and on a number that is not safe or not shortest. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new ProtocolError("malformed", "columns: end too early");
    this.#at += 1;
    return value;
  }

  bytes(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at)
      throw new ProtocolError("malformed", "columns: end too early");
    const found = this.#bytes.slice(this.#at, this.#at + count);
    this.#at += count;
    return found;
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length - this.#at);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (!Number.isSafeInteger(value)) break;
      if (byte < 128) {
        if (byte === 0 && scale > 1) break;
        return value;
      }
      scale *= 128;
    }
    throw new ProtocolError("malformed", "columns: expected a shortest safe integer");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** `count` integers; the same as `zigzag` as often, for the many that have one or two bytes without its calls. */
  zigzags(count: number): number[] {
    const bytes = this.#bytes;
    const values: number[] = [];
    for (let i = 0; i < count; i += 1) {
      const at = this.#at;
      // Beyond the end these are undefined, and every comparison with that is false.
      const low = bytes[at] as number;
      const high = bytes[at + 1] as number;
      if (low < 128) {
        this.#at = at + 1;
        values.push((low & 1) === 0 ? low >> 1 : -((low + 1) >> 1));
      } else if (high < 128 && high > 0) {
        this.#at = at + 2;
        const value = (low & 127) | (high << 7);
        values.push((value & 1) === 0 ? value >> 1 : -((value + 1) >> 1));
      } else values.push(this.zigzag());
    }
    return values;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }
}
