/** Closing a segment: header over its body, signed, chained to the one before, written with the lane's new end. */
import {
  type Address,
  encodeRows,
  headerHash,
  LANES,
  type Lane,
  type SegmentCodec,
  type SigningKey,
  sha256,
  signHeader,
  ZERO_HASH,
} from "@kerbside/protocol";
import { placeKey } from "./place.ts";
import { type LaneRecord, SEGMENT_STATE, type Statements } from "./statements.ts";

/** The log that a segment belongs to. */
export type LogPlace = { readonly slot: number; readonly log: Uint8Array };
export type Signer = { readonly address: Address; readonly signingKey: SigningKey };

const NOTHING_YET: LaneRecord = { number: 0, seq: 0, hash: ZERO_HASH };
const EMPTY: Uint8Array = new Uint8Array();

export function laneEnd(statements: Statements, slot: number, lane: Lane): LaneRecord {
  return statements.lane.get(slot, LANES.indexOf(lane)) ?? NOTHING_YET;
}

type Content =
  | { readonly codec: Extract<SegmentCodec, "rows">; readonly rows: readonly Uint8Array[] }
  | { readonly codec: Extract<SegmentCodec, "gap">; readonly count: number };

/**
 * Writes the segment after `end`; its rows, if any, are in their table already. Runs inside the caller's
 * transaction. Returns the lane's new end. The same content after the same end gives the same bytes, always.
 */
export function writeSegment(
  statements: Statements,
  signer: Signer,
  { slot, log }: LogPlace,
  lane: Lane,
  end: LaneRecord,
  content: Content,
): LaneRecord & { readonly bytes: number } {
  const number = end.number + 1;
  const count = content.codec === "rows" ? content.rows.length : content.count;
  const header = signHeader(signer.signingKey, {
    ...signer.address,
    log,
    lane,
    number,
    firstSeq: end.seq + 1,
    count,
    ratchet: number - 1,
    codec: content.codec,
    bodyHash: sha256(content.codec === "rows" ? encodeRows(content.rows) : EMPTY),
    previousHash: end.hash,
  });
  const hash = headerHash(header);
  const rowBytes =
    content.codec === "rows" ? content.rows.reduce((n, row) => n + row.length, 0) : 0;
  const bytes = header.length + rowBytes;
  statements.putSegment.run({
    place: placeKey(lane, slot, number),
    first: end.seq + 1,
    count,
    bytes,
    state: SEGMENT_STATE.held,
    hash,
    replaced: null,
    header,
    body: content.codec === "rows" ? null : EMPTY,
  });
  const seq = end.seq + count;
  statements.putLane.run(slot, LANES.indexOf(lane), number, seq, hash);
  return { number, seq, hash, bytes };
}
