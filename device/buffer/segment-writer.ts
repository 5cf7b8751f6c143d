/** Closing a segment: header over its body, signed, chained to the one before, written with the lane's new end. */
import {
  type Address,
  encodeRows,
  equalBytes,
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
import {
  type LaneRecord,
  SEGMENT_STATE,
  type SegmentRecord,
  type Statements,
} from "./statements.ts";

/** The log that a segment belongs to. */
export type LogPlace = { readonly slot: number; readonly log: Uint8Array };
export type Signer = { readonly address: Address; readonly signingKey: SigningKey };

const NOTHING_YET: LaneRecord = { number: 0, seq: 0, hash: ZERO_HASH };
const EMPTY: Uint8Array = new Uint8Array();

export function laneEnd(statements: Statements, slot: number, lane: Lane): LaneRecord {
  return statements.lane.get(slot, LANES.indexOf(lane)) ?? NOTHING_YET;
}

export type Content =
  /** The rows are in their table and stay there: the body is put together when it is sent. */
  | { readonly codec: Extract<SegmentCodec, "rows">; readonly rows: readonly Uint8Array[] }
  /** The body takes the place of the rows, which are deleted. */
  | {
      readonly codec: Extract<SegmentCodec, "columns">;
      readonly body: Uint8Array;
      readonly count: number;
    }
  | { readonly codec: Extract<SegmentCodec, "gap">; readonly count: number };

type Body = {
  readonly bytes: Uint8Array;
  readonly stored: Uint8Array | null;
  readonly count: number;
};

function bodyOfContent(content: Content): Body {
  switch (content.codec) {
    case "rows":
      return { bytes: encodeRows(content.rows), stored: null, count: content.rows.length };
    case "columns":
      return { bytes: content.body, stored: content.body, count: content.count };
    case "gap":
      return { bytes: EMPTY, stored: EMPTY, count: content.count };
    default:
      throw new Error(`segment: ${JSON.stringify(content satisfies never)}`);
  }
}

type Written = LaneRecord & { readonly bytes: number };

/**
 * Writes the segment after `end`. Runs inside the caller's transaction. Returns the lane's new end and the bytes that
 * the segment takes. The same content after the same end gives the same bytes, always.
 */
export function writeSegment(
  statements: Statements,
  signer: Signer,
  at: LogPlace,
  lane: Lane,
  end: LaneRecord,
  content: Content,
): Written {
  const { written, record } = segmentAfter(signer, at, lane, end, content);
  statements.putSegment.run(record);
  const first = placeKey(lane, at.slot, record.first);
  if (content.codec === "columns")
    statements.deleteRows.run(first, placeKey(lane, at.slot, written.seq));
  const { number, seq, hash } = written;
  statements.putLane.run(at.slot, LANES.indexOf(lane), number, seq, hash);
  return written;
}

/**
 * Gives the lane's last segment another form, in a commit of its own. Only for one that never left the car. Returns
 * undefined, having changed nothing, where it no longer is what it was (`hash`): it had to give way.
 */
export function rewriteSegment(
  statements: Statements,
  signer: Signer,
  at: LogPlace,
  lane: Lane,
  end: LaneRecord,
  hash: Uint8Array,
  content: Extract<Content, { readonly codec: "columns" }>,
): Written | undefined {
  const place = placeKey(lane, at.slot, end.number + 1);
  const held = statements.segment.get(place);
  if (held === undefined || !equalBytes(held.hash, hash)) return undefined;
  statements.deleteSegments.run(place, place);
  return writeSegment(statements, signer, at, lane, end, content);
}

function segmentAfter(
  signer: Signer,
  { slot, log }: LogPlace,
  lane: Lane,
  end: LaneRecord,
  content: Content,
): { readonly written: Written; readonly record: SegmentRecord } {
  const number = end.number + 1;
  const first = end.seq + 1;
  const body = bodyOfContent(content);
  const header = signHeader(signer.signingKey, {
    ...signer.address,
    log,
    lane,
    number,
    firstSeq: first,
    count: body.count,
    ratchet: number - 1,
    codec: content.codec,
    bodyHash: sha256(body.bytes),
    previousHash: end.hash,
  });
  const hash = headerHash(header);
  const bytes = header.length + body.bytes.length;
  const record = {
    place: placeKey(lane, slot, number),
    first,
    count: body.count,
    bytes,
    state: SEGMENT_STATE.held,
    hash,
    replaced: null,
    header,
    body: body.stored,
  };
  return { written: { number, seq: end.seq + body.count, hash, bytes }, record };
}
