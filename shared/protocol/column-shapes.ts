/** Shapes of events as bits: what a value is made of, without the values. Keys that are small numbers are differences. */
import { type BitReader, type BitWriter, readCount, writeCount } from "./bits.ts";
import { CBOR_LIMITS, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { ProtocolError } from "./errors.ts";

const KIND_BITS = 2;
const KIND = { number: 0, other: 1, list: 2, map: 3 } as const;
/** Values in one shape, maps and lists among them. */
const PARTS_MAX = 4096;

export type LeafKind = "number" | "other";
export type ReadShape = { readonly value: CborValue; readonly kinds: readonly LeafKind[] };

/** Of a value in which every number is 0 and every other leaf null. */
export function writeShape(out: BitWriter, shape: CborValue): void {
  if (Array.isArray(shape)) {
    out.bits(KIND.list, KIND_BITS);
    writeCount(out, shape.length);
    for (const item of shape) writeShape(out, item);
  } else if (shape instanceof Map) {
    out.bits(KIND.map, KIND_BITS);
    writeCount(out, shape.size);
    let before = -1;
    for (const [key, inner] of shape) {
      before = writeKey(out, key, before);
      writeShape(out, inner);
    }
  } else out.bits(shape === 0 ? KIND.number : KIND.other, KIND_BITS);
}

/** Returns what the next key is a difference from. */
function writeKey(out: BitWriter, key: number | string, before: number): number {
  if (typeof key === "number" && Number.isInteger(key) && key > before && key < KEY_MAX) {
    out.bits(1, 1);
    writeCount(out, key - before - 1);
    return key;
  }
  out.bits(0, 1);
  const encoded = encodeCbor(key);
  writeCount(out, encoded.length);
  out.bytes(encoded);
  return before;
}
const KEY_MAX = 65_536;

/** Throws ProtocolError `malformed`, in bounded time. */
export function readShape(reader: BitReader): ReadShape {
  const kinds: LeafKind[] = [];
  const counter = { left: PARTS_MAX };
  return { value: readPart(reader, kinds, counter, 0), kinds };
}

function readPart(
  reader: BitReader,
  kinds: LeafKind[],
  counter: { left: number },
  depth: number,
): CborValue {
  counter.left -= 1;
  reader.check();
  if (counter.left < 0 || depth > CBOR_LIMITS.depthMax) throw malformed("too much in a shape");
  const kind = reader.bits(KIND_BITS);
  if (kind === KIND.number || kind === KIND.other) {
    kinds.push(kind === KIND.number ? "number" : "other");
    return kind === KIND.number ? 0 : null;
  }
  const count = readCount(reader);
  if (count > counter.left) throw malformed("too much in a shape");
  const inner = (): CborValue => readPart(reader, kinds, counter, depth + 1);
  if (kind === KIND.list) return Array.from({ length: count }, inner);
  const map = new Map<number | string, CborValue>();
  for (let before = -1; map.size < count; ) {
    const key = readKey(reader, before);
    if (map.has(key)) throw malformed("a key twice");
    if (typeof key === "number" && key > before) before = key;
    map.set(key, inner());
  }
  return map;
}

function readKey(reader: BitReader, before: number): number | string {
  if (reader.bits(1) === 1) return before + 1 + readCount(reader);
  const key = decodeCbor(reader.bytes(readCount(reader)));
  if (typeof key !== "number" && typeof key !== "string") throw malformed("expected a key");
  return key;
}

function malformed(what: string): ProtocolError {
  return new ProtocolError("malformed", `columns: ${what}`);
}
