/**
 * Which signals a frame holds: multiplexing as a plan made once a message. A selector whose value stands
 * for nothing (no signal hangs on it, no value table names it) makes the whole frame undecodable, as the
 * reference implementations have it: then nobody knows what the rest of the bits mean. A message whose layout
 * contradicts itself they refuse as a whole, and it can only be read signal by signal: there such a value costs
 * what hangs on it, and nothing else.
 */
import { extractRaw, type Field, fieldOf } from "./extract.ts";
import { layoutIsSound } from "./layout-check.ts";
import type { DbcMessage, DbcSignal, MuxRange } from "./model.ts";

export type Selector = {
  /** Index of the selector among the message's signals. */
  readonly signal: number;
  /** Values that stand for something; at least one. */
  readonly known: readonly MuxRange[];
};

export type MuxPlan = {
  readonly fields: readonly Field[];
  readonly multiplexed: boolean;
  /** A selector stands before those that hang on it. */
  readonly selectors: readonly Selector[];
  /** Per signal: index of its selector, or -1. */
  readonly parents: readonly number[];
  /** A selector's value that stands for nothing makes the frame undecodable: the layout is sound. */
  readonly refuses: boolean;
};

export function planOf(message: DbcMessage): MuxPlan {
  const { signals } = message;
  const indexByName = new Map<string, number>();
  signals.forEach((s, i) => {
    if (!indexByName.has(s.name)) indexByName.set(s.name, i);
  });
  const parents = signals.map((s) => (s.mux === null ? -1 : (indexByName.get(s.mux.parent) ?? -1)));
  const children = new Map<number, MuxRange[]>();
  signals.forEach((s, i) => {
    const parent = parents[i] ?? -1;
    if (parent < 0 || s.mux === null) return;
    const ranges = children.get(parent);
    if (ranges === undefined) children.set(parent, [...s.mux.ranges]);
    else for (const range of s.mux.ranges) ranges.push(range);
  });
  const selectors: Selector[] = [];
  for (const [i, signal] of signals.entries()) {
    if (!signal.selector) continue;
    const known = [...(children.get(i) ?? []), ...namedValues(signal)];
    if (known.length > 0) selectors.push({ signal: i, known });
  }
  const depth = (i: number): number => {
    let levels = 0;
    for (let at = parents[i] ?? -1; at >= 0; at = parents[at] ?? -1) levels++;
    return levels;
  };
  selectors.sort((a, b) => depth(a.signal) - depth(b.signal));
  const multiplexed = selectors.length > 0 || parents.some((parent) => parent >= 0);
  const fields = signals.map(fieldOf);
  const refuses = selectors.length > 0 && layoutIsSound(message, fields, parents);
  return { fields, multiplexed, selectors, parents, refuses };
}

function namedValues(signal: DbcSignal): MuxRange[] {
  const ranges: MuxRange[] = [];
  for (const value of signal.choices.keys()) {
    if (typeof value === "number") ranges.push({ from: value, to: value });
  }
  return ranges;
}

export function within(ranges: readonly MuxRange[], value: number): boolean {
  return ranges.some(({ from, to }) => value >= from && value <= to);
}

/** A signal is `present`, or not in this frame; `unknown` is the selector that refuses the frame, or -1. */
export type Presence = { readonly present: readonly boolean[]; readonly unknown: number };

/** For any frame, however short: what ends beyond its bytes, or hangs on what does, is not present. */
export function presenceIn(message: DbcMessage, plan: MuxPlan, data: Uint8Array): Presence {
  const values = new Map<number, number>();
  const isPresent = (i: number): boolean => {
    if ((plan.fields[i]?.bytes ?? Number.POSITIVE_INFINITY) > data.length) return false;
    const parent = plan.parents[i] ?? -1;
    if (parent < 0) return true;
    const selected = values.get(parent);
    return selected !== undefined && within(message.signals[i]?.mux?.ranges ?? [], selected);
  };
  for (const { signal, known } of plan.selectors) {
    const field = plan.fields[signal];
    if (field === undefined || !isPresent(signal)) continue;
    const value = Number(extractRaw(field, data));
    if (plan.refuses && !within(known, value)) return { present: [], unknown: signal };
    values.set(signal, value);
  }
  return { present: message.signals.map((_, i) => isPresent(i)), unknown: -1 };
}
