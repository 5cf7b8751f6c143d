/** One lane of the log under way: numbers events, seals them, and cuts them into segments. */
import { AEAD_TAG_BYTES, type Lane } from "@kerbside/protocol";
import type { LaneKeys } from "./lane-keys.ts";
import type { BufferLimits } from "./limits.ts";
import { placeKey } from "./place.ts";
import { type LogPlace, type Signer, writeSegment } from "./segment-writer.ts";
import type { LaneRecord, Statements } from "./statements.ts";

export type LaneWriter = {
  /** Seals and writes one event inside the caller's transaction. Returns its sequence number. */
  readonly add: (plain: Uint8Array, nowMs: number) => number;
  /** Closes the open segment, if there is one, inside the caller's transaction. */
  readonly close: () => void;
  /** When the open segment got its first event, on the boot clock; undefined where none is open. */
  readonly openedAtMs: () => number | undefined;
  /** Segments closed since this was last asked. */
  readonly takeClosed: () => number;
  readonly lastSeq: () => number;
  /** Overwrites the keys. */
  readonly wipe: () => void;
};

export function laneWriter(
  statements: Statements,
  signer: Signer,
  at: LogPlace,
  lane: Lane,
  start: LaneRecord,
  keys: LaneKeys,
  limits: BufferLimits,
): LaneWriter {
  let end = start;
  let seq = start.seq;
  let rows: Uint8Array[] = [];
  let rowBytes = 0;
  let openedAtMs: number | undefined;
  let closed = 0;
  const close = (): void => {
    if (rows.length === 0) return;
    end = writeSegment(statements, signer, at, lane, end, { codec: "rows", rows });
    keys.step();
    rows = [];
    rowBytes = 0;
    openedAtMs = undefined;
    closed += 1;
  };
  return {
    add: (plain, nowMs) => {
      const full = rowBytes + plain.length + AEAD_TAG_BYTES > limits.segmentBytesMax;
      if (full || rows.length >= limits.segmentEventsMax) close();
      seq += 1;
      const sealed = keys.sealRow({ log: at.log, lane, segment: end.number + 1, seq }, plain);
      statements.putRow.run(placeKey(lane, at.slot, seq), sealed);
      openedAtMs ??= nowMs;
      rows.push(sealed);
      rowBytes += sealed.length;
      return seq;
    },
    close,
    openedAtMs: () => openedAtMs,
    takeClosed: () => {
      const count = closed;
      closed = 0;
      return count;
    },
    lastSeq: () => seq,
    wipe: keys.wipe,
  };
}
