/**
 * The shape that most events have, read in one pass: a map of few small keys to numbers, truths and short texts. It takes
 * a part of what `scanCbor` lets pass, and reads it as that way does; for all else it says that it is not its shape.
 */
import type { CborValue } from "./cbor.ts";

/** A head of one byte counts below it. */
const SHORT = 24;
const MAJOR = { unsigned: 0x00, negative: 0x20, text: 0x60, map: 0xa0 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const FLOAT64 = 0xfb;
/** The smallest argument that needs a head of 1, 2 and 4 bytes more (RFC 8949 § 4.2.1). */
const LEAST = [SHORT, 0x100, 0x1_0000] as const;
const FLOAT = new DataView(new ArrayBuffer(8));

/** Undefined where it is of another shape, or refused: then the long way tells which. Throws nothing. */
export function flatMap(bytes: Uint8Array): ReadonlyMap<number, CborValue> | undefined {
  const entries = (bytes[0] ?? 0) - MAJOR.map;
  if (entries < 0 || entries >= SHORT) return undefined;
  const map = new Map<number, CborValue>();
  let at = 1;
  let last = -1;
  for (let i = 0; i < entries; i += 1) {
    const key = bytes[at] ?? SHORT;
    if (key >= SHORT || key <= last) return undefined;
    last = key;
    const head = bytes[at + 1] ?? MAJOR.map;
    const from = at + 2;
    const info = head & 0x1f;
    const major = head - info;
    if (head === FLOAT64) {
      at = from + 8;
      if (at > bytes.length) return undefined;
      for (let j = 0; j < 8; j += 1) FLOAT.setUint8(j, bytes[from + j] ?? 0);
      const value = FLOAT.getFloat64(0);
      // An integer has another form; NaN and the infinities are left to the long way.
      if (Number.isSafeInteger(value) || !Number.isFinite(value)) return undefined;
      map.set(key, value);
    } else if (head === FALSE || head === TRUE || head === NULL) {
      at = from;
      map.set(key, head === NULL ? null : head === TRUE);
    } else if (major === MAJOR.unsigned || major === MAJOR.negative) {
      const size = info < SHORT ? 0 : 1 << (info - SHORT);
      at = from + size;
      if (size > 4 || at > bytes.length) return undefined;
      let value = size === 0 ? info : 0;
      for (let j = from; j < at; j += 1) value = value * 256 + (bytes[j] ?? 0);
      if (size > 0 && value < (LEAST[info - SHORT] ?? 0)) return undefined;
      map.set(key, major === MAJOR.unsigned ? value : -1 - value);
    } else if (major === MAJOR.text && info < SHORT) {
      at = from + info;
      if (at > bytes.length) return undefined;
      let text = "";
      for (let j = from; j < at; j += 1) {
        const code = bytes[j] ?? 0x80;
        if (code >= 0x80) return undefined;
        text += String.fromCharCode(code);
      }
      map.set(key, text);
    } else return undefined;
  }
  return at === bytes.length ? map : undefined;
}
