/**
 * An acknowledgement says what the tenant's store has committed of one log, lane by lane: everything up to a mark,
 * and ranges beyond it, each with the hash of the last header it stands for. The car believes it only if the MAC
 * under that log's acknowledgement key verifies, and forgets a segment only if the hash is the one it sent.
 */
import { concatBytes, utf8 } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { hmac, MAC_BYTES, sameMac } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { hash256, random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { LANES, laneCodec } from "./lanes.ts";
import { decode, encode, field, list, struct, type TypeOf, uint } from "./schema.ts";

export const ACK_RANGES_MAX = 32;
const DOMAIN = utf8("kerbside/v1/ack");
const internal = { class: "Internal" } as const;

const rangeCodec = struct("range of segments", {
  from: field(0, uint(), { ...internal, doc: "first segment number" }),
  to: field(1, uint(), { ...internal, doc: "last segment number" }),
  hash: field(2, hash256, { ...internal, doc: "hash of the last one's header" }),
});
const laneMarkCodec = struct("what is stored of a lane", {
  lane: field(0, laneCodec, { ...internal, doc: "the lane" }),
  upTo: field(1, uint(), { ...internal, doc: "all segments to this number are stored; 0: none" }),
  hash: field(2, hash256, { ...internal, doc: "hash of that segment's header; zeros for 0" }),
  ranges: field(3, list(rangeCodec, ACK_RANGES_MAX), {
    ...internal,
    doc: "stored beyond the mark",
  }),
});
export const ackCodec = struct("acknowledgement", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  log: field(2, random128, { ...internal, doc: "the log" }),
  lanes: field(3, list(laneMarkCodec, LANES.length), {
    ...internal,
    doc: "the lanes it speaks of",
  }),
});
export type Ack = TypeOf<typeof ackCodec>;
export type LaneMark = TypeOf<typeof laneMarkCodec>;
export type SegmentRange = TypeOf<typeof rangeCodec>;

/** The message on `ack`: a CBOR list of the payload and its MAC. */
export function sealAck(ackKey: Uint8Array, ack: Ack): Uint8Array {
  const payload = encode(ackCodec, ack);
  return encodeCbor([payload, hmac(ackKey, concatBytes(DOMAIN, payload))]);
}

/** Reads an acknowledgement without believing it, to find the log whose key must verify it. */
export function parseAck(message: Uint8Array): {
  readonly ack: Ack;
  readonly verify: (ackKey: Uint8Array) => boolean;
} {
  const parts = decodeCbor(message);
  const [payload, mac, ...rest] = Array.isArray(parts) ? parts : [];
  if (
    !(payload instanceof Uint8Array && mac instanceof Uint8Array) ||
    mac.length !== MAC_BYTES ||
    rest.length > 0
  ) {
    throw new ProtocolError("malformed", "acknowledgement: expected [payload, MAC]");
  }
  const verify = (ackKey: Uint8Array): boolean =>
    sameMac(hmac(ackKey, concatBytes(DOMAIN, payload)), mac);
  return { ack: decode(ackCodec, payload), verify };
}

export const openingRequestCodec = struct("request for an opening", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  log: field(2, random128, { ...internal, doc: "the log whose opening is not known" }),
});
export type OpeningRequest = TypeOf<typeof openingRequestCodec>;

/**
 * The other message on `ack`: a CBOR list of the payload alone. Whoever does not know a log's opening has no key of it,
 * so there is no MAC; all that it can bring about is that the opening travels along again.
 */
export function encodeOpeningRequest(request: OpeningRequest): Uint8Array {
  return encodeCbor([encode(openingRequestCodec, request)]);
}

/** Undefined where it is no such message, but perhaps an acknowledgement. Throws ProtocolError `malformed`. */
export function parseOpeningRequest(message: Uint8Array): OpeningRequest | undefined {
  const parts = decodeCbor(message);
  if (!Array.isArray(parts) || parts.length !== 1) return undefined;
  const [payload] = parts;
  return payload instanceof Uint8Array ? decode(openingRequestCodec, payload) : undefined;
}
