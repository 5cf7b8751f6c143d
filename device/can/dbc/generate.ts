/**
 * Source text of a decoder for one message. It is made of numbers that were checked (bit places, factors)
 * and of fixed words only; no name, unit or comment of a DBC ever enters it. See
 * docs/decisions/0010-generated-decoders.md.
 */
import type { Field } from "./extract.ts";
import { emitMux } from "./generate-mux.ts";
import type { Piece } from "./layout.ts";
import type { DbcMessage, DbcSignal } from "./model.ts";
import type { MuxPlan } from "./presence.ts";

/** All signals of the message were written. */
export const DECODED_ALL = 0;
/** Only those whose `present` is 1 were written: the frame is short or multiplexed. */
export const DECODED_SOME = 1;
/** A selector has a value that stands for nothing; what slots hold means nothing. */
export const DECODED_NONE = 2;
export type DecodeStatus = typeof DECODED_ALL | typeof DECODED_SOME | typeof DECODED_NONE;

/**
 * Writes the physical value of signal i to slots[at + i]. `present[at + i]` is set, to 1 or 0 for every
 * signal, unless DECODED_ALL is returned. Slots of absent signals keep what they held.
 */
export type DecodeInto = (
  data: Uint8Array,
  slots: Float64Array,
  at: number,
  present: Uint8Array,
) => DecodeStatus;

/** What generated code calls: the frame is shorter than the message; a signal that has no short form. */
export type Helpers = {
  readonly partial: DecodeInto;
  readonly slow: (signal: number, data: Uint8Array) => number;
};

const LIMB = 4294967296;
/** Beyond these the table-driven decoder is used: no file of a car comes near. */
const SOURCE_SIGNALS_MAX = 4096;

/** Null if the message is too large for a function of its own. */
export function generateSource(message: DbcMessage, plan: MuxPlan): string | null {
  const bytesUsed = new Set<number>();
  const write = (i: number): string => `o[a+${i}]=${valueExpression(message, plan, i, bytesUsed)};`;
  const body = plan.multiplexed
    ? emitMux(message, plan, {
        write,
        raw: (i) => selectorExpression(plan, i, bytesUsed),
        signalsMax: SOURCE_SIGNALS_MAX,
      })
    : emitAll(message, write);
  if (body === null) return null;
  const status = plan.multiplexed ? "" : `return ${DECODED_ALL};`;
  const short = `if(d.length<${bytesOf(plan)})return partial(d,o,a,p);`;
  return `"use strict";return function(d,o,a,p){${short}${loadBytes(bytesUsed)}${body}${status}};`;
}

/** A function from a whole frame to an object; null for what only slots can hold: multiplexed, too large. */
function generateObjectSource(message: DbcMessage, plan: MuxPlan): string | null {
  if (plan.multiplexed) return null;
  const bytesUsed = new Set<number>();
  const body = emitAll(
    message,
    (i) => `r[n[${i}]]=${valueExpression(message, plan, i, bytesUsed)};`,
  );
  if (body === null) return null;
  const short = `if(d.length<${bytesOf(plan)})return null;`;
  return `return function(d){${short}${loadBytes(bytesUsed)}const r=new R();${body}return r;};`;
}

function emitAll(message: DbcMessage, write: (i: number) => string): string | null {
  if (message.signals.length > SOURCE_SIGNALS_MAX) return null;
  return message.signals.map((_, i) => write(i)).join("");
}

/** Bytes of a frame that holds every signal. */
function bytesOf(plan: MuxPlan): number {
  return plan.fields.reduce((most, f) => Math.max(most, f.bytes), 0);
}

function loadBytes(bytesUsed: ReadonlySet<number>): string {
  const loads = [...bytesUsed].sort((x, y) => x - y).map((b) => `b${b}=d[${b}]`);
  return loads.length === 0 ? "" : `const ${loads.join(",")};`;
}

function valueExpression(
  message: DbcMessage,
  plan: MuxPlan,
  i: number,
  bytesUsed: Set<number>,
): string {
  const signal = message.signals[i];
  const field = plan.fields[i];
  if (signal === undefined || field === undefined) return "0";
  for (const piece of field.pieces) bytesUsed.add(piece.byte);
  return physical(signal, rawExpression(field, i));
}

function selectorExpression(plan: MuxPlan, i: number, bytesUsed: Set<number>): string {
  const field = plan.fields[i];
  if (field === undefined) return "0";
  for (const piece of field.pieces) bytesUsed.add(piece.byte);
  return rawExpression(field, i);
}

