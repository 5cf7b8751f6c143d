/**
 * What goes out next: `critical` first; after an outage one newest segment of `state`, so that the cloud soon knows
 * how the car stands; then the backlog, oldest first, `state` before `track`.
 */
import {
  encodeRows,
  LANES,
  type Lane,
  type SegmentMessage,
  shortenSegmentMessage,
} from "@kerbside/protocol";
import { laneRange, placeKey, placeOf } from "./place.ts";
import type { SegmentRecord, Statements } from "./statements.ts";

export type OutgoingSegment = {
  /** Names it between the buffer and who sends it; nothing else. */
  readonly key: number;
  readonly lane: Lane;
  /** As it goes on `up/{lane}`. */
  readonly message: Uint8Array;
};

export type NextOptions = {
  /** Keys of those that are under way. */
  readonly skip: ReadonlySet<number>;
  /** Whether the newest of `state` goes before the rest of it. */
  readonly newestStateFirst: boolean;
  /** Only of these; left out, of all. */
  readonly lanes?: readonly Lane[];
};

/** The place of the segment to be sent next, if there is one. */
export function nextPlace(
  statements: Statements,
  { skip, newestStateFirst, lanes = LANES }: NextOptions,
): number | undefined {
  for (const lane of LANES) {
    if (!lanes.includes(lane)) continue;
    const newest = lane === "state" && newestStateFirst;
    const places = newest ? statements.heldPlacesDown : statements.heldPlaces;
    for (const { place } of places.iterate(...laneRange(lane))) if (!skip.has(place)) return place;
  }
  return undefined;
}

export function outgoing(statements: Statements, record: SegmentRecord): OutgoingSegment {
  const { lane, slot } = placeOf(record.place);
  const log = statements.logBySlot.get(slot);
  if (log === undefined) throw new RangeError(`buffer: a segment of no log (slot ${slot})`);
  const message: SegmentMessage = {
    header: record.header,
    body: bodyOf(statements, record),
    ...(log.opening_known === 1 ? {} : { opening: log.opening }),
  };
  return { key: record.place, lane, message: shortenSegmentMessage(message) };
}

/** The body that goes with a segment's header. */
export function bodyOf(statements: Statements, record: SegmentRecord): Uint8Array {
  if (record.replaced !== null) return new Uint8Array();
  if (record.body !== null) return record.body;
  const { lane, slot } = placeOf(record.place);
  const first = placeKey(lane, slot, record.first);
  const rows = statements.rows.all(first, first + record.count - 1);
  return encodeRows(rows.map((row) => row.sealed));
}
