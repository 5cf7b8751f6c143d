/**
 * What can be said of a message. First whether it is authentic: signed by the car that the topic names, over this body.
 * Then, with the log's keys, whether it can be read. The two failures have different ends; see the package's head.
 */
import {
  aeadOpen,
  type CheckedColumns,
  decodeEvent,
  decodeRows,
  EVENT_KINDS,
  type EventKind,
  equalBytes,
  keyIdOf,
  type Lane,
  type LogOpening,
  type OpenedSegment,
  openHeaderAside,
  openOpening,
  ProtocolError,
  parseSegmentMessage,
  rowBinding,
  rowNonce,
  type SegmentHeader,
  type SourceMessage,
  sha256,
  type VerifyKey,
} from "@kerbside/protocol";
import type { LogKeys } from "./log-keys.ts";
import { type Openers, openersHere } from "./opener.ts";

/** A message whose header, body and opening the car has signed. */
export type AuthenticSegment = {
  readonly header: SegmentHeader;
  readonly headerHash: Uint8Array;
  readonly body: Uint8Array;
  readonly opening?: LogOpening;
};

function refuse(why: string): never {
  throw new ProtocolError("unauthenticated", why);
}

/** Rejects with ProtocolError `malformed` or `unauthenticated`. */
export async function authenticate(
  message: SourceMessage,
  key: VerifyKey,
): Promise<AuthenticSegment> {
  const { topic, payload, certificate } = message;
  const { tenant, vehicle } = topic;
  if (certificate !== undefined) {
    const same = certificate.tenant === tenant && certificate.vehicle === vehicle;
    if (!same) refuse("certificate: of another car than the topic names");
  }
  const parts = parseSegmentMessage(payload, { tenant, vehicle, keyId: keyIdOf(key.publicKey) });
  const { header, hash: headerHash } = await openHeaderAside(key, parts.header);
  if (header.tenant !== tenant || header.vehicle !== vehicle || header.lane !== topic.lane) {
    refuse("header: of another car or lane than the topic names");
  }
  if (!equalBytes(sha256(parts.body), header.bodyHash)) refuse("body: not the one that was signed");
  const opened = { header, headerHash, body: parts.body };
  if (parts.opening === undefined) return opened;
  const opening = openOpening(key, parts.opening);
  const sameLog = equalBytes(opening.log, header.log);
  if (opening.tenant !== tenant || opening.vehicle !== vehicle || !sameLog) {
    refuse("opening: of another car or log than the header");
  }
  return { ...opened, opening };
}

/** What a segment holds: nothing where it is a gap, else its events, or the columns that came. */
export type SegmentContent = Pick<OpenedSegment, "events" | "columns">;

/** A segment whose keys have been taken, so that the next one's may be. Rejects where it cannot be read. */
export type Reading = { readonly content: Promise<SegmentContent> };

/** Opens an authentic segment. Rejects with ProtocolError where it cannot be read; then it never can by us. */
export async function readContent(
  segment: AuthenticSegment,
  keys: LogKeys,
  openers: Openers = openersHere,
): Promise<SegmentContent> {
  return (await beginReading(segment, keys, openers)).content;
}

/** Takes the keys of an authentic segment and begins to open it. Rejects as `readContent` does, now or later. */
export async function beginReading(
  segment: AuthenticSegment,
  keys: LogKeys,
  openers: Openers,
): Promise<Reading> {
  const { header, body } = segment;
  const { lane, ratchet } = header;
  if (header.codec === "gap") {
    if (body.length > 0) throw new ProtocolError("malformed", "gap: expected no body");
    return { content: Promise.resolve({ events: [] }) };
  }
  if (header.codec === "rows") {
    return { content: Promise.resolve(readRows(segment, await keys.rowKey(lane, ratchet))) };
  }
  const key = await keys.segmentKey(lane, ratchet);
  const content = openers
    .open({ key, place: header, body })
    .then((columns) => columnsOf(columns, lane));
  // Whoever waits for it hears of a failure; until then it is nobody's.
  content.catch(() => undefined);
  return { content };
}

function readRows({ header, body }: AuthenticSegment, key: Uint8Array): SegmentContent {
  const { log, lane, number, firstSeq, count } = header;
  const events = decodeRows(body, count).map((row, i) => {
    const seq = firstSeq + i;
    const bound = rowBinding({ log, lane, segment: number, seq });
    const event = decodeEvent(aeadOpen(key, rowNonce(seq), row, bound));
    checkLane(event.kind, lane);
    return event;
  });
  return { events };
}

function columnsOf(columns: CheckedColumns, lane: Lane): SegmentContent {
  for (const { event } of columns.newest) checkLane(event.kind, lane);
  return { events: [], columns };
}

function checkLane(kind: EventKind, lane: Lane): void {
  const { lane: home } = EVENT_KINDS[kind];
  if (home !== "any" && home !== lane)
    throw new ProtocolError("malformed", `event ${kind}: belongs to ${home}, not ${lane}`);
}