/** A double-valued expression over the bytes b0, b1, …; exact to 53 bits, then rounded once. */
function rawExpression(field: Field, index: number): string {
  const { length, signed } = field;
  if (length > 64 || (field.float && length === 16)) return `slow(${index},d)`;
  const low = limb(field.pieces, 0);
  const high = limb(field.pieces, 1);
  if (field.float) {
    if (length === 32) return `(u32[0]=${low},f32[0])`;
    return `(u32[0]=${low},u32[1]=${high},f64[0])`;
  }
  if (length <= 32) {
    if (signed) return length === 32 ? `(${low}|0)` : extendSign(low, 32 - length);
    return length === 32 ? `(${low}>>>0)` : `(${low})`;
  }
  const highLength = length - 32;
  const top = signed
    ? highLength === 32
      ? `(${high}|0)`
      : extendSign(high, 32 - highLength)
    : `(${high}>>>0)`;
  return `(${top}*${LIMB}+(${low}>>>0))`;
}

function extendSign(expression: string, unused: number): string {
  return `((${expression})<<${unused}>>${unused})`;
}

/** The 32 raw bits of limb `which` as an integer expression of undefined sign. */
function limb(pieces: readonly Piece[], which: 0 | 1): string {
  const terms = pieces
    .filter(({ place }) => place >> 5 === which)
    .map(({ byte, shift, width, place }) => {
      const up = place & 31;
      const shifted = shift === 0 ? `b${byte}` : `b${byte}>>${shift}`;
      const masked = shift + width === 8 ? shifted : `(${shifted})&${(1 << width) - 1}`;
      return up === 0 ? `(${masked})` : `(${masked})<<${up}`;
    });
  return terms.length === 0 ? "0" : `(${terms.join("|")})`;
}

/** raw × scale + offset, in that order; steps that change nothing, not even the sign of zero, are left out. */
function physical(signal: DbcSignal, raw: string): string {
  const { scale, offset, float } = signal;
  const plain = !float && scale === 1;
  if (plain && offset === 0) return raw;
  return plain ? `${raw}+${literal(offset)}` : `${raw}*${literal(scale)}+${literal(offset)}`;
}

export function literal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`no finite number: ${value}`);
  return `(${value})`;
}

const u32 = new Uint32Array(2);
const f32 = new Float32Array(u32.buffer);
const f64 = new Float64Array(u32.buffer);
f64[0] = 1;
/** Which of two words of a double comes first; every machine this runs on is little-endian. */
if (u32[1] !== 0x3ff00000) throw new Error("the decoder needs a little-endian machine");

/** How objects of one message are made. */
export type ObjectMaker = {
  /** From a frame that holds every signal of a message that is not multiplexed; null for any other. */
  readonly fromFrame: (data: Uint8Array) => Record<string, number> | null;
  /** From slots; of those only whose `present` is 1, if it is given. */
  readonly fromSlots: (slots: Float64Array, present: Uint8Array | null) => Record<string, number>;
};

/** What objects inherit: nothing. A signal may be called `__proto__` or `constructor`. */
const NO_NAMES: object = Object.freeze(Object.create(null));
let makers = 0;

/**
 * One store a signal, each with a name of its own, so that every object of a message gets the same shape.
 * The names come in as values. A running number makes each source different: the engine would share what
 * it learnt of the names between functions of the same text, and then store by look-up.
 */
export function instantiateObjects(
  message: DbcMessage,
  plan: MuxPlan,
  helpers: Helpers,
): ObjectMaker {
  const names = message.signals.map((s) => s.name);
  const head = `"use strict";/*${++makers}*/function R(){}R.prototype=P;`;
  const all = names.map((_, i) => `r[n[${i}]]=o[${i}];`).join("");
  const some = names.map((_, i) => `if(p[${i}]===1)r[n[${i}]]=o[${i}];`).join("");
  const body = `const r=new R();if(p===null){${all}}else{${some}}return r;`;
  const source = generateObjectSource(message, plan) ?? "return function(){return null;};";
  const args = ["P", "n", "u32", "f32", "f64", "slow"];
  const values = [NO_NAMES, names, u32, f32, f64, helpers.slow];
  return {
    fromFrame: new Function(...args, head + source)(...values),
    fromSlots: new Function(...args, `${head}return function(o,p){${body}};`)(...values),
  };
}

/** Turns source made above into a decoder. */
export function instantiate(source: string, helpers: Helpers): DecodeInto {
  const make = new Function("u32", "f32", "f64", "partial", "slow", source);
  return make(u32, f32, f64, helpers.partial, helpers.slow);
}
