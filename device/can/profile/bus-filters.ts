/** The frames a profile wants of the bus, as kernel filters. */
import { type CanFilter, FILTERS_MAX, filtersFor } from "../bus/filters.ts";
import type { CompiledProfile } from "./link.ts";

const EFF_FLAG = 0x8000_0000;
/** Where cars answer diagnosis: 0x7E8 to 0x7EF, and 18DAF1xx (ISO 15765-4 §6.3). */
const OBD_ANSWERS: readonly CanFilter[] = [
  { id: 0x7e8, mask: (0x7f8 | EFF_FLAG) >>> 0 },
  { id: (0x18daf100 | EFF_FLAG) >>> 0, mask: (0x1fffff00 | EFF_FLAG) >>> 0 },
];
/** And where testers ask: while another one does, ours keeps quiet. */
const OBD_QUESTIONS: readonly CanFilter[] = [
  { id: 0x7df, mask: (0x7ff | EFF_FLAG) >>> 0 },
  { id: 0x7e0, mask: (0x7f8 | EFF_FLAG) >>> 0 },
  { id: (0x18da00f1 | EFF_FLAG) >>> 0, mask: (0x1fff00ff | EFF_FLAG) >>> 0 },
  { id: (0x18db33f1 | EFF_FLAG) >>> 0, mask: (0x1fffffff | EFF_FLAG) >>> 0 },
];

/** Empty, so that everything passes, where there would be more than the kernel takes. */
export function busFiltersOf({ messages, profile }: CompiledProfile): readonly CanFilter[] {
  const wanted = filtersFor(messages.map(({ compiled }) => compiled.message));
  if (wanted.length === 0 && messages.length > 0) return [];
  const all = profile.obd === undefined ? wanted : [...wanted, ...OBD_ANSWERS, ...OBD_QUESTIONS];
  return all.length > FILTERS_MAX ? [] : all;
}
