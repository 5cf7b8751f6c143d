/**
 * A log is what a car's buffer writes between one boot and the next. It opens with a signed opening that carries
 * its root key sealed to the tenant; its lanes are cut into segments, each with a signed header that names the hash
 * of the header before. The root is never on the car's disk in the clear, so the car cannot read its own past.
 */
import { concatBytes, uint64, utf8 } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { openSign1, openSign1Aside, parseSign1, sign1 } from "./cose.ts";
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  aeadOpen,
  aeadSeal,
  deriveKey,
  type SigningKey,
  sha256,
  type VerifyKey,
} from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { hash256, random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { VEHICLE_DOMAINS } from "./keys.ts";
import { LANES, type Lane, laneCodec } from "./lanes.ts";
import {
  bool,
  bytes,
  choice,
  decode,
  encode,
  field,
  integer,
  optional,
  struct,
  type TypeOf,
  text,
  uint,
} from "./schema.ts";
import type { Address } from "./topics.ts";

export const SEGMENT_EVENTS_MAX = 4096;
export const SEGMENT_BODY_BYTES_MAX = 192 * 1024;
export const EVENT_BYTES_MAX = 16 * 1024;
/** So that the last sequence number of a segment is a safe integer too. */
const NUMBER_MAX = Number.MAX_SAFE_INTEGER - SEGMENT_EVENTS_MAX;
/** A sealed box of 32 bytes: an ephemeral public key, a tag and the root. */
export const SEALED_ROOT_BYTES = 80;

/**
 * `rows`: a CBOR list of the encrypted rows in order. `gap`: the events are gone; the body is empty. `columns`: the
 * events as columns, deflated, then encrypted as a whole under the segment's key.
 */
export const SEGMENT_CODECS = ["rows", "gap", "columns"] as const;
export type SegmentCodec = (typeof SEGMENT_CODECS)[number];

const internal = { class: "Internal" } as const;
export const headerCodec = struct("segment header", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  log: field(2, random128, { ...internal, doc: "the log" }),
  lane: field(3, laneCodec, { ...internal, doc: "the lane" }),
  number: field(4, integer(1, NUMBER_MAX), {
    ...internal,
    doc: "number of the segment in its lane and log, from 1",
  }),
  firstSeq: field(5, integer(1, NUMBER_MAX), {
    ...internal,
    doc: "sequence number of its first event, from 1",
  }),
  count: field(6, integer(1, SEGMENT_EVENTS_MAX), {
    ...internal,
    doc: "number of events, contiguous",
  }),
  ratchet: field(7, uint(), {
    ...internal,
    doc: "index of the lane's ratchet that gives its keys",
  }),
  codec: field(8, choice(SEGMENT_CODECS), { ...internal, doc: "how the body is to be read" }),
  bodyHash: field(9, hash256, { ...internal, doc: "SHA-256 of the body" }),
  previousHash: field(10, hash256, {
    ...internal,
    doc: "hash of the header before; zeros for number 1",
  }),
  replaces: optional(11, hash256, {
    ...internal,
    doc: "of a gap: hash of the header of the segment that was dropped; the next header may name either",
  }),
});
export type SegmentHeader = TypeOf<typeof headerCodec>;

export const openingCodec = struct("opening of a log", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  log: field(2, random128, { ...internal, doc: "the log" }),
  previousLog: optional(3, random128, { ...internal, doc: "the log before it on this car" }),
  previousHash: optional(4, hash256, {
    ...internal,
    doc: "SHA-256 over the last header hashes of that log's lanes",
  }),
  previousEndedCleanly: field(5, bool, {
    ...internal,
    doc: "false: what was in its commit window may be missing",
  }),
  ingestKeyVersion: field(6, uint(), {
    ...internal,
    doc: "version of the ingest key the root is sealed to",
  }),
  sealedRoot: field(7, bytes(SEALED_ROOT_BYTES), {
    ...internal,
    doc: "crypto_box_seal of the root",
  }),
  agentVersion: field(8, text(32), { ...internal, doc: "version of the agent" }),
});
export type LogOpening = TypeOf<typeof openingCodec>;

export const ZERO_HASH: Uint8Array = new Uint8Array(32);

export function signHeader(key: SigningKey, header: SegmentHeader): Uint8Array {
  return sign1(key, VEHICLE_DOMAINS.segment, encode(headerCodec, header));
}

