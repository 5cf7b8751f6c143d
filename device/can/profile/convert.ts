/** From a signal's physical value to a value of its leaf. Faults and "not available" come out as undefined. */
import {
  type SignalName,
  type SignalRow,
  type SignalValue,
  signalRow,
  signalValueError,
} from "@kerbside/protocol";
import type { CompiledMessage } from "../dbc/index.ts";
import { compileExpression, ExpressionError, type ExpressionType } from "../expression/index.ts";
import type { Dbc2Vss, MappingRow } from "./model.ts";

/** Undefined: unknown. What it gives may still lie outside the leaf's range. */
export type Convert = (physical: number) => SignalValue | undefined;

/** What is wrong, and where below the leaf's `dbc2vss`. */
export type ConvertProblem = { readonly path: string; readonly message: string };

export type Converter = {
  readonly convert: Convert;
  /** Whether it gives every number back as it is, so that it need not be called. */
  readonly plain: boolean;
  readonly problems: readonly ConvertProblem[];
};

/** The type that an expression or a row of a mapping must give for a leaf. */
export function expressionTypeOf(row: SignalRow): ExpressionType {
  switch (row.type) {
    case "boolean":
      return "boolean";
    case "float":
    case "uint32":
      return "number";
    case "string":
    case "string[]":
      return "string";
  }
}

export function converterOf(
  name: SignalName,
  rule: Dbc2Vss,
  message: CompiledMessage,
  slot: number,
): Converter {
  const problems: ConvertProblem[] = [];
  const report = (path: string, text: string): void => {
    problems.push({ path, message: text });
  };
  const unknown = unknownsOf(rule, message, slot, report);
  const known = transformOf(name, rule, message, slot, report);
  const convert: Convert =
    unknown.size === 0
      ? (x) => (Number.isNaN(x) ? undefined : known(x))
      : (x) => (Number.isNaN(x) || unknown.has(x) ? undefined : known(x));
  const plain = rule.transform === undefined && unknown.size === 0;
  return { convert, plain: plain && signalRow(name).type === "float", problems };
}

type Report = (path: string, message: string) => void;

/** The raw value of a word of the signal's value table. */
function rawOfWord(
  message: CompiledMessage,
  slot: number,
  word: string,
): number | bigint | undefined {
  for (const [raw, text] of message.message.signals[slot]?.choices ?? []) {
    if (text === word) return raw;
  }
  return undefined;
}

function unknownsOf(
  rule: Dbc2Vss,
  message: CompiledMessage,
  slot: number,
  report: Report,
): ReadonlySet<number> {
  const values = new Set<number>();
  for (const [i, code] of (rule.unknown ?? []).entries()) {
    const raw = typeof code === "string" ? rawOfWord(message, slot, code) : code;
    if (raw === undefined) report(`/unknown/${i}`, `no value of the signal is called "${code}"`);
    else values.add(message.physicalOf(slot, raw));
  }
  return values;
}

function transformOf(
  name: SignalName,
  rule: Dbc2Vss,
  message: CompiledMessage,
  slot: number,
  report: Report,
): Convert {
  const row = signalRow(name);
  const { transform } = rule;
  if (transform?.mapping !== undefined) {
    return mappingOf(name, transform.mapping, message, slot, report);
  }
  if (transform?.math !== undefined) return mathOf(row, transform.math, report);
  switch (row.type) {
    case "boolean":
      return (x) => (x === 0 ? false : x === 1 ? true : undefined);
    case "float":
      return (x) => x;
    case "uint32":
      return Math.round;
    case "string":
    case "string[]":
      report("", `a ${row.type} needs "text", or a mapping`);
      return () => undefined;
  }
}

function mathOf(row: SignalRow, source: string, report: Report): Convert {
  try {
    const scope = (variable: string): ExpressionType | undefined =>
      variable === "x" ? "number" : undefined;
    const expression = compileExpression(source, scope, expressionTypeOf(row));
    return (x) => expression.evaluate(() => x);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report("/transform/math", error.message);
    return () => undefined;
  }
}

function mappingOf(
  name: SignalName,
  rows: readonly MappingRow[],
  message: CompiledMessage,
  slot: number,
  report: Report,
): Convert {
  const values = new Map<number, SignalValue>();
  for (const [i, { from, to }] of rows.entries()) {
    const path = `/transform/mapping/${i}`;
    const raw = typeof from === "string" ? rawOfWord(message, slot, from) : undefined;
    const physical = raw === undefined ? from : message.physicalOf(slot, raw);
    const problem = signalValueError(name, to);
    if (typeof physical === "string") {
      report(`${path}/from`, `no value of the signal is called "${from}"`);
    } else if (problem !== undefined) report(`${path}/to`, problem);
    else if (values.has(physical)) report(`${path}/from`, `${from} is mapped twice`);
    else values.set(physical, to);
  }
  return (x) => values.get(x);
}
