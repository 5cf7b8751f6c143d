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
  inferSelectors(message, plan, raws, options.base !== undefined);
  for (const [i, raw] of raws) write(message, plan, data, i, raw);
  if (!plan.multiplexed) return data;
  const { present, unknown } = presenceIn(message, plan, data);
  if (unknown >= 0) {
    const name = message.signals[unknown]?.name ?? "";
    throw new EncodeError(message.name, name, "the selector's value stands for nothing");
  }
  for (const [i] of raws) {
    const signal = message.signals[i];
    if (present[i] === true || signal === undefined) continue;
    const why = `it is only there for other values of ${signal.mux?.parent ?? "its selector"}`;
    throw new EncodeError(message.name, signal.name, why);
  }
  return data;
}

/** By index. A name that occurs twice in a message sets every signal of that name. */
function rawValues(
  message: DbcMessage,
  values: EncodeValues,
  alreadyRaw: boolean,
): Map<number, RawValue> {
  const raws = new Map<number, RawValue>();
  for (const [i, signal] of message.signals.entries()) {
    const value = Object.hasOwn(values, signal.name) ? values[signal.name] : undefined;
    if (value === undefined) continue;
    raws.set(i, rawOf(message, signal, value, alreadyRaw));
  }
  for (const name of Object.keys(values)) {
    if (values[name] === undefined || !namesOf(message).has(name))
      throw new EncodeError(message.name, name, "there is no such signal");
  }
  return raws;
}

const NAMES = new WeakMap<DbcMessage, ReadonlySet<string>>();

function namesOf(message: DbcMessage): ReadonlySet<string> {
  let names = NAMES.get(message);
  if (names === undefined) {
    names = new Set(message.signals.map(({ name }) => name));
    NAMES.set(message, names);
  }
  return names;
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
  for (const raw of [near, near - 1, near + 1]) {
    if (raw * signal.scale + signal.offset === value) return raw;
  }
  return near;
}

function inferSelectors(
  message: DbcMessage,
  plan: MuxPlan,
  raws: Map<number, RawValue>,
  hasBase: boolean,
): void {
  if (hasBase) return;
  for (const named of [...raws.keys()]) {
    let child = named;
    for (let up = plan.parents[child] ?? -1; up >= 0; up = plan.parents[child] ?? -1) {
      if (raws.has(up)) break;
      const from = (message.signals[child]?.mux?.ranges ?? []).map((range) => range.from);
      raws.set(up, Math.min(...from));
      child = up;
    }
  }
}

function write(
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
  if (typeof raw === "number" && field.length < NUMBER_BITS_MAX) {
    const half = 2 ** (field.length - 1);
    const [low, high] = field.signed ? [-half, half - 1] : [0, 2 * half - 1];
    if (raw >= low && raw <= high) return null;
  }
  const { min, max } = rawLimits(field);
  return raw < min || raw > max ? `the raw value ${raw} is not within ${min} to ${max}` : null;
}
