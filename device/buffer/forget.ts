/**
 * What an acknowledgement lets the buffer forget. It must carry the MAC of that log's key, and for each number the
 * hash of the header that was sent under it; a number that was never sent is never forgotten, whatever anybody says.
 */
import {
  type Ack,
  type Address,
  equalBytes,
  LANES,
  type Lane,
  type LaneMark,
  ProtocolError,
  parseAck,
  parseOpeningRequest,
} from "@kerbside/protocol";
import { NUMBER_MAX, placeKey, placeOf } from "./place.ts";
import type { LogRecord, SegmentRecord, Statements } from "./statements.ts";
import { SEGMENT_STATE } from "./statements.ts";

export type AckOutcome =
  | { readonly kind: "taken"; readonly forgotten: readonly number[]; readonly bytes: number }
  | {
      readonly kind: "ignored";
      readonly reason: "malformed" | "other_car" | "no_such_log" | "forged" | "closed";
    };

type Believed = { readonly ack: Ack; readonly log: LogRecord };
export type Judged =
  /** Somebody does not know the opening of this log. Nobody needs a key to say so, and it is not for long. */
  | { readonly kind: "asked"; readonly log: LogRecord }
  | ({ readonly kind: "believed" } & Believed)
  | Extract<AckOutcome, { readonly kind: "ignored" }>;

/** Decides whether a message is to be believed; changes nothing. */
export function judgeAck(statements: Statements, address: Address, message: Uint8Array): Judged {
  const asked = parse(() => parseOpeningRequest(message));
  if (asked !== undefined) {
    if (asked.tenant !== address.tenant || asked.vehicle !== address.vehicle)
      return { kind: "ignored", reason: "other_car" };
    const log = statements.logById.get(asked.log);
    return log === undefined ? { kind: "ignored", reason: "no_such_log" } : { kind: "asked", log };
  }
  const parsed = parse(() => parseAck(message));
  if (parsed === undefined) return { kind: "ignored", reason: "malformed" };
  const { ack, verify } = parsed;
  if (ack.tenant !== address.tenant || ack.vehicle !== address.vehicle)
    return { kind: "ignored", reason: "other_car" };
  const log = statements.logById.get(ack.log);
  if (log === undefined) return { kind: "ignored", reason: "no_such_log" };
  return verify(log.ack_key)
    ? { kind: "believed", ack, log }
    : { kind: "ignored", reason: "forged" };
}

function parse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** The keys of the segments that it covers: sent by us, still held, under the hash that it names. */
export function coveredBy(
  statements: Statements,
  { ack, log }: Believed,
  sent: ReadonlySet<number>,
): readonly number[] {
  return ack.lanes.flatMap((mark) => coveredInLane(statements, log.slot, mark, sent));
}

function coveredInLane(
  statements: Statements,
  slot: number,
  { lane, upTo, hash, ranges }: LaneMark,
  sent: ReadonlySet<number>,
): readonly number[] {
  const all = [{ from: 1, to: upTo, hash }, ...ranges];
  return all.flatMap(({ from, to, hash: named }) => {
    if (from < 1 || to < from || to > NUMBER_MAX) return [];
    const last = statements.segment.get(placeKey(lane, slot, to));
    if (last === undefined || !standsFor(last, named)) return [];
    const places = statements.heldPlaces.all(placeKey(lane, slot, from), last.place);
    return places.map(({ place }) => place).filter((place) => sent.has(place));
  });
}

function standsFor(segment: SegmentRecord, hash: Uint8Array): boolean {
  const replaced = segment.replaced !== null && equalBytes(segment.replaced, hash);
  return replaced || equalBytes(segment.hash, hash);
}

/**
 * Forgets segments, inside the caller's transaction. Where an earlier one is still held, only the hash stays, so that
 * an acknowledgement that names the later number can still be checked. Returns the bytes set free.
 */
export function forget(statements: Statements, places: readonly number[]): number {
  let freed = 0;
  for (const place of places) {
    const segment = statements.segment.get(place);
    if (segment === undefined || segment.state === SEGMENT_STATE.stored) continue;
    const { lane, slot } = placeOf(place);
    const first = placeKey(lane, slot, segment.first);
    statements.deleteRows.run(first, first + segment.count - 1);
    statements.setStored.run(place);
    freed += segment.bytes;
  }
  const lanes = new Map(places.map((place) => [place - placeOf(place).number, placeOf(place)]));
  for (const { lane, slot } of lanes.values()) {
    // Whatever is stored up to the first that is not has nothing before it that needs its hash.
    const last = placeKey(lane, slot, NUMBER_MAX);
    const held = statements.heldPlaces.get(placeKey(lane, slot, 0), last)?.place;
    statements.deleteSegments.run(placeKey(lane, slot, 0), held === undefined ? last : held - 1);
  }
  return freed;
}

/**
 * Deletes logs of the past of which nothing is held; without a current one all are of the past. Inside the caller's
 * transaction.
 */
export function forgetEmptyLogs(statements: Statements, currentSlot?: number): void {
  for (const { slot } of statements.logs.all()) {
    if (slot === currentSlot) continue;
    const empty = LANES.every((lane) => {
      const range = rangeOf(lane, slot);
      // The first that is held answers it for nearly every log; the rest is counted only where there is none.
      return (
        statements.heldPlaces.get(...range) === undefined &&
        statements.segmentSizes.get(...range)?.count === 0 &&
        statements.rowSizes.get(...range)?.count === 0
      );
    });
    if (empty) deleteLog(statements, slot);
  }
}

/**
 * Gives up a whole log of the past, where there are more logs than slots. Inside the caller's transaction. Returns how
 * many events go with it.
 */
export function giveUpLog(statements: Statements, slot: number): number {
  let events = 0;
  for (const lane of LANES) {
    const range = rangeOf(lane, slot);
    events += statements.wholeEvents.get(...range)?.events ?? 0;
    statements.deleteRows.run(...range);
    statements.deleteSegments.run(...range);
  }
  deleteLog(statements, slot);
  return events;
}

function deleteLog(statements: Statements, slot: number): void {
  for (const lane of LANES) statements.deleteMarks.run(...rangeOf(lane, slot));
  statements.deleteLanes.run(slot);
  statements.deleteLog.run(slot);
}

function rangeOf(lane: Lane, slot: number): readonly [first: number, last: number] {
  return [placeKey(lane, slot, 0), placeKey(lane, slot, NUMBER_MAX)];
}
