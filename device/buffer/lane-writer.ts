/** One lane of the log under way: numbers events, seals them, and cuts them into segments. */
import {
  AEAD_TAG_BYTES,
  type BodyPlace,
  decodeColumns,
  encodeColumns,
  equalBytes,
  type Lane,
} from "@kerbside/protocol";
import type { LaneKeys } from "./lane-keys.ts";
import type { BufferLimits } from "./limits.ts";
import { placeKey } from "./place.ts";
import { type Content, type LogPlace, type Signer, writeSegment } from "./segment-writer.ts";
import type { LaneRecord, Statements } from "./statements.ts";

export type LaneWriter = {
  /** Seals and writes one event inside the caller's transaction. Returns its sequence number. */
  readonly add: (plain: Uint8Array, nowMs: number) => number;
  /** Closes the open segment, if there is one, inside the caller's transaction. */
  readonly close: () => void;
  /** When the open segment got its first event, on the boot clock; undefined where none is open. */
  readonly openedAtMs: () => number | undefined;
  /** Segments closed since this was last asked, and how many bytes more they take than their rows did. */
  readonly takeClosed: () => { readonly segments: number; readonly bytes: number };
  readonly lastSeq: () => number;
  /** Overwrites the keys. */
  readonly wipe: () => void;
};

/**
 * The events as columns where that is shorter, else the rows as they are. That the columns give back just these events
 * is seen before the rows are given up.
 */
function packed(
  keys: LaneKeys,
  place: BodyPlace,
  plains: readonly Uint8Array[],
  rows: readonly Uint8Array[],
): Content {
  const columns = encodeColumns(plains);
  const rowBytes = rows.reduce((sum, row) => sum + row.length, 0);
  if (columns.length + AEAD_TAG_BYTES >= rowBytes) return { codec: "rows", rows };
  const back = decodeColumns(columns, plains.length);
  const same = back.every((event, i) => equalBytes(event, plains[i] ?? new Uint8Array()));
  if (!same || back.length !== plains.length) return { codec: "rows", rows };
  return { codec: "columns", body: keys.sealBody(place, columns), count: plains.length };
}

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
  let plains: Uint8Array[] = [];
  let rowBytes = 0;
  let openedAtMs: number | undefined;
  let closed = { segments: 0, bytes: 0 };
  const close = (): void => {
    if (rows.length === 0) return;
    const place = { log: at.log, lane, number: end.number + 1, firstSeq: end.seq + 1 };
    const content = packed(keys, { ...place, count: rows.length }, plains, rows);
    const written = writeSegment(statements, signer, at, lane, end, content);
    end = written;
    keys.step();
    closed = { segments: closed.segments + 1, bytes: closed.bytes + written.bytes - rowBytes };
    for (const plain of plains) plain.fill(0);
    rows = [];
    plains = [];
    rowBytes = 0;
    openedAtMs = undefined;
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
      plains.push(plain);
      rowBytes += sealed.length;
      return seq;
    },
    close,
    openedAtMs: () => openedAtMs,
    takeClosed: () => {
      const taken = closed;
      closed = { segments: 0, bytes: 0 };
      return taken;
    },
    lastSeq: () => seq,
    wipe: keys.wipe,
  };
}
