/**
 * Foretelling an integer from those before it in its column. The first is 0, and what would stand before it is too.
 * All of it is exact: integers are below 2^48, so sums and shifts of a few of them are as well.
 */
import { ProtocolError } from "./errors.ts";

/** `line`: `from` + place × `slope`. `slope`: the last, and its slope over so many. `mean`: of the last so many. */
export const PREDICTORS = [
  { kind: "line" },
  { kind: "slope", over: 0 },
  { kind: "slope", over: 1 },
  { kind: "slope", over: 2 },
  { kind: "slope", over: 4 },
  { kind: "mean", over: 2 },
  { kind: "mean", over: 4 },
  { kind: "mean", over: 8 },
] as const;
export const PREDICTOR_BITS = 3;

export type Line = { readonly from: number; readonly slope: number };
const NO_LINE: Line = { from: 0, slope: 0 };
/** Sums of a few of them are still exact. */
export const VALUE_MAX: number = 2 ** 50;

/** The line that half of them lie above. `values[0]` is 0. */
export function lineOf(values: readonly number[]): Line {
  const slope = Math.round((values.at(-1) ?? 0) / Math.max(1, values.length - 1));
  const level = values.map((value, i) => value - i * slope).sort((a, b) => a - b);
  return { from: level[level.length >> 1] ?? 0, slope };
}

/** What is foretold wrongly, from the second of `values` on. */
export function residualsOf(
  values: readonly number[],
  predictor: number,
  line: Line = NO_LINE,
): number[] {
  const residuals: number[] = [];
  for (let i = 1; i < values.length; i += 1)
    residuals.push((values[i] ?? 0) - foretell(values, i, predictor, line));
  return residuals;
}

function foretell(
  values: readonly number[],
  i: number,
  predictor: number,
  { from, slope }: Line,
): number {
  const row = PREDICTORS[predictor];
  switch (row?.kind) {
    case "line":
      return from + i * slope;
    case "slope":
      return slopeOver(values, i, row.over);
    case "mean":
      return meanOver(values, i, row.over);
    case undefined:
      throw new ProtocolError("malformed", "columns: no such predictor");
  }
}

/**
 * Makes the first `count` of `values`, which hold 0 and then residuals, what the residuals were made from. Whoever calls
 * refuses them unless each is within `VALUE_MAX`. A loop for each rule: it runs for each number that a store takes in.
 */
export function restore(
  values: Float64Array,
  count: number,
  predictor: number,
  { from, slope }: Line,
): void {
  const row = PREDICTORS[predictor];
  switch (row?.kind) {
    case "line":
      for (let i = 1; i < count; i += 1) values[i] = from + i * slope + (values[i] as number);
      break;
    case "slope":
      if (row.over === 0) restoreFromLast(values, count);
      else restoreFromSlope(values, count, row.over);
      break;
    case "mean":
      restoreFromMean(values, count, row.over);
      break;
    case undefined:
      throw new ProtocolError("malformed", "columns: no such predictor");
  }
}

function restoreFromLast(values: Float64Array, count: number): void {
  let last = 0;
  for (let i = 1; i < count; i += 1) {
    last += values[i] as number;
    values[i] = last;
  }
}

function restoreFromSlope(values: Float64Array, count: number, over: 1 | 2 | 4): void {
  let last = 0;
  for (let i = 1; i < count; i += 1) {
    const before = i > over ? (values[i - 1 - over] as number) : 0;
    last += Math.floor((last - before) / over) + (values[i] as number);
    values[i] = last;
  }
}

function restoreFromMean(values: Float64Array, count: number, over: 2 | 4 | 8): void {
  let sum = 0;
  for (let i = 1; i < count; i += 1) {
    sum += values[i - 1] as number;
    if (i > over) sum -= values[i - 1 - over] as number;
    values[i] = Math.floor(sum / over) + (values[i] as number);
  }
}

function slopeOver(values: readonly number[], i: number, over: 0 | 1 | 2 | 4): number {
  const last = values[i - 1] as number;
  if (over === 0) return last;
  return last + Math.floor((last - (i > over ? (values[i - 1 - over] as number) : 0)) / over);
}

function meanOver(values: readonly number[], i: number, over: 2 | 4 | 8): number {
  let sum = 0;
  for (let at = Math.max(0, i - over); at < i; at += 1) sum += values[at] as number;
  return Math.floor(sum / over);
}
