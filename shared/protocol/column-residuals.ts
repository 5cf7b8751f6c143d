/**
 * What is left of a column when each number has been foretold: small integers, whose size changes slowly. Each is
 * written with a code that was made for the size of those before it (`column-codes.ts`), so that a standing car costs
 * next to nothing and a lively signal is not written with the code of a calm one.
 */
import {
  type BitReader,
  type BitSink,
  fromZigzag,
  readSized,
  writeSized,
  zigzagOf,
} from "./bits.ts";
import { decoderOf, LOOK_BITS, RUN_CODE, VALUE_CODES } from "./column-codes.ts";

/** Where residuals go: the symbols of the codes, and bits beside them. */
export type ResidualSink = BitSink & {
  readonly symbol: (code: number, symbol: number) => void;
};

/** Symbols of a value: itself below 32, then halves of octaves up to 1024, then one for all that is longer. */
const DIRECT = 32;
const DIRECT_LOG2 = 5;
const BUCKETS_END = 1024;
const ESCAPE = DIRECT + 2 * 5;
/** Symbols of a run of zeros: its length below 8, then halves of octaves up to 4096, then one for all the rest. */
const RUN_DIRECT = 8;
const RUN_DIRECT_LOG2 = 3;
const RUN_REST = RUN_DIRECT + 2 * 9;

/** The mean is over about so many residuals; kept as that many times itself. */
const MEAN_OVER_LOG2 = 3;
const MEAN_ROUND: number = 2 ** MEAN_OVER_LOG2 - 1;
/** So that the mean stays an integer of 32 bits. */
const SIZE_MAX: number = 2 ** 26;
/** From this level on a value is shifted down to the codes of the last octave, and its lowest bits stand by themselves. */
const LEVEL_MAX: number = VALUE_CODES - 1;

/** The start of the mean that stands for exponent `start`: 0, 1, 2, 4, … */
export const START_BITS = 5;
export const START_MAX = 28;
function meanAt(start: number): number {
  return start === 0 ? 0 : 2 ** (start - 1);
}

/** The exponent that suits the first of them. */
export function startOf(residuals: readonly number[]): number {
  const first = residuals.slice(0, 6);
  const sum = first.reduce((total, value) => total + Math.min(SIZE_MAX, Math.abs(value)), 0);
  if (sum === 0) return 0;
  const mean = (sum * 2 ** MEAN_OVER_LOG2) / first.length;
  return Math.min(START_MAX, Math.max(0, Math.round(Math.log2(mean)) + 1));
}

/** Half octaves: 0, 1, 2, 3, then two for each power of two. */
function levelOf(mean: number): number {
  if (mean < 2) return mean;
  const octave = 31 - Math.clz32(mean);
  return 2 * octave + ((mean >>> (octave - 1)) & 1);
}

function nextMean(mean: number, residual: number): number {
  const size = residual < 0 ? -residual : residual;
  return mean - ((mean + MEAN_ROUND) >> MEAN_OVER_LOG2) + (size < SIZE_MAX ? size : SIZE_MAX);
}

export function writeResiduals(
  out: ResidualSink,
  residuals: readonly number[],
  start: number,
): void {
  let mean = meanAt(start);
  for (let i = 0; i < residuals.length; i += 1) {
    const level = levelOf(mean);
    if (level === 0) {
      const run = zerosFrom(residuals, i);
      i += run;
      if (i >= residuals.length) {
        out.symbol(RUN_CODE, RUN_REST);
        return;
      }
      writeRun(out, run);
      const residual = residuals[i] ?? 0;
      writeValue(out, 0, zigzagOf(residual) - 1);
      mean = nextMean(0, residual);
      continue;
    }
    const residual = residuals[i] ?? 0;
    const shift = level > LEVEL_MAX ? (level - LEVEL_MAX + 1) >> 1 : 0;
    const value = zigzagOf(residual);
    writeValue(out, level - 2 * shift, Math.floor(value / 2 ** shift));
    if (shift > 0) out.bits(value % 2 ** shift, shift);
    mean = nextMean(mean, residual);
  }
}

function zerosFrom(residuals: readonly number[], from: number): number {
  let at = from;
  while (at < residuals.length && residuals[at] === 0) at += 1;
  return at - from;
}

function writeRun(out: ResidualSink, run: number): void {
  if (run < RUN_DIRECT) {
    out.symbol(RUN_CODE, run);
    return;
  }
  const octave = 31 - Math.clz32(run);
  const half = (run >>> (octave - 1)) & 1;
  out.symbol(RUN_CODE, RUN_DIRECT + 2 * (octave - RUN_DIRECT_LOG2) + half);
  out.bits(run % 2 ** (octave - 1), octave - 1);
}

function writeValue(out: ResidualSink, code: number, value: number): void {
  if (value < DIRECT) out.symbol(code, value);
  else if (value < BUCKETS_END) {
    const octave = 31 - Math.clz32(value);
    const half = (value >>> (octave - 1)) & 1;
    out.symbol(code, DIRECT + 2 * (octave - DIRECT_LOG2) + half);
    out.bits(value % 2 ** (octave - 1), octave - 1);
  } else {
    out.symbol(code, ESCAPE);
    writeSized(out, value);
  }
}

/**
 * Writes a 0 to `into`, then as many residuals as make it `count`. Throws ProtocolError `malformed` for a number that is
 * too long; the reader's end is not looked at.
 */
export function readResiduals(
  reader: BitReader,
  count: number,
  start: number,
  into: Float64Array,
): void {
  into[0] = 0;
  let mean = meanAt(start);
  for (let at = 1; at < count; ) {
    const level = levelOf(mean);
    if (level === 0) {
      const left = count - at;
      const run = Math.min(left, readRun(reader, left));
      into.fill(0, at, at + run);
      at += run;
      if (run === left) break;
      const residual = fromZigzag(readValue(reader, 0) + 1);
      into[at] = residual;
      at += 1;
      mean = nextMean(0, residual);
      continue;
    }
    const shift = level > LEVEL_MAX ? (level - LEVEL_MAX + 1) >> 1 : 0;
    let value = readValue(reader, level - 2 * shift);
    if (shift > 0) value = value * 2 ** shift + reader.bits(shift);
    // Most are small enough for the shifts of 32 bits.
    const residual = value < SMALL ? (value >> 1) ^ -(value & 1) : fromZigzag(value);
    into[at] = residual;
    at += 1;
    mean = nextMean(mean, residual);
  }
}
const SMALL: number = 2 ** 31;

function readSymbol(reader: BitReader, code: number): number {
  return reader.symbol(decoderOf(code), LOOK_BITS);
}

function readRun(reader: BitReader, left: number): number {
  const symbol = readSymbol(reader, RUN_CODE);
  if (symbol < RUN_DIRECT) return symbol;
  if (symbol === RUN_REST) return left;
  const octave = RUN_DIRECT_LOG2 + ((symbol - RUN_DIRECT) >> 1);
  const half = (symbol - RUN_DIRECT) & 1;
  return 2 ** octave + half * 2 ** (octave - 1) + reader.bits(octave - 1);
}

function readValue(reader: BitReader, code: number): number {
  const symbol = readSymbol(reader, code);
  if (symbol < DIRECT) return symbol;
  if (symbol === ESCAPE) return readSized(reader);
  const octave = DIRECT_LOG2 + ((symbol - DIRECT) >> 1);
  const half = (symbol - DIRECT) & 1;
  return 2 ** octave + half * 2 ** (octave - 1) + reader.bits(octave - 1);
}
