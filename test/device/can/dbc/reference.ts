/**
 * A decoder that is slow and plainly right: one bit at a time, straight from the words of the format. The
 * compiled codec is held against it on random databases and payloads.
 */
import type { DbcMessage, DbcMux, DbcSignal, RawValue } from "@kerbside/can";

/** Exact integers are bigints; floats are numbers. Null: a selector stands for nothing. */
export type Reference = Map<string, bigint | number> | null;

/** Bit 0 is the lowest of byte 0, bit 7 its highest, bit 8 the lowest of byte 1. */
function bitAt(data: Uint8Array, bit: number): bigint {
  return BigInt(((data[Math.floor(bit / 8)] ?? 0) >> (bit % 8)) & 1);
}

/** The numbers of a signal's bits, lowest first. */
function bitsOf(signal: DbcSignal): number[] {
  const bits: number[] = [];
  let bit = signal.start;
  for (let i = 0; i < signal.length; i++) {
    bits.push(bit);
    if (!signal.bigEndian) bit += 1;
    else bit = bit % 8 === 0 ? bit + 15 : bit - 1;
  }
  return signal.bigEndian ? bits.reverse() : bits;
}

export function referenceRaw(signal: DbcSignal, data: Uint8Array): bigint | number | null {
  const bits = bitsOf(signal);
  if (bits.some((bit) => bit >= data.length * 8)) return null;
  let value = 0n;
  for (const [i, bit] of bits.entries()) value += bitAt(data, bit) * 2n ** BigInt(i);
  if (signal.float) return floatOf(value, signal.length);
  const top = bits.at(-1);
  const negative = signal.signed && top !== undefined && bitAt(data, top) === 1n;
  return negative ? value - 2n ** BigInt(signal.length) : value;
}

/** IEEE 754 from its fields: sign, exponent, fraction. */
function floatOf(bits: bigint, length: number): number {
  const [exponentBits, fractionBits] = length === 64 ? [11, 52] : length === 32 ? [8, 23] : [5, 10];
  const fraction = Number(bits % 2n ** BigInt(fractionBits));
  const exponent = Number((bits >> BigInt(fractionBits)) % 2n ** BigInt(exponentBits));
  const sign = bits >> BigInt(length - 1) === 1n ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) {
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  const tiny = 2 ** (1 - bias - fractionBits);
  if (exponent === 0) return sign * fraction * tiny;
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

/** Each selector above a signal, with the values of it that the signal asks for. */
function conditionsOf(message: DbcMessage, signal: DbcSignal): [string, DbcMux["ranges"]][] {
  if (signal.mux === null) return [];
  const { parent, ranges } = signal.mux;
  const above = message.signals.find((s) => s.name === parent);
  return [[parent, ranges], ...(above === undefined ? [] : conditionsOf(message, above))];
}

/** Two signals that can stand in one frame claim one bit, or one a bit that the message has not. */
export function contradictsItself(message: DbcMessage): boolean {
  const { signals } = message;
  return signals.some((a, i) => {
    const bits = new Set(bitsOf(a));
    if ([...bits].some((bit) => bit >= message.length * 8)) return true;
    return signals.slice(i + 1).some((b) => {
      if (!bitsOf(b).some((bit) => bits.has(bit))) return false;
      const never = conditionsOf(message, a).some(([selector, values]) =>
        conditionsOf(message, b).some(
          ([other, others]) =>
            other === selector &&
            !values.some((x) => others.some((y) => x.from <= y.to && y.from <= x.to)),
        ),
      );
      return !never;
    });
  });
}

/** The signals a frame holds, by name; a later signal of the same name counts. */
export function referenceDecode(message: DbcMessage, data: Uint8Array): Reference {
  const found = new Map<string, bigint | number>();
  const refuses = !contradictsItself(message);
  const visit = (signals: readonly DbcSignal[]): boolean => {
    for (const signal of signals) {
      const raw = referenceRaw(signal, data);
      if (raw === null) continue;
      found.set(signal.name, raw);
      if (!signal.selector) continue;
      const hanging = message.signals.filter((s) => s.mux?.parent === signal.name);
      const value = Number(raw);
      const chosen = hanging.filter((s) =>
        s.mux?.ranges.some(({ from, to }) => from <= value && value <= to),
      );
      const meant = hanging.length > 0 || signal.choices.size > 0;
      if (refuses && meant && chosen.length === 0 && !signal.choices.has(value)) return false;
      if (!visit(chosen)) return false;
    }
    return true;
  };
  return visit(message.signals.filter((s) => s.mux === null)) ? found : null;
}

export function referencePhysical(signal: DbcSignal, raw: bigint | number): number {
  const scaled = Number(raw) * signal.scale;
  return scaled + signal.offset;
}

/** As the codec's raw values: numbers up to 53 bits. */
export function asRawValue(signal: DbcSignal, raw: bigint | number): RawValue {
  return signal.length > 53 && !signal.float ? raw : Number(raw);
}