export function signOpening(key: SigningKey, opening: LogOpening): Uint8Array {
  return sign1(key, VEHICLE_DOMAINS.opening, encode(openingCodec, opening));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openHeader(key: VerifyKey, envelope: Uint8Array): SegmentHeader {
  return decode(headerCodec, openSign1(key, VEHICLE_DOMAINS.segment, envelope));
}

/**
 * As `openHeader`, with the signature checked on another thread, and the header's hash along with it. Rejects with what
 * `openHeader` throws.
 */
export async function openHeaderAside(
  key: VerifyKey,
  envelope: Uint8Array,
): Promise<{ readonly header: SegmentHeader; readonly hash: Uint8Array }> {
  const payload = await openSign1Aside(key, VEHICLE_DOMAINS.segment, envelope);
  return { header: decode(headerCodec, payload), hash: sha256(payload) };
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openOpening(key: VerifyKey, envelope: Uint8Array): LogOpening {
  return decode(openingCodec, openSign1(key, VEHICLE_DOMAINS.opening, envelope));
}

/** The hash that stands for a segment in the chain, in acknowledgements and in the store: of the signed payload. */
export function headerHash(envelope: Uint8Array): Uint8Array {
  return sha256(parseSign1(envelope).payload);
}

/** A `rows` body: the encrypted rows in the order of their sequence numbers. */
export function encodeRows(rows: readonly Uint8Array[]): Uint8Array {
  return encodeCbor(rows);
}

/** Throws ProtocolError `malformed`. */
export function decodeRows(body: Uint8Array, count: number): readonly Uint8Array[] {
  const rows = decodeCbor(body);
  const fits = (row: unknown): row is Uint8Array =>
    row instanceof Uint8Array &&
    row.length > AEAD_TAG_BYTES &&
    row.length <= EVENT_BYTES_MAX + AEAD_TAG_BYTES;
  if (!Array.isArray(rows) || rows.length !== count || !rows.every(fits)) {
    throw new ProtocolError("malformed", `segment body: expected ${count} encrypted rows`);
  }
  return rows;
}

/** Whose log it is. Every key of a log is bound to it, so no other car can pass the log's rows off as its own. */
export type LogIdentity = Address & { readonly log: Uint8Array };

function logContext({ tenant, vehicle, log }: LogIdentity): Uint8Array {
  return concatBytes(utf8(`${tenant}\n${vehicle}\n`), log);
}

/** The key that authenticates acknowledgements of a log. It opens nothing, so the car keeps it on its disk. */
export function ackKeyOf(root: Uint8Array, of: LogIdentity): Uint8Array {
  return deriveKey(root, "kerbside/v1/ack", logContext(of));
}

/** A lane's ratchet at index 0. */
export function ratchetStart(root: Uint8Array, of: LogIdentity, lane: Lane): Uint8Array {
  return deriveKey(root, `kerbside/v1/ratchet/${lane}`, logContext(of));
}

/** The next step; the one before cannot be computed from it. */
export function ratchetNext(ratchet: Uint8Array): Uint8Array {
  return deriveKey(ratchet, "kerbside/v1/ratchet-next");
}

/** The key of the rows of the segment at this ratchet index. */
export function rowKeyOf(ratchet: Uint8Array): Uint8Array {
  return deriveKey(ratchet, "kerbside/v1/row");
}

const ROW_DOMAIN = utf8("kerbside/v1/row");

/** A row's place: its nonce and what its ciphertext is bound to. A place is used once, ever. */
export type RowPlace = {
  readonly log: Uint8Array;
  readonly lane: Lane;
  readonly segment: number;
  readonly seq: number;
};

/** 24 bytes: 16 zeros and the sequence number; unique under a row key, which serves one lane of one log. */
export function rowNonce(seq: number): Uint8Array {
  return concatBytes(new Uint8Array(AEAD_NONCE_BYTES - 8), uint64(seq));
}

/** What a row is bound to: domain, log, lane, segment and sequence number. */
export function rowBinding({ log, lane, segment, seq }: RowPlace): Uint8Array {
  const laneByte = Uint8Array.of(LANES.indexOf(lane));
  return concatBytes(ROW_DOMAIN, log, laneByte, uint64(segment), uint64(seq));
}

/** The key of the body of a `columns` segment at this ratchet index. It opens no row, and a row key no such body. */
export function segmentKeyOf(ratchet: Uint8Array): Uint8Array {
  return deriveKey(ratchet, "kerbside/v1/segment");
}

/** The place of a `columns` body; a segment key serves just one. */
export type BodyPlace = Pick<SegmentHeader, "log" | "lane" | "number" | "firstSeq" | "count">;

function bodyBinding({ log, lane, number, firstSeq, count }: BodyPlace): Uint8Array {
  const laneByte = Uint8Array.of(LANES.indexOf(lane));
  const numbers = [number, firstSeq, count].map(uint64);
  return concatBytes(utf8("kerbside/v1/segment"), log, laneByte, ...numbers);
}

/** Columns, encrypted and bound to their place. */
export function sealColumns(key: Uint8Array, place: BodyPlace, columns: Uint8Array): Uint8Array {
  return aeadSeal(key, rowNonce(place.number), columns, bodyBinding(place));
}

/** Throws ProtocolError `unauthenticated`. */
export function openColumns(key: Uint8Array, place: BodyPlace, body: Uint8Array): Uint8Array {
  return aeadOpen(key, rowNonce(place.number), body, bodyBinding(place));
}
