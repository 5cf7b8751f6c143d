/**
 * Where a row or a segment stands in its table: lane, slot of its log, and number, in one integer of 53 bits that
 * is the table's primary key. So a lane's oldest comes first, a segment's rows are one range, and no index is needed.
 */
import { LANES, type Lane } from "@kerbside/protocol";

/** Logs held at once; the lowest free slot is taken again when they run out. */
export const SLOT_MAX: number = 2 ** 15 - 1;
/** Sequence and segment numbers in one log: 21 years at 100 events a second. */
export const NUMBER_MAX: number = 2 ** 36 - 1;

export type Place = { readonly lane: Lane; readonly slot: number; readonly number: number };

/** The key of a place. Throws RangeError where a part has outgrown its bits. */
export function placeKey(lane: Lane, slot: number, number: number): number {
  if (slot < 0 || slot > SLOT_MAX || number < 0 || number > NUMBER_MAX) {
    throw new RangeError(`place: slot ${slot}, number ${number} do not fit`);
  }
  return (LANES.indexOf(lane) * (SLOT_MAX + 1) + slot) * (NUMBER_MAX + 1) + number;
}

export function placeOf(key: number): Place {
  const number = key % (NUMBER_MAX + 1);
  const rest = (key - number) / (NUMBER_MAX + 1);
  const slot = rest % (SLOT_MAX + 1);
  const lane = LANES[(rest - slot) / (SLOT_MAX + 1)];
  if (lane === undefined) throw new RangeError(`place: no lane in ${key}`);
  return { lane, slot, number };
}

/** The first and the last key of a lane, of all logs. */
export function laneRange(lane: Lane): readonly [first: number, last: number] {
  return [placeKey(lane, 0, 0), placeKey(lane, SLOT_MAX, NUMBER_MAX)];
}
