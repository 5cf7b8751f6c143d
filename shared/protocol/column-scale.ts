/**
 * Numbers as integers: by a power of ten, or by the factor and the offset of a DBC file, whose products are not the
 * decimal numbers they look like (121 × 0.1 is 12.100000000000001). Only where every number comes back bit by bit.
 */
import {
  type BitReader,
  type BitSink,
  fromZigzag,
  readSized,
  writeSized,
  zigzagOf,
} from "./bits.ts";
import { ProtocolError } from "./errors.ts";

/** `factor` and `offset` are in units of the last decimal: integer × (factor / 10^decimals) + offset / 10^decimals. */
export type NumberForm =
  | { readonly kind: "decimal"; readonly decimals: number }
  | {
      readonly kind: "factor";
      readonly decimals: number;
      readonly factor: number;
      readonly offset: number;
    };

const DECIMALS_MAX = 9;
const DECIMALS_BITS = 4;
/** Integers of a column; sums of a few of them are still exact. */
export const INTEGER_MAX: number = 2 ** 48;
/** How far a product of doubles may be from the decimal number it stands for. */
const NEAR = 1e-12;
/** What DBC files add to a product, and the parts of the common step that their factor may be. */
const OFFSETS = [0, -40, -50, -100, -48, -60, -64, -80, -128, -200, -250, -273, -273.15] as const;
const PARTS = [1, 2, 3, 4, 5, 8, 10, 16, 20, 25, 32, 50, 100] as const;

export type Integers = { readonly form: NumberForm; readonly integers: readonly number[] };

/** Undefined where there are none that give back the column. */
export function integersOf(column: readonly number[]): Integers | undefined {
  return decimalsOf(column) ?? factorsOf(column);
}

function decimalsOf(column: readonly number[]): Integers | undefined {
  for (let decimals = 0; decimals <= DECIMALS_MAX; decimals += 1) {
    const form = { kind: "decimal", decimals } as const;
    const scale = 10 ** decimals;
    const integers = inForm(column, form, (value) => Math.round(value * scale));
    if (integers !== undefined) return { form, integers };
  }
  return undefined;
}

function factorsOf(column: readonly number[]): Integers | undefined {
  const near = nearDecimals(column);
  if (near === undefined) return undefined;
  const { decimals, integers } = near;
  const [first = 0] = integers;
  const step = integers.reduce((common, value) => gcd(common, Math.abs(value - first)), 0);
  if (step === 0) return undefined;
  const scale = 10 ** decimals;
  for (const part of PARTS) {
    if (step % part !== 0) continue;
    const factor = step / part;
    for (const words of OFFSETS) {
      const offset = Math.round(words * scale);
      if ((first - offset) % factor !== 0) continue;
      const form = { kind: "factor", decimals, factor, offset } as const;
      const [a, b] = [factor / scale, offset / scale];
      const found = inForm(column, form, (value) => Math.round((value - b) / a));
      if (found !== undefined) return { form, integers: found };
    }
  }
  return undefined;
}

/** The decimal numbers that all of a column are very close to. */
function nearDecimals(
  column: readonly number[],
): { readonly decimals: number; readonly integers: readonly number[] } | undefined {
  for (let decimals = 1; decimals <= DECIMALS_MAX; decimals += 1) {
    const scale = 10 ** decimals;
    const integers: number[] = [];
    for (const value of column) {
      const integer = Math.round(value * scale);
      const isNear = Math.abs(integer / scale - value) <= NEAR * Math.max(1, Math.abs(value));
      if (!isNear || Math.abs(integer) >= INTEGER_MAX) break;
      integers.push(integer);
    }
    if (integers.length === column.length) return { decimals, integers };
  }
  return undefined;
}

function inForm(
  column: readonly number[],
  form: NumberForm,
  integerOf: (value: number) => number,
): number[] | undefined {
  const back = numberIn(form);
  const integers: number[] = [];
  for (const value of column) {
    const integer = integerOf(value);
    // Written so that NaN fails too. −0 does not come back, and is no integer here.
    if (!(Math.abs(integer) < INTEGER_MAX) || !Object.is(back(integer), value)) return undefined;
    integers.push(integer);
  }
  return integers;
}

export function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** What an integer stands for. */
export function numberIn(form: NumberForm): (integer: number) => number {
  const scale = 10 ** form.decimals;
  if (form.kind === "decimal")
    return scale === 1 ? (integer) => integer : (integer) => integer / scale;
  const [factor, offset] = [form.factor / scale, form.offset / scale];
  return (integer) => integer * factor + offset;
}

/** A 1 for whole numbers; else a 0, the decimals, and whether factor and offset follow. */
export function writeForm(out: BitSink, form: NumberForm): void {
  if (form.kind === "decimal" && form.decimals === 0) {
    out.bits(1, 1);
    return;
  }
  out.bits(form.decimals, 1 + DECIMALS_BITS);
  out.bits(form.kind === "factor" ? 1 : 0, 1);
  if (form.kind === "decimal") return;
  writeSized(out, form.factor);
  writeSized(out, zigzagOf(form.offset));
}

/** Throws ProtocolError `malformed`. */
export function readForm(reader: BitReader): NumberForm {
  if (reader.bits(1) === 1) return { kind: "decimal", decimals: 0 };
  const decimals = reader.bits(DECIMALS_BITS);
  if (decimals > DECIMALS_MAX) throw new ProtocolError("malformed", "columns: too many decimals");
  if (reader.bits(1) === 0) return { kind: "decimal", decimals };
  const factor = readSized(reader);
  return { kind: "factor", decimals, factor, offset: fromZigzag(readSized(reader)) };
}
