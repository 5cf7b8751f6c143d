/** Values to the bytes of a frame. Nothing is clamped: what does not fit is an error that says why. */
import { type Field, insertRaw, NUMBER_BITS_MAX, type RawValue, rawLimits } from "./extract.ts";
import type { DbcMessage, DbcSignal } from "./model.ts";
import { type MuxPlan, presenceIn } from "./presence.ts";

/** By signal name: a physical value (a raw one under `raw`), or a word of the signal's value table. */
export type EncodeValues = Readonly<Record<string, RawValue | string>>;

export type EncodeOptions = {
  /** Values are raw: exact at any width. */
  readonly raw?: boolean;
  /** Bytes to start from instead of zeros, as long as the frame shall be. */
  readonly base?: Uint8Array;
};

/** The caller's values do not make a frame of this message. */
export class EncodeError extends Error {
  override readonly name = "EncodeError";
  readonly messageName: string;
  readonly signal: string | null;

  constructor(message: string, signal: string | null, reason: string) {
    super(`${signal === null ? message : `${message}.${signal}`}: ${reason}`);
    this.messageName = message;
    this.signal = signal;
  }
}

/**
 * Signals that are not named are 0 (or `base`'s). A selector that is not named takes the lowest value
 * that the signals named ask for.
 */
export function encodeMessage(
  message: DbcMessage,
  plan: MuxPlan,
  values: EncodeValues,
  options: EncodeOptions = {},
): Uint8Array {
  const data = options.base?.slice() ?? new Uint8Array(message.length);
  const raws = rawValues(message, values, options.raw === true);
  if (plan.multiplexed) inferSelectors(message, plan, raws, options.base !== undefined);
  for (let i = 0; i < raws.length; i += 1) {
    const raw = raws[i];
    if (raw !== undefined) write(message, plan, data, i, raw);
  }
  if (!plan.multiplexed) return data;
  const { present, unknown } = presenceIn(message, plan, data);
  if (unknown >= 0) {
    const name = message.signals[unknown]?.name ?? "";
    throw new EncodeError(message.name, name, "the selector's value stands for nothing");
  }
  for (const [i, signal] of message.signals.entries()) {
    if (present[i] === true || raws[i] === undefined) continue;
    const why = `it is only there for other values of ${signal.mux?.parent ?? "its selector"}`;
    throw new EncodeError(message.name, signal.name, why);
  }
  return data;
}

/** By index; undefined: not named. */
type Raws = (RawValue | undefined)[];

/** A name that occurs twice in a message sets every signal of that name. */
function rawValues(message: DbcMessage, values: EncodeValues, alreadyRaw: boolean): Raws {
  const indices = indicesOf(message);
  const raws: Raws = new Array(message.signals.length).fill(undefined);
  for (const name of Object.keys(values)) {
    const value = values[name];
    const named = indices.get(name);
    if (value === undefined || named === undefined)
      throw new EncodeError(message.name, name, "there is no such signal");
    for (const i of named) {
      const signal = message.signals[i];
      if (signal !== undefined) raws[i] = rawOf(message, signal, value, alreadyRaw);
    }
  }
  return raws;
}

const INDICES = new WeakMap<DbcMessage, ReadonlyMap<string, readonly number[]>>();

function indicesOf(message: DbcMessage): ReadonlyMap<string, readonly number[]> {
  const known = INDICES.get(message);
  if (known !== undefined) return known;
  const indices = new Map<string, number[]>();
  for (const [i, { name }] of message.signals.entries()) {
    const named = indices.get(name);
    if (named === undefined) indices.set(name, [i]);
    else named.push(i);
  }
  INDICES.set(message, indices);
  return indices;
}

function rawOf(
  message: DbcMessage,
  signal: DbcSignal,
  value: RawValue | string,
  alreadyRaw: boolean,
): RawValue {
  if (typeof value === "string") {
    for (const [raw, word] of signal.choices) if (word === value) return raw;
    throw new EncodeError(message.name, signal.name, `no value is called ${JSON.stringify(value)}`);
  }
  if (alreadyRaw) return value;
  if (signal.float) return (Number(value) - signal.offset) / signal.scale;
  if (typeof value === "bigint" && signal.scale === 1 && Number.isInteger(signal.offset)) {
    return value - BigInt(signal.offset);
  }
  return nearestRaw(signal, Number(value));
}

/** The raw value whose physical one is `value`, or comes nearest where there is none. */
function nearestRaw(signal: DbcSignal, value: number): number {
  if (signal.scale === 0) return 0;
  const near = Math.round((value - signal.offset) / signal.scale);
  if (near * signal.scale + signal.offset === value) return near;
  if ((near - 1) * signal.scale + signal.offset === value) return near - 1;
  return (near + 1) * signal.scale + signal.offset === value ? near + 1 : near;
}

function inferSelectors(message: DbcMessage, plan: MuxPlan, raws: Raws, hasBase: boolean): void {
  if (hasBase) return;
  for (const [named, given] of [...raws].entries()) {
    if (given === undefined) continue;
    let child = named;
    for (let up = plan.parents[child] ?? -1; up >= 0; up = plan.parents[child] ?? -1) {
      if (raws[up] !== undefined) break;
      const from = (message.signals[child]?.mux?.ranges ?? []).map((range) => range.from);
      raws[up] = Math.min(...from);
      child = up;
    }
  }
}

/** Signal `i` alone, in place. Throws EncodeError if it does not fit; whether it is there is the caller's to know. */
export function write(
  message: DbcMessage,
  plan: MuxPlan,
  data: Uint8Array,
  i: number,
  raw: RawValue,
): void {
  const field = plan.fields[i];
  const signal = message.signals[i];
  if (field === undefined || signal === undefined) return;
  const problem = field.bytes > data.length ? endsBeyond(field, data) : unfit(field, raw);
  if (problem !== null) throw new EncodeError(message.name, signal.name, problem);
  insertRaw(field, data, raw);
}

function endsBeyond(field: Field, data: Uint8Array): string {
  return `it ends in byte ${field.bytes} of a frame of ${data.length}`;
}

function unfit(field: Field, raw: RawValue): string | null {
  if (field.float) return null;
  if (typeof raw === "number" && !Number.isInteger(raw)) {
    return `${raw} is no whole number of steps`;
  }
  const isExact = typeof raw === "number" && field.length < NUMBER_BITS_MAX;
  if (isExact && raw >= field.low && raw <= field.high) return null;
  const { min, max } = rawLimits(field);
  return raw < min || raw > max ? `the raw value ${raw} is not within ${min} to ${max}` : null;
}
