/**
 * A column of numbers, in the shortest of a few forms. Numbers with few decimals become integers by a power of ten
 * where every one of them comes back exactly; integers become themselves, differences, or differences of differences.
 */
import { ProtocolError } from "./errors.ts";
import type { ByteReader, ByteWriter } from "./varint.ts";

/** The first byte: 16 × decimals + order of differences, or RAW. */
const ORDERS = [0, 1, 2] as const;
const DECIMALS_MAX = 9;
/** 64-bit floats, most significant bytes first, byte by byte over the column, each as its difference by XOR. */
const RAW = 0xff;
/** So that a difference of differences still fits: 2^50. */
const INTEGER_MAX = 2 ** 50;
const FLOAT_BYTES = 8;

export function writeNumbers(out: ByteWriter, column: readonly number[]): void {
  for (let decimals = 0; decimals <= DECIMALS_MAX; decimals += 1) {
    const scaled = scale(column, decimals);
    if (scaled === undefined) continue;
    writeIntegers(out, scaled, decimals);
    return;
  }
  writeRaw(out, column);
}

/** The integers that give exactly the column when divided; undefined where there are none. */
function scale(column: readonly number[], decimals: number): number[] | undefined {
  const factor = 10 ** decimals;
  const scaled: number[] = [];
  for (const value of column) {
    const integer = Math.round(value * factor);
    // Written so that NaN fails too. −0 does not come back, and is no integer here.
    if (!(Math.abs(integer) < INTEGER_MAX) || !Object.is(integer / factor, value)) return undefined;
    scaled.push(integer);
  }
  return scaled;
}

function writeIntegers(out: ByteWriter, integers: number[], decimals: number): void {
  let best: { order: number; values: number[]; cost: number } | undefined;
  let values = integers;
  for (const order of ORDERS) {
    if (order > 0) values = values.map((value, i) => value - (values[i - 1] ?? 0));
    const cost = values.reduce((sum, value) => sum + Math.log2(1 + Math.abs(value)), 0);
    if (best === undefined || cost < best.cost) best = { order, values, cost };
  }
  out.byte(16 * decimals + (best?.order ?? 0));
  for (const value of best?.values ?? []) out.zigzag(value);
}

function writeRaw(out: ByteWriter, column: readonly number[]): void {
  out.byte(RAW);
  const floats = new DataView(new ArrayBuffer(column.length * FLOAT_BYTES));
  for (const [i, value] of column.entries()) floats.setFloat64(i * FLOAT_BYTES, value);
  for (let plane = 0; plane < FLOAT_BYTES; plane += 1) {
    let before = 0;
    for (let i = 0; i < column.length; i += 1) {
      const byte = floats.getUint8(i * FLOAT_BYTES + plane);
      out.byte(byte ^ before);
      before = byte;
    }
  }
}

/** Throws ProtocolError `malformed`. */
export function readNumbers(reader: ByteReader, count: number): number[] {
  const form = reader.byte();
  if (form === RAW) return readRaw(reader, count);
  const decimals = form >> 4;
  const order = form & 15;
  if (decimals > DECIMALS_MAX || order > ORDERS.length - 1)
    throw new ProtocolError("malformed", "columns: a form of numbers that is not known here");
  const integers = reader.zigzags(count);
  for (let pass = 0; pass < order; pass += 1) {
    for (let i = 1; i < count; i += 1) integers[i] = (integers[i] ?? 0) + (integers[i - 1] ?? 0);
  }
  if (decimals === 0) return integers;
  const factor = 10 ** decimals;
  for (let i = 0; i < count; i += 1) integers[i] = (integers[i] ?? 0) / factor;
  return integers;
}

function readRaw(reader: ByteReader, count: number): number[] {
  const planes = reader.bytes(count * FLOAT_BYTES);
  const floats = new DataView(new ArrayBuffer(count * FLOAT_BYTES));
  for (let plane = 0; plane < FLOAT_BYTES; plane += 1) {
    let before = 0;
    for (let i = 0; i < count; i += 1) {
      before ^= planes[plane * count + i] ?? 0;
      floats.setUint8(i * FLOAT_BYTES + plane, before);
    }
  }
  return Array.from({ length: count }, (_, i) => floats.getFloat64(i * FLOAT_BYTES));
}
