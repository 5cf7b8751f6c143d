/** One lane of the log under way: numbers events, seals them, and cuts them into segments. */
import { AEAD_TAG_BYTES, type Lane } from "@kerbside/protocol";
import type { LaneKeys } from "./lane-keys.ts";
import type { BufferLimits } from "./limits.ts";
import { packing, unpacked } from "./packing.ts";
import { placeKey } from "./place.ts";
import { type LogPlace, rewriteSegment, type Signer, writeSegment } from "./segment-writer.ts";
import type { LaneRecord, Statements } from "./statements.ts";

export type LaneWriter = {
  /** Seals and writes one event inside the caller's transaction. Returns its sequence number. */
  readonly add: (plain: Uint8Array, nowMs: number) => number;
  /**
   * Closes the open segment, if there is one, inside the caller's transaction. A big one is closed as the rows it has;
   * `pack` then makes columns of it, before it is sent.
   */
  readonly close: () => void;
  /** The key of the closed segment that is still to be packed and must not be sent before; undefined: none. */
  readonly packs: () => number | undefined;
  /** Goes on with it for a moment, at the end in a transaction of its own. Returns whether it is over with. */
  readonly pack: () => boolean;
  /** When the open segment got its first event, on the boot clock; undefined where none is open. */
  readonly openedAtMs: () => number | undefined;
  /** Segments closed since this was last asked, and how many bytes more they take than their rows did. */
  readonly takeClosed: () => { readonly segments: number; readonly bytes: number };
  readonly lastSeq: () => number;
  /** Segments closed in this log. */
  readonly segments: () => number;
  /** Overwrites the keys. */
  readonly wipe: () => void;
};

/** So few events are packed in the commit that closes them: some milliseconds. */
const PACKED_AT_ONCE_MAX = 64;

/** What fails leaves no key behind either: nobody has the packing then who would overwrite it. */
function orWipe<T>(packed: { readonly wipe: () => void }, run: () => T): T {
  try {
    return run();
  } catch (error) {
    packed.wipe();
    throw error;
  }
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
  const waiting = unpacked((pending, body) => {
    const { before, written, count } = pending;
    const content = { codec: "columns", body, count } as const;
    const again = rewriteSegment(statements, signer, at, lane, before, written.hash, content);
    // It may have had to give way meanwhile.
    if (again === undefined) return;
    closed = { ...closed, bytes: closed.bytes + again.bytes - written.bytes };
    end = again;
  });
  const close = (): void => {
    if (rows.length === 0) return;
    // Its header is named by the next one, so what is not packed by now stays as it is.
    waiting.giveUp();
    const place = { log: at.log, lane, number: end.number + 1, firstSeq: end.seq + 1 };
    const packed = packing(keys.bodySealer(), { ...place, count: rows.length }, plains, rowBytes);
    const before = end;
    const now = rows.length <= PACKED_AT_ONCE_MAX;
    const write = (): ReturnType<typeof writeSegment> => {
      const body = now ? packed.finish() : undefined;
      const content =
        body === undefined
          ? ({ codec: "rows", rows } as const)
          : ({ codec: "columns", body, count: rows.length } as const);
      return writeSegment(statements, signer, at, lane, before, content);
    };
    const written = orWipe(packed, write);
    if (now) packed.wipe();
    else waiting.set({ packing: packed, before, written, count: rows.length });
    end = written;
    keys.step();
    closed = { segments: closed.segments + 1, bytes: closed.bytes + written.bytes - rowBytes };
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
    packs: () => {
      const number = waiting.number();
      return number === undefined ? undefined : placeKey(lane, at.slot, number);
    },
    pack: waiting.step,
    openedAtMs: () => openedAtMs,
    takeClosed: () => {
      const taken = closed;
      closed = { segments: 0, bytes: 0 };
      return taken;
    },
    lastSeq: () => seq,
    segments: () => end.number,
    wipe: () => {
      waiting.giveUp();
      for (const plain of plains) plain.fill(0);
      keys.wipe();
    },
  };
}
