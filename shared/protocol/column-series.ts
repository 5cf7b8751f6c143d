/**
 * A column of numbers in the packed form. As integers, where they can be; each foretold from those before it by
 * whichever rule leaves least, and the rest written as residuals. Numbers that are no such integers stand as floats.
 */
import {
  type BitReader,
  BitWriter,
  fromZigzag,
  readCount,
  readLong,
  readSized,
  writeCount,
  writeLong,
  writeSized,
  zigzagOf,
} from "./bits.ts";
import { codeOf, lengthOf } from "./column-codes.ts";
import {
  type Line,
  lineOf,
  PREDICTOR_BITS,
  PREDICTORS,
  residualsOf,
  restore,
  VALUE_MAX,
} from "./column-predict.ts";
import {
  type ResidualSink,
  readResiduals,
  START_BITS,
  START_MAX,
  startOf,
  writeResiduals,
} from "./column-residuals.ts";
import { gcd, integersOf, type NumberForm, numberIn, readForm, writeForm } from "./column-scale.ts";
import { ProtocolError } from "./errors.ts";

const FLOAT_BITS = 64;
const NO_LINE: Line = { from: 0, slope: 0 };
/** Whole numbers with this bound come back exactly when stepped, summed and scaled. */
const INTEGER_MAX: number = 2 ** 52;

/** Bits, and the symbols of the trained codes among them. */
export class SeriesWriter extends BitWriter implements ResidualSink {
  symbol(code: number, symbol: number): void {
    this.bits(codeOf(code, symbol), lengthOf(code, symbol));
  }
}

/** How many bits residuals would take. */
function costOf(residuals: readonly number[], start: number): number {
  let bits = 0;
  const counter: ResidualSink = {
    bits: (_, count) => {
      bits += count;
    },
    symbol: (code, symbol) => {
      bits += lengthOf(code, symbol);
    },
  };
  writeResiduals(counter, residuals, start);
  return bits;
}

/** Returns whether they were written as integers: floats by themselves are long. */
export function writeSeries(out: SeriesWriter, column: readonly number[]): boolean {
  const found = integersOf(column);
  if (found === undefined) {
    out.bits(0, 2);
    writeFloats(out, column);
    return false;
  }
  const [base = 0] = found.integers;
  const steps = found.integers.map((integer) => integer - base);
  const step = steps.reduce((common, value) => gcd(common, Math.abs(value)), 0);
  if (step === 0) {
    out.bits(1, 1);
    writeForm(out, found.form);
    writeSized(out, zigzagOf(base));
    return true;
  }
  out.bits(1, 2);
  writeForm(out, found.form);
  writeSized(out, zigzagOf(base));
  writeStep(out, step);
  writeForetold(
    out,
    steps.map((value) => value / step),
  );
  return true;
}

function writeStep(out: BitWriter, step: number): void {
  out.bits(step === 1 ? 0 : 1, 1);
  if (step !== 1) writeSized(out, step);
}

/** Of all rules the one that leaves least. `values[0]` is 0. */
function bestForetold(values: readonly number[]): Foretold {
  let best: (Foretold & { readonly cost: number }) | undefined;
  for (const predictor of PREDICTORS.keys()) {
    const line = PREDICTORS[predictor]?.kind === "line" ? lineOf(values) : NO_LINE;
    const residuals = residualsOf(values, predictor, line);
    const start = startOf(residuals);
    const cost = costOf(residuals, start) + (line === NO_LINE ? 0 : LINE_COST);
    if (best === undefined || cost < best.cost) best = { predictor, line, residuals, start, cost };
  }
  if (best === undefined) throw new Error("columns: no predictor");
  return best;
}
/** About what a line takes beside its residuals, in bits. */
const LINE_COST = 20;

type Foretold = {
  readonly predictor: number;
  readonly line: Line;
  readonly residuals: readonly number[];
  readonly start: number;
};

function writeForetold(out: SeriesWriter, values: readonly number[]): void {
  const { predictor, line, residuals, start } = bestForetold(values);
  out.bits(predictor, PREDICTOR_BITS);
  if (PREDICTORS[predictor]?.kind === "line") {
    writeSized(out, zigzagOf(line.from));
    writeSized(out, zigzagOf(line.slope));
  }
  out.bits(start, START_BITS);
  writeResiduals(out, residuals, start);
}

