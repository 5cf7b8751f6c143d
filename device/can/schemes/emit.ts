/** Templates of events: checked when a scheme is accepted, filled when its rule fires. */
import {
  type EventKind,
  eventDataCodec,
  isSignalName,
  type NewEvent,
  ProtocolError,
  type SignalName,
  signalRow,
} from "@kerbside/protocol";
import { compileExpression, type Expression, ExpressionError } from "../expression/index.ts";
import type { Emit } from "./model.ts";
import { type View, variableType } from "./view.ts";

/** An event to be collected; it carries its time where that is not the moment of the rule. */
export type Collected = NewEvent & { readonly bootMs: number };

type Field = { readonly name: string; readonly read: (view: View) => unknown };
export type Template = {
  /** Undefined: something that the kind needs is not known, or lies outside its bounds. */
  readonly fill: (view: View, bootMs: number) => Collected | undefined;
  /** The signals it reads. */
  readonly signals: readonly SignalName[];
};

type Report = (path: string, message: string) => void;

/** An event if the data are what its kind asks for; else undefined. */
export function eventOf(kind: EventKind, data: unknown, bootMs: number): Collected | undefined {
  const event = { kind, data, bootMs };
  return isCollected(event) ? event : undefined;
}

function isCollected(event: {
  kind: EventKind;
  data: unknown;
  bootMs: number;
}): event is Collected {
  return dataProblem(event.kind, event.data) === undefined;
}

function dataProblem(kind: EventKind, data: unknown): string | undefined {
  try {
    eventDataCodec(kind).toCbor(data, kind);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.message;
  }
}

/** Reports what can be known to be wrong before the first event. */
export function templateOf(emit: Emit, report: Report): Template {
  const { kind } = emit;
  const shape = eventDataCodec(kind).fields ?? {};
  const fields: Field[] = [];
  const signals = new Set<SignalName>();
  for (const [name, source] of Object.entries(emit.data)) {
    const field = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (field === undefined) {
      report(`/data/${name}`, `${kind} has no such field`);
      continue;
    }
    if (isSignalName(source)) {
      signals.add(source);
      if (!fits(field.codec, samplesOfSignal(source))) {
        report(`/data/${name}`, `expected ${field.codec.describe}`);
      }
      fields.push({ name, read: (view) => view.signal(source) });
      continue;
    }
    const expression = expressionOf(source, `/data/${name}`, report);
    if (expression === undefined) continue;
    for (const variable of expression.names) if (isSignalName(variable)) signals.add(variable);
    if (!fits(field.codec, samplesOf(expression))) {
      report(`/data/${name}`, `expected ${field.codec.describe}`);
    }
    fields.push({ name, read: (view) => expression.evaluate(view.read) });
  }
  for (const [name, field] of Object.entries(shape)) {
    if (!field.optional && !Object.hasOwn(emit.data, name)) {
      report("/data", `${kind} needs ${name}`);
    }
  }
  const fill = (view: View, bootMs: number): Collected | undefined => {
    const data: Record<string, unknown> = {};
    for (const { name, read } of fields) {
      const value = read(view);
      if (value !== undefined) data[name] = value;
    }
    return eventOf(kind, data, bootMs);
  };
  return { fill, signals: [...signals] };
}

export function expressionOf(
  source: string,
  path: string,
  report: Report,
  expected?: "boolean",
): Expression | undefined {
  try {
    return compileExpression(source, variableType, expected);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report(path, error.message);
    return undefined;
  }
}

type Probe = { toCbor(value: unknown, where: string): unknown };

/** Whether a field takes at least one of the values. */
function fits(codec: Probe, samples: readonly unknown[]): boolean {
  return samples.some((sample) => {
    try {
      codec.toCbor(sample, "");
      return true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return false;
    }
  });
}

/** Values that stand for all of a type where the expression is not constant. */
function samplesOf(expression: Expression): readonly unknown[] {
  if (expression.names.length === 0) return [expression.evaluate(() => undefined)];
  switch (expression.type) {
    case "boolean":
      return [true];
    case "number":
      return [0, 1, -1];
    case "string":
      return ["", "text"];
  }
}

function samplesOfSignal(name: SignalName): readonly unknown[] {
  const { type, values } = signalRow(name);
  switch (type) {
    case "boolean":
      return [true];
    case "float":
    case "uint32":
      return [0, 1, -1];
    case "string":
      return values ?? ["text"];
    case "string[]":
      return [["P0420"]];
  }
}
