/** Generated code for multiplexed messages: nested `if` chains over intervals of each selector's values. */
import type { DbcMessage, MuxRange } from "./model.ts";
import type { MuxPlan, Selector } from "./presence.ts";

export type Emit = {
  /** A statement that writes signal i to its slot. */
  readonly write: (signal: number) => string;
  /** An expression of signal i's raw value. */
  readonly raw: (signal: number) => string;
  /** Most writes the whole function may have. */
  readonly signalsMax: number;
};

/** Values from `from` to `to` select the signals in `active` (none: a value that a value table names). */
type Case = { from: number; to: number; active: number[] };

/** Null when the code would grow beyond `emit.signalsMax` writes. */
export function emitMux(message: DbcMessage, plan: MuxPlan, emit: Emit): string | null {
  const children = childrenOf(plan);
  const bySignal = new Map(plan.selectors.map((s) => [s.signal, s]));
  const count = message.signals.length;
  let left = emit.signalsMax;

  const block = (signals: readonly number[]): string | null => {
    let code = "";
    for (const i of signals) {
      if (--left < 0) return null;
      code += `${emit.write(i)}p[a+${i}]=1;`;
    }
    for (const i of signals) {
      const selector = bySignal.get(i);
      if (selector === undefined) continue;
      const chosen = choose(selector, children.get(i) ?? []);
      if (chosen === null) return null;
      code += chosen;
    }
    return code;
  };

  const choose = (selector: Selector, hanging: readonly number[]): string | null => {
    const cases = casesOf(message, selector, hanging, left);
    if (cases === null) return null;
    const i = selector.signal;
    let code = `const s${i}=${emit.raw(i)};`;
    const single = cases.every(({ from, to }) => from === to);
    const refuse = plan.refuses ? `{p.fill(0,a,a+${count});return 2;}` : "{}";
    if (single) code += `switch(s${i}){`;
    for (const { from, to, active } of cases) {
      const inner = block(active);
      if (inner === null) return null;
      code += single
        ? `case ${from}:{${inner}break;}`
        : `if(s${i}>=${from}&&s${i}<=${to}){${inner}}else `;
    }
    return code + (single ? `default:${refuse}}` : refuse);
  };

  const roots = message.signals.flatMap((_, i) => ((plan.parents[i] ?? -1) < 0 ? [i] : []));
  const body = block(roots);
  return body === null ? null : `p.fill(0,a,a+${count});${body}return 1;`;
}

function childrenOf(plan: MuxPlan): Map<number, number[]> {
  const children = new Map<number, number[]>();
  plan.parents.forEach((parent, i) => {
    if (parent < 0) return;
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [i]);
    else list.push(i);
  });
  return children;
}

/** Cuts the known values at every border of a range, so that within a case the same signals are active. */
function casesOf(
  message: DbcMessage,
  selector: Selector,
  hanging: readonly number[],
  signalsMax: number,
): Case[] | null {
  const rangesOf = (i: number): readonly MuxRange[] => message.signals[i]?.mux?.ranges ?? [];
  const known = selector.known.filter((r) => Number.isInteger(r.from) && Number.isInteger(r.to));
  const borders = [...new Set(known.flatMap(({ from, to }) => [from, to + 1]))];
  borders.sort((a, b) => a - b);
  if (borders.length > signalsMax) return null;
  const starts = new Map<number, number[]>();
  const ends = new Map<number, number[]>();
  const note = (map: Map<number, number[]>, at: number, i: number): void => {
    const list = map.get(at);
    if (list === undefined) map.set(at, [i]);
    else list.push(i);
  };
  const NAMED = -1;
  for (const i of hanging) {
    for (const { from, to } of rangesOf(i)) {
      note(starts, from, i);
      note(ends, to + 1, i);
    }
  }
  for (const { from, to } of known) {
    note(starts, from, NAMED);
    note(ends, to + 1, NAMED);
  }
  const open = new Map<number, number>();
  const cases: Case[] = [];
  let total = 0;
  for (const [k, from] of borders.entries()) {
    for (const i of ends.get(from) ?? []) open.set(i, (open.get(i) ?? 0) - 1);
    for (const i of starts.get(from) ?? []) open.set(i, (open.get(i) ?? 0) + 1);
    const next = borders[k + 1];
    if (next === undefined || (open.get(NAMED) ?? 0) === 0) continue;
    const active = hanging.filter((i) => (open.get(i) ?? 0) > 0);
    total += active.length + 1;
    if (total > signalsMax) return null;
    cases.push({ from, to: next - 1, active });
  }
  return cases;
}
