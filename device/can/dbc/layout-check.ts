/** Whether the layout of a message contradicts itself: bits that two signals claim at once, or that the frame has not. */
import type { Field } from "./extract.ts";
import type { DbcMessage, MuxRange } from "./model.ts";

/** Beyond this many signals nothing is compared, and the layout counts as sound. */
const COMPARED_SIGNALS_MAX = 1024;
const NO_RANGES: readonly MuxRange[] = [];

/** Signals that never stand in the same frame may share bits. `parents`: per signal its selector's index, or -1. */
export function layoutIsSound(
  message: DbcMessage,
  fields: readonly Field[],
  parents: readonly number[],
): boolean {
  if (fields.some(({ bytes }) => bytes > message.length)) return false;
  if (fields.length > COMPARED_SIGNALS_MAX) return true;
  const masks = fields.map(({ pieces }) => {
    const mask = new Map<number, number>();
    for (const { byte, shift, width } of pieces) {
      mask.set(byte, (mask.get(byte) ?? 0) | (((1 << width) - 1) << shift));
    }
    return mask;
  });
  const share = (a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean => {
    for (const [byte, bits] of a) if ((bits & (b.get(byte) ?? 0)) !== 0) return true;
    return false;
  };
  return masks.every((mask, i) =>
    masks.every((other, k) => k <= i || !share(mask, other) || exclusive(message, parents, i, k)),
  );
}

/** Somewhere above both is one selector whose values for the one are none of those for the other. */
function exclusive(message: DbcMessage, parents: readonly number[], a: number, b: number): boolean {
  const rangesOf = (i: number): readonly MuxRange[] => message.signals[i]?.mux?.ranges ?? NO_RANGES;
  for (let i = a; i >= 0; i = parents[i] ?? -1) {
    for (let k = b; k >= 0; k = parents[k] ?? -1) {
      const parent = parents[i] ?? -1;
      if (parent < 0 || parent !== parents[k]) continue;
      const meets = (x: MuxRange): boolean =>
        rangesOf(k).some((y) => x.from <= y.to && y.from <= x.to);
      if (!rangesOf(i).some(meets)) return true;
    }
  }
  return false;
}
