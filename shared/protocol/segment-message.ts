/**
 * The message on `up/{lane}`, in two forms. The plain one is a CBOR list of what was signed, the body and the opening.
 * The short one leaves out whatever who reads it can make again (who sent it, the hash of the body, what follows from
 * the number), which is a third of what a minute's segment costs beside its events. The signature is over all of it.
 */
import { equalBytes } from "./bytes.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { envelopeOf, KEY_ID_BYTES, parseSign1 } from "./cose.ts";
import { SIGNATURE_BYTES, sha256 } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { LANES } from "./lanes.ts";
import { decode, encode } from "./schema.ts";
import {
  headerCodec,
  SEGMENT_BODY_BYTES_MAX,
  SEGMENT_CODECS,
  type SegmentHeader,
} from "./segments.ts";
import type { Address } from "./topics.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

/** Header envelope, body, and the opening's envelope until the store has it. */
export type SegmentMessage = {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  readonly opening?: Uint8Array;
};

/** Who sent a message in the short form: by its topic, and by the key that its signature must verify with. */
export type SegmentSender = Address & {
  /** Zeros stand in for it where nobody verifies. */
  readonly keyId?: Uint8Array;
};

const ENVELOPE_BYTES_MAX = 4096;
const LOG_BYTES = 16;
const HASH_BYTES = 32;
/** The first byte: 01, then two bits of the lane, two of the codec, whether it replaces, whether an opening follows. */
const SHORT = 0x40;
const SHORT_MASK = 0xc0;
const REPLACES = 2;
const OPENING = 1;

/** The plain form. */
export function encodeSegmentMessage({ header, body, opening }: SegmentMessage): Uint8Array {
  return encodeCbor([header, body, opening ?? null]);
}

/** The short form, or the plain one where the header does not follow from the rest. */
export function shortenSegmentMessage(message: SegmentMessage): Uint8Array {
  const { payload, signature, keyId } = parseSign1(message.header);
  const header = decode(headerCodec, payload);
  const { tenant, vehicle, log, lane, codec, replaces } = header;
  const out = new ByteWriter();
  const flags = (replaces === undefined ? 0 : REPLACES) + (message.opening ? OPENING : 0);
  out.byte(SHORT + 16 * LANES.indexOf(lane) + 4 * SEGMENT_CODECS.indexOf(codec) + flags);
  out.bytes(log);
  for (const number of [header.number, header.firstSeq, header.count]) out.varint(number);
  out.bytes(header.previousHash);
  if (replaces !== undefined) out.bytes(replaces);
  out.bytes(signature);
  if (message.opening !== undefined) {
    out.varint(message.opening.length);
    out.bytes(message.opening);
  }
  out.bytes(message.body);
  const short = out.done();
  const back = parseSegmentMessage(short, { tenant, vehicle, keyId });
  return equalBytes(back.header, message.header) ? short : encodeSegmentMessage(message);
}

/**
 * Reads the parts without believing them; of the short form the header is made again, as it must have been signed.
 * Throws ProtocolError `malformed`.
 */
export function parseSegmentMessage(encoded: Uint8Array, sender: SegmentSender): SegmentMessage {
  const isShort = ((encoded[0] ?? 0) & SHORT_MASK) === SHORT;
  return isShort ? parseShort(encoded, sender) : parsePlain(encoded);
}

function parsePlain(encoded: Uint8Array): SegmentMessage {
  const parts = decodeCbor(encoded);
  const [header, body, opening, ...rest] = Array.isArray(parts) ? parts : [];
  const sane =
    header instanceof Uint8Array &&
    header.length <= ENVELOPE_BYTES_MAX &&
    body instanceof Uint8Array &&
    body.length <= SEGMENT_BODY_BYTES_MAX &&
    (opening === null || (opening instanceof Uint8Array && opening.length <= ENVELOPE_BYTES_MAX)) &&
    rest.length === 0;
  if (!sane)
    throw new ProtocolError("malformed", "segment: expected [header, body, opening or null]");
  return opening === null ? { header, body } : { header, body, opening };
}

function parseShort(
  encoded: Uint8Array,
  { tenant, vehicle, keyId = new Uint8Array(KEY_ID_BYTES) }: SegmentSender,
): SegmentMessage {
  const reader = new ByteReader(encoded);
  const first = reader.byte();
  const lane = LANES[(first >> 4) & 3];
  const codec = SEGMENT_CODECS[(first >> 2) & 3];
  if (lane === undefined || codec === undefined)
    throw new ProtocolError("malformed", "segment: no such lane or form of a body");
  const log = reader.bytes(LOG_BYTES);
  const [number, firstSeq, count] = [reader.varint(), reader.varint(), reader.varint()];
  const previousHash = reader.bytes(HASH_BYTES);
  const replaces = (first & REPLACES) === 0 ? {} : { replaces: reader.bytes(HASH_BYTES) };
  const signature = reader.bytes(SIGNATURE_BYTES);
  const opening = (first & OPENING) === 0 ? {} : { opening: readOpening(reader) };
  const body = reader.rest();
  if (body.length > SEGMENT_BODY_BYTES_MAX)
    throw new ProtocolError("malformed", "segment: the body is too long");
  const header: SegmentHeader = {
    tenant,
    vehicle,
    log,
    lane,
    number,
    firstSeq,
    count,
    ratchet: number - 1,
    codec,
    bodyHash: sha256(body),
    previousHash,
    ...replaces,
  };
  return { header: envelopeOf(keyId, encode(headerCodec, header), signature), body, ...opening };
}

function readOpening(reader: ByteReader): Uint8Array {
  const length = reader.varint();
  if (length > ENVELOPE_BYTES_MAX)
    throw new ProtocolError("malformed", "segment: the opening is too long");
  return reader.bytes(length);
}
