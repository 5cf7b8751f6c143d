/**
 * The keys of one lane's open segment. Stepping forgets the past: what was sealed before cannot be opened with what
 * is left in memory.
 */

import type { RowPlace } from "@kerbside/protocol";
import { aeadSeal, ratchetNext, rowBinding, rowKeyOf, rowNonce } from "@kerbside/protocol";

export type LaneKeys = {
  /** The index of the ratchet that gives the present keys, from 0. */
  readonly index: () => number;
  readonly sealRow: (place: RowPlace, plain: Uint8Array) => Uint8Array;
  /** Goes on to the next segment's keys and overwrites the present ones. */
  readonly step: () => void;
  /** Overwrites everything; nothing can be sealed afterwards. */
  readonly wipe: () => void;
};

/** Takes over `start` and overwrites it. */
export function laneKeys(start: Uint8Array): LaneKeys {
  let ratchet = start;
  let rowKey = rowKeyOf(ratchet);
  let index = 0;
  const wipe = (): void => {
    ratchet.fill(0);
    rowKey.fill(0);
  };
  return {
    index: () => index,
    sealRow: (place, plain) => aeadSeal(rowKey, rowNonce(place.seq), plain, rowBinding(place)),
    step: () => {
      const next = ratchetNext(ratchet);
      wipe();
      ratchet = next;
      rowKey = rowKeyOf(ratchet);
      index += 1;
    },
    wipe: () => {
      wipe();
      index = Number.NaN;
    },
  };
}