/** Tells the symbols that whole numbers would be written with: codes are trained on these. */
export function traceSeries(
  integers: readonly number[],
  symbol: (code: number, symbol: number) => void,
): void {
  const [base = 0] = integers;
  if (integers.every((integer) => integer === base)) return;
  const { residuals, start } = bestForetold(integers.map((integer) => integer - base));
  writeResiduals({ bits: () => undefined, symbol }, residuals, start);
}

/** Each as a big-endian 64-bit float, and how many that are the same follow it. */
function writeFloats(out: BitWriter, column: readonly number[]): void {
  const view = new DataView(new ArrayBuffer(FLOAT_BITS / 8));
  for (let i = 0; i < column.length; ) {
    const value = column[i] ?? 0;
    let same = 0;
    while (i + same + 1 < column.length && Object.is(column[i + same + 1], value)) same += 1;
    view.setFloat64(0, value);
    writeLong(out, view.getUint32(0), 32);
    writeLong(out, view.getUint32(4), 32);
    writeCount(out, same);
    i += same + 1;
  }
}

/** `count` numbers, 1 at least. Throws ProtocolError `malformed`. */
export function readSeries(reader: BitReader, count: number): number[] {
  if (reader.bits(1) === 1) {
    const back = numberIn(readForm(reader));
    const value = back(fromZigzag(readSized(reader)));
    reader.check();
    return new Array<number>(count).fill(value);
  }
  if (reader.bits(1) === 0) return readFloats(reader, count);
  const form = readForm(reader);
  const base = fromZigzag(readSized(reader));
  const step = reader.bits(1) === 0 ? 1 : readSized(reader);
  const values = readForetold(reader, count);
  reader.check();
  return scaled(values, count, base, step, form);
}

/** What the integers `base` + `step` × value stand for. Throws ProtocolError `malformed` where one is out of bounds. */
function scaled(
  values: Float64Array,
  count: number,
  base: number,
  step: number,
  form: NumberForm,
): number[] {
  const unit = 10 ** form.decimals;
  const factor = form.kind === "factor" ? form.factor / unit : 1;
  const offset = form.kind === "factor" ? form.offset / unit : 0;
  const divisor = form.kind === "factor" ? 1 : unit;
  const found = new Array<number>(count);
  let inBounds = true;
  for (let i = 0; i < count; i += 1) {
    const value = values[i] as number;
    const integer = base + step * value;
    if (!(Math.abs(value) < VALUE_MAX && Math.abs(integer) < INTEGER_MAX)) inBounds = false;
    // One of the two does nothing, bit by bit: x / 1, and x × 1 + 0.
    found[i] = divisor === 1 ? integer * factor + offset : integer / divisor;
  }
  if (!inBounds) throw new ProtocolError("malformed", "columns: a number out of bounds");
  return found;
}

/** Where the numbers of a column stand while they are made: it is read anew for each, and kept by nobody. */
let work = new Float64Array(1024);

function readForetold(reader: BitReader, count: number): Float64Array {
  const predictor = reader.bits(PREDICTOR_BITS);
  const isLine = PREDICTORS[predictor]?.kind === "line";
  const line = isLine
    ? { from: fromZigzag(readSized(reader)), slope: fromZigzag(readSized(reader)) }
    : NO_LINE;
  const start = reader.bits(START_BITS);
  if (start > START_MAX) throw new ProtocolError("malformed", "columns: a start out of bounds");
  if (work.length < count) work = new Float64Array(count);
  readResiduals(reader, count, start, work);
  restore(work, count, predictor, line);
  return work;
}

function readFloats(reader: BitReader, count: number): number[] {
  const view = new DataView(new ArrayBuffer(FLOAT_BITS / 8));
  const values: number[] = [];
  while (values.length < count) {
    view.setUint32(0, readLong(reader, 32));
    view.setUint32(4, readLong(reader, 32));
    const value = view.getFloat64(0);
    const same = readCount(reader);
    reader.check();
    if (same >= count - values.length)
      throw new ProtocolError("malformed", "columns: expected no more numbers");
    for (let i = 0; i <= same; i += 1) values.push(value);
  }
  return values;
}
