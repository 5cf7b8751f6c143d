/**
 * Making columns of a closed segment in steps, so that no append waits for all of it: some events at a time, then the
 * body, then the check that it gives back just these events, which is seen before the rows are given up.
 */
import {
  AEAD_TAG_BYTES,
  type BodyPlace,
  columnsEncoder,
  decodeColumns,
  equalBytes,
} from "@kerbside/protocol";
import type { BodySealer } from "./lane-keys.ts";
import type { LaneRecord } from "./statements.ts";

/** Events of one step: about a millisecond. */
const STEP_EVENTS = 128;

/** `done` without a body: the rows are shorter, or the columns do not give them back. */
export type PackingStep =
  | { readonly kind: "more" }
  | { readonly kind: "done"; readonly body?: Uint8Array };

export type Packing = {
  readonly step: () => PackingStep;
  /** All steps that are left. Returns the body, if there is one. */
  readonly finish: () => Uint8Array | undefined;
  /** Overwrites the key and the events. */
  readonly wipe: () => void;
};

const MORE: PackingStep = { kind: "more" };
const NOTHING: PackingStep = { kind: "done" };

/** Takes over `plains` and `sealer`. `rowBytes`: what the body must be shorter than. */
export function packing(
  sealer: BodySealer,
  place: BodyPlace,
  plains: readonly Uint8Array[],
  rowBytes: number,
): Packing {
  const encoder = columnsEncoder();
  let added = 0;
  let columns: Uint8Array | undefined;
  const step = (): PackingStep => {
    if (added < plains.length) {
      for (const plain of plains.slice(added, added + STEP_EVENTS)) encoder.add(plain);
      added += STEP_EVENTS;
      return MORE;
    }
    if (columns === undefined) {
      columns = encoder.done();
      return columns.length + AEAD_TAG_BYTES >= rowBytes ? NOTHING : MORE;
    }
    const back = decodeColumns(columns, plains.length);
    const same = back.every((event, i) => equalBytes(event, plains[i] ?? new Uint8Array()));
    return same && back.length === plains.length
      ? { kind: "done", body: sealer.seal(place, columns) }
      : NOTHING;
  };
  return {
    step,
    finish: () => {
      for (;;) {
        const now = step();
        if (now.kind === "done") return now.body;
      }
    },
    wipe: () => {
      sealer.wipe();
      columns?.fill(0);
      for (const plain of plains) plain.fill(0);
    },
  };
}

/** A segment that is closed as rows, and what its columns will take the place of. */
export type Unpacked = {
  readonly packing: Packing;
  readonly before: LaneRecord;
  readonly written: LaneRecord & { readonly bytes: number };
  readonly count: number;
};
/** A place for one of them. */
export type UnpackedPlace = {
  readonly set: (segment: Unpacked) => void;
  /** Its number; undefined: there is none. */
  readonly number: () => number | undefined;
  /** Goes on with it for a moment, at the end by `settle`. Returns whether it is over with. */
  readonly step: () => boolean;
  /** Leaves it as the rows it is. */
  readonly giveUp: () => void;
};

export function unpacked(settle: (segment: Unpacked, body: Uint8Array) => void): UnpackedPlace {
  let held: Unpacked | undefined;
  const giveUp = (): void => {
    held?.packing.wipe();
    held = undefined;
  };
  return {
    set: (segment) => {
      held = segment;
    },
    number: () => held?.written.number,
    step: () => {
      if (held === undefined) return true;
      const step = held.packing.step();
      if (step.kind === "more") return false;
      if (step.body !== undefined) settle(held, step.body);
      giveUp();
      return true;
    },
    giveUp,
  };
}
