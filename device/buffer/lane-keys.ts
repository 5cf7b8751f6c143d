/**
 * The keys of one lane's open segment. Stepping forgets the past: what was sealed before cannot be opened with what
 * is left in memory.
 */

import {
  aeadSeal,
  type BodyPlace,
  type RowPlace,
  ratchetNext,
  rowBinding,
  rowKeyOf,
  rowNonce,
  sealColumns,
  segmentKeyOf,
  uint64,
} from "@kerbside/protocol";

export type LaneKeys = {
  /** The index of the ratchet that gives the present keys, from 0. */
  readonly index: () => number;
  readonly sealRow: (place: RowPlace, plain: Uint8Array) => Uint8Array;
  /** For the whole body of the open segment: its key, apart from all others. Before `step`. */
  readonly bodySealer: () => BodySealer;
  /** Goes on to the next segment's keys and overwrites the present ones. */
  readonly step: () => void;
  /** Overwrites everything; nothing can be sealed afterwards. */
  readonly wipe: () => void;
};

/** Encrypts one body, once, after the segment's other keys are gone. */
export type BodySealer = {
  readonly seal: (place: BodyPlace, columns: Uint8Array) => Uint8Array;
  readonly wipe: () => void;
};

/** Takes over `start` and overwrites it. */
export function laneKeys(start: Uint8Array): LaneKeys {
  let ratchet = start;
  let rowKey = rowKeyOf(ratchet);
  let index = 0;
  const nonce = rowNonce(0);
  let bound: { readonly segment: number; readonly to: Uint8Array } = { segment: 0, to: nonce };
  const wipe = (): void => {
    ratchet.fill(0);
    rowKey.fill(0);
  };
  return {
    index: () => index,
    sealRow: (place, plain) => {
      if (place.segment !== bound.segment)
        bound = { segment: place.segment, to: rowBinding(place) };
      // Only its number tells a row of a segment from the next: 8 bytes, at the end of both.
      const number = uint64(place.seq);
      nonce.set(number, nonce.length - number.length);
      bound.to.set(number, bound.to.length - number.length);
      return aeadSeal(rowKey, nonce, plain, bound.to);
    },
    bodySealer: () => {
      const key = segmentKeyOf(ratchet);
      return {
        seal: (place, columns) => sealColumns(key, place, columns),
        wipe: () => {
          key.fill(0);
        },
      };
    },
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
