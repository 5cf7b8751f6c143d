// Its door without native code: looking for that takes 50 ms of a start, and short strings gain nothing by it.
import { Decoder, Encoder } from "cbor-x/decode";
import { flatMap } from "./cbor-flat.ts";
import { CBOR_LIMITS, type CborLimits, scanCbor } from "./cbor-scan.ts";
import { ProtocolError } from "./errors.ts";

export { CBOR_LIMITS, type CborLimits, type CborScan, scanCbor } from "./cbor-scan.ts";

/**
 * What travels. Integers are `number` where safe (±(2^53 - 1)), else `bigint` (-2^63 to 2^64 - 1);
 * an integer key has at most 32 bits (-2^32 to 2^32 - 1).
 */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>;

const OPTIONS = { useRecords: false, mapsAsObjects: false, copyBuffers: true } as const;
const encoder = new Encoder({ ...OPTIONS, tagUint8Array: false });
const decoder = new Decoder(OPTIONS);
// The option is missing from the types of cbor-x 1.6.8, not from its code.
const numberDecoder = new Decoder({ ...OPTIONS, ...{ int64AsNumber: true } });

const UINT32_MAX = 0xffff_ffff;
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 64n - 1n;

/**
 * The one encoding of a value: RFC 8949 § 4.2.1 (shortest integers, definite lengths, keys in the
 * order of their bytes), except that a number which is not a safe integer is always a 64-bit float.
 * -0 becomes 0. So `encodeCbor(decodeCbor(bytes))` gives the same bytes. The answer owns its memory.
 * Throws `malformed` for what has no encoding: ill-formed UTF-16, a text that begins with a byte
 * order mark, integers and keys out of range, two keys that are one, nesting beyond the default depth.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return new Uint8Array(encoder.encode(canonical(value, 0)));
}

/**
 * The value of a message that is exactly what `encodeCbor` writes and within `limits`; anything else
 * throws `malformed` with the byte offset, in time linear in the length and before anything is built.
 * Maps come back as `Map` in the order sent; byte strings are copies, which pin no message in memory.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = CBOR_LIMITS): CborValue {
  const flat = limits === CBOR_LIMITS ? flatMap(bytes) : undefined;
  if (flat !== undefined) return flat;
  const { wideSafe, wideOther } = scanCbor(bytes, limits);
  // A view of our own: cbor-x leaves a property on what it reads, and a Buffer would beget Buffers.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!wideOther) return numberDecoder.decode(view);
  const value: CborValue = decoder.decode(view);
  return wideSafe ? narrow(value) : value;
}

/** The same value in the shape that makes cbor-x write it canonically; itself where nothing changes. */
function canonical(value: CborValue, depth: number): CborValue {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw unencodable("a text with half a surrogate pair");
      if (value.startsWith("\u{feff}"))
        throw unencodable("a text that begins with a byte order mark");
      return value;
    case "number":
      return canonicalNumber(value);
    case "bigint":
      if (value < INT_MIN || value > INT_MAX) throw unencodable("an integer beyond 64 bits");
      return isSafe(value) ? canonicalNumber(Number(value)) : value;
    case "boolean":
      return value;
    case "object":
      if (value === null) return value;
      if (value instanceof Uint8Array) return value;
      if (depth >= CBOR_LIMITS.depthMax)
        throw unencodable(`nesting deeper than ${CBOR_LIMITS.depthMax}`);
      if (value instanceof Map) return canonicalMap(value, depth);
      if (Array.isArray(value)) return canonicalArray(value, depth);
      throw unencodable("an object that is no Map, array or Uint8Array");
    default:
      throw unencodable(`a ${typeof value}`);
  }
}

function isSafe(value: bigint): boolean {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
}

function unencodable(what: string): ProtocolError {
  return new ProtocolError("malformed", `CBOR cannot carry ${what}`);
}

/** cbor-x writes integers beyond 32 bits as floats unless they come as bigint. */
function canonicalNumber(value: number): number | bigint {
  if (!Number.isSafeInteger(value)) return value;
  if (value > UINT32_MAX || value < -UINT32_MAX - 1) return BigInt(value);
  return value;
}

function canonicalArray(values: readonly CborValue[], depth: number): readonly CborValue[] {
  // cbor-x picks the encoding by the constructor: a subclass is shown as what it is.
  let changed: CborValue[] | undefined =
    values.constructor === Array ? undefined : Array.from(values);
  for (let index = 0; index < values.length; index += 1) {
    const before = values[index];
    if (before === undefined) throw unencodable("a hole in an array");
    const after = canonical(before, depth + 1);
    if (after === before && changed === undefined) continue;
    changed ??= values.slice(0, index);
    changed[index] = after;
  }
  return changed ?? values;
}

function canonicalMap(
  map: ReadonlyMap<number | string, CborValue>,
  depth: number,
): ReadonlyMap<number | string, CborValue> {
  let changed: [number | string, CborValue][] | undefined =
    map.constructor === Map ? undefined : [];
  let last: number | string | undefined;
  let seen = 0;
  for (const [key, before] of map) {
    const after = canonical(before, depth + 1);
    checkKey(key);
    const stays = after === before && (last === undefined || compareKeys(last, key) < 0);
    if (!stays) changed ??= [...map].slice(0, seen);
    changed?.push([key, after]);
    last = key;
    seen += 1;
  }
  if (changed === undefined) return map;
  return new Map(changed.sort((left, right) => compareKeys(left[0], right[0])));
}

function checkKey(key: number | string): void {
  if (typeof key === "string") canonical(key, 0);
  else if (!Number.isSafeInteger(key) || key > UINT32_MAX || key < -UINT32_MAX - 1)
    throw unencodable("a map key that is no text and no integer of 32 bits");
}

/**
 * The order of the encoded keys, without encoding them: non-negative integers by value, negative ones
 * from -1 down, then texts by their length in UTF-8, then by their bytes.
 */
function compareKeys(left: number | string, right: number | string): number {
  if (typeof left === "number" && typeof right === "number")
    return left < 0 && right < 0 ? right - left : left < 0 ? 1 : right < 0 ? -1 : left - right;
  if (typeof left === "number") return -1;
  if (typeof right === "number") return 1;
  const leftBytes = Buffer.from(left, "utf8");
  const rightBytes = Buffer.from(right, "utf8");
  return leftBytes.length - rightBytes.length || Buffer.compare(leftBytes, rightBytes);
}

/** Turns every bigint that is a safe integer into a number, in place. Depth is bounded by the scan. */
function narrow(value: CborValue): CborValue {
  if (typeof value === "bigint") return isSafe(value) ? Number(value) : value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) value[index] = narrow(value[index]);
  } else if (value instanceof Map) {
    for (const [key, inner] of value) {
      const narrowed = narrow(inner);
      if (narrowed !== inner) value.set(key, narrowed);
    }
  }
  return value;
}
