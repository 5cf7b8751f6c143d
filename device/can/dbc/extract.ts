/**
 * Raw values by table, exact at any width: what the generated code falls back on (short frames, more
 * than 64 bits, `raw` of more than 53 bits) and what encoding writes with. It trades speed for plainness.
 */
import { bytesNeeded, type Piece, piecesOf } from "./layout.ts";
import type { DbcSignal } from "./model.ts";

/** Integers up to this many bits are numbers; wider ones are always bigints, whatever their value. */
export const NUMBER_BITS_MAX = 53;

export type RawValue = number | bigint;

export type Field = {
  readonly pieces: readonly Piece[];
  readonly bytes: number;
  readonly length: number;
  readonly signed: boolean;
  readonly float: boolean;
  /** What an integer field can hold, both included; exact up to NUMBER_BITS_MAX bits. */
  readonly low: number;
  readonly high: number;
};

export function fieldOf(signal: DbcSignal): Field {
  const steps = 2 ** (signal.signed ? signal.length - 1 : signal.length);
  return {
    pieces: piecesOf(signal),
    bytes: bytesNeeded(signal),
    length: signal.length,
    signed: signal.signed,
    float: signal.float,
    low: signal.signed ? -steps : 0,
    high: steps - 1,
  };
}

const floatBits = new DataView(new ArrayBuffer(8));

/** The raw value: a double for floats, else an integer. The frame must have `field.bytes` bytes. */
export function extractRaw(field: Field, data: Uint8Array): RawValue {
  if (field.float) return bitsToFloat(extractBits(field, data), field.length);
  if (field.length > NUMBER_BITS_MAX) {
    const bits = extractBits(field, data);
    return field.signed ? BigInt.asIntN(field.length, bits) : bits;
  }
  let value = 0;
  for (const { byte, shift, width, place } of field.pieces) {
    value += (((data[byte] ?? 0) >> shift) & ((1 << width) - 1)) * 2 ** place;
  }
  if (field.signed && value >= 2 ** (field.length - 1)) value -= 2 ** field.length;
  return value;
}

function extractBits(field: Field, data: Uint8Array): bigint {
  let bits = 0n;
  for (const { byte, shift, width, place } of field.pieces) {
    bits |= BigInt(((data[byte] ?? 0) >> shift) & ((1 << width) - 1)) << BigInt(place);
  }
  return bits;
}

/** Writes the low bits of `raw`; other bits of the frame stay. A float field takes a number. */
export function insertRaw(field: Field, data: Uint8Array, raw: RawValue): void {
  if (typeof raw === "number" && !field.float && field.length < NUMBER_BITS_MAX) {
    insertNumber(field, data, raw);
    return;
  }
  let bits = field.float
    ? floatToBits(Number(raw), field.length)
    : BigInt.asUintN(field.length, BigInt(raw));
  for (const { byte, shift, width } of field.pieces) {
    const mask = (1 << width) - 1;
    const part = Number(bits & BigInt(mask));
    bits >>= BigInt(width);
    data[byte] = ((data[byte] ?? 0) & ~(mask << shift)) | (part << shift);
  }
}

/** What whole numbers of V8 are cheapest for: shifts work on 32 bits, the sign among them. */
const SHIFTED_BITS_MAX = 31;

/** The same without BigInt, which takes many times as long. */
function insertNumber({ pieces, length }: Field, data: Uint8Array, raw: number): void {
  if (length <= SHIFTED_BITS_MAX) {
    for (const { byte, shift, width, place } of pieces) {
      const mask = (1 << width) - 1;
      data[byte] = ((data[byte] ?? 0) & ~(mask << shift)) | (((raw >>> place) & mask) << shift);
    }
    return;
  }
  const bits = ((raw % 2 ** length) + 2 ** length) % 2 ** length;
  for (const { byte, shift, width, place } of pieces) {
    const mask = (1 << width) - 1;
    const part = Math.floor(bits / 2 ** place) % 2 ** width;
    data[byte] = ((data[byte] ?? 0) & ~(mask << shift)) | (part << shift);
  }
}

function bitsToFloat(bits: bigint, length: number): number {
  floatBits.setBigUint64(0, bits);
  if (length === 64) return floatBits.getFloat64(0);
  return length === 32 ? floatBits.getFloat32(4) : floatBits.getFloat16(6);
}

function floatToBits(value: number, length: number): bigint {
  floatBits.setBigUint64(0, 0n);
  if (length === 64) floatBits.setFloat64(0, value);
  else if (length === 32) floatBits.setFloat32(4, value);
  else floatBits.setFloat16(6, value);
  return floatBits.getBigUint64(0);
}

/** Inclusive bounds of what an integer field can hold. */
export function rawLimits(field: Field): { min: bigint; max: bigint } {
  const width = BigInt(field.length);
  return field.signed
    ? { min: -(1n << (width - 1n)), max: (1n << (width - 1n)) - 1n }
    : { min: 0n, max: (1n << width) - 1n };
}
