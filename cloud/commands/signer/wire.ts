/**
 * The link between API and signer: CBOR by schema, each message behind its length as 4 bytes big-endian, over a Unix
 * socket that only this user may open. Requests carry an id, answers repeat it, in any order.
 */
import {
  ACTIONS,
  type Action,
  ARMED_MS_MAX,
  ARTEFACT_KINDS,
  ARTEFACT_NAME,
  bookingCodec,
  bool,
  bytes,
  CARD_KEY_BYTES,
  CARD_PROOFS,
  type Codec,
  choice,
  concatBytes,
  decode,
  ERRORS,
  type ErrorCode,
  encode,
  field,
  GRANT_ACTIONS,
  GRANTS_MAX,
  type GrantAction,
  type GrantListRecord,
  type GrantRecord,
  hash256,
  KEY_BYTES,
  list,
  optional,
  PIN_PATTERN,
  ProtocolError,
  random128,
  struct,
  type TenantId,
  tenantCodec,
  text,
  UID_RULES,
  uint,
  type VehicleId,
  vehicleCodec,
} from "@kerbside/protocol";
import { type BookingFields, HOLDER_PATTERN } from "../booking-rules.ts";
import type { ArtefactOrder } from "./press.ts";
import { type RequestKeyListed, type RequestKeyOwner, SUBJECT_CHARS_MAX } from "./request-keys.ts";
import { KEY_ID_PATTERN, type RequestProof } from "./request-signature.ts";

/** A full grant list fits, which is by far the largest thing answered. */
export const FRAME_BYTES_MAX: number = 256 * 1024;
const TOKEN_CHARS_MAX = 8192;
const TARGET_CHARS_MAX = 2048;
const SIGNATURE_CHARS_MAX = 1024;
const LENGTH_BYTES = 4;
const BOOKING_STATES = ["reserved", "open", "ended", "cancelled"] as const;
const internal = { class: "Internal" } as const;
const secret = { class: "Restricted" } as const;
const person = { class: "Confidential", tag: "SPI" } as const;

export type CommandOrder = {
  readonly id: Uint8Array;
  readonly vehicle: VehicleId;
  readonly action: Action;
  readonly booking?: string;
  /** How long it may stay armed on the car. */
  readonly armMs?: number;
  /** The armed command that `cancel` is for. */
  readonly target?: Uint8Array;
};
/** A card or a phone that a booking is to give a right to, or that is to lose it. */
export type GrantOrder = {
  readonly id: Uint8Array;
  readonly booking: string;
  /** Instead of all that follows: take it back. */
  readonly revoke: boolean;
  readonly actions: readonly GrantAction[];
  readonly phone?: Uint8Array;
  readonly card?: CardOrder;
};
export type CardOrder = {
  /** Its number, as the reader shows it; only a keyed hash of it is kept. */
  readonly uid: Uint8Array;
  readonly proof: (typeof CARD_PROOFS)[number];
  readonly key?: Uint8Array;
  readonly uidRule: (typeof UID_RULES)[number];
  readonly pin?: string;
};
/** Exactly one thing is asked: with the caller's token, or with a tenant what only a car's word or the store decides. */
export type SignerRequest = {
  readonly id: number;
  readonly token?: string;
  readonly seal?: BookingFields;
  readonly sign?: CommandOrder;
  readonly openTenant?: TenantId;
  readonly openResult?: Uint8Array;
  /** A car's announcement, whose nonce is to be answered. */
  readonly session?: Uint8Array;
  /** The car whose grant list is to be made. */
  readonly listVehicle?: VehicleId;
  readonly grant?: GrantOrder;
  /** The grant that a phone is to carry. */
  readonly carry?: Uint8Array;
  /** What is to be published. */
  readonly artefact?: ArtefactOrder;
  /** A manifest that was signed here, to be signed for the car `listVehicle`. */
  readonly manifest?: Uint8Array;
  /** What keys callers sign with. */
  readonly listKeys?: boolean;
  /** The key of a caller that is to count no more. */
  readonly revokeKey?: RequestKeyOwner;
  /** With a token: the request as the caller signed it. */
  readonly proof?: RequestProof;
  /** Instead of a question: what the request of this id is to sign is recorded now. It is not answered. */
  readonly recorded?: number;
  /** The same, where it will not be: it was asked before, or could not be written. */
  readonly withdrawn?: number;
};
export type SignerAnswer = {
  readonly id: number;
  readonly error?: string;
  readonly words?: string;
  readonly mac?: Uint8Array;
  readonly opened?: BookingFields;
  readonly envelope?: Uint8Array;
  readonly requestHash?: Uint8Array;
  readonly epoch?: Uint8Array;
  readonly grant?: WireGrant;
  readonly list?: WireGrantList;
  readonly keys?: readonly RequestKeyListed[];
  /** Whether callers have to sign. */
  readonly keysDemanded?: boolean;
};

export type WireGrant = Omit<GrantRecord, "grant" | "mac" | "listVersion"> & {
  readonly id: Uint8Array;
};
export type WireGrantList = Pick<GrantListRecord, "version" | "digest" | "sealed"> & {
  readonly grants: readonly Uint8Array[];
  readonly changed: readonly Uint8Array[];
};
const cardOrderCodec: Codec<CardOrder> = struct("card", {
  uid: field(0, bytes(4, 10), { class: "Confidential", tag: "PPI", doc: "its number" }),
  proof: field(1, choice(CARD_PROOFS), { ...internal, doc: "how it shows that it is itself" }),
  key: optional(2, bytes(CARD_KEY_BYTES), { ...secret, doc: "its AES key" }),
  uidRule: field(3, choice(UID_RULES), { ...internal, doc: "whether the bare number opens" }),
  pin: optional(4, text(8, PIN_PATTERN), { ...secret, doc: "its PIN" }),
});
const actionsCodec = list(choice(GRANT_ACTIONS), GRANT_ACTIONS.length);
const grantOrderCodec: Codec<GrantOrder> = struct("grant to make or take back", {
  id: field(0, random128, { ...internal, doc: "its id" }),
  booking: field(1, bookingCodec, { ...person, doc: "the booking that gives it" }),
  revoke: field(2, bool, { ...internal, doc: "take it back" }),
  actions: field(3, actionsCodec, { ...internal, doc: "what it allows" }),
  phone: optional(4, bytes(KEY_BYTES), { ...person, doc: "the phone's public key" }),
  card: optional(5, cardOrderCodec, { ...person, doc: "the card" }),
});
const wireGrantCodec: Codec<WireGrant> = struct("grant as it is kept", {
  id: field(0, random128, { ...internal, doc: "its id" }),
  booking: field(1, bookingCodec, { ...person, doc: "its booking" }),
  vehicle: field(2, vehicleCodec, { ...internal, doc: "the car" }),
  credential: field(3, bytes(1, 512), { ...secret, doc: "card or phone" }),
  actions: field(4, actionsCodec, { ...internal, doc: "what it allows" }),
  state: field(5, choice(["active", "revoked"]), { ...internal, doc: "its state" }),
  version: field(6, uint(), { ...internal, doc: "rises by one" }),
});

const idsCodec = list(random128, 4 * GRANTS_MAX);
const wireGrantListCodec: Codec<WireGrantList> = struct("grant list as it is pushed", {
  version: field(0, uint(), { ...internal, doc: "its version" }),
  digest: field(1, hash256, { ...internal, doc: "of its grants" }),
  grants: field(2, idsCodec, { ...internal, doc: "those in it" }),
  changed: field(3, idsCodec, { ...internal, doc: "those that differ" }),
  sealed: field(4, bytes(1, 200_000), { ...internal, doc: "signed, sealed to the car" }),
});

const bookingFieldsCodec: Codec<BookingFields> = struct("booking to seal", {
  booking: field(0, bookingCodec, { ...person, doc: "its id" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "the car" }),
  holder: field(2, text(64, HOLDER_PATTERN), { ...person, doc: "opaque id of the person" }),
  fromMs: field(3, uint(), { ...person, doc: "from, Unix time", unit: "ms" }),
  toMs: field(4, uint(), { ...person, doc: "to, Unix time", unit: "ms" }),
  state: field(5, choice(BOOKING_STATES), { ...internal, doc: "its state" }),
  version: field(6, uint(), { ...internal, doc: "rises with each change" }),
});
const orderCodec: Codec<CommandOrder> = struct("command to sign", {
  id: field(0, random128, { ...internal, doc: "the command's id" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "the car" }),
  action: field(2, choice(ACTIONS), { ...internal, doc: "what to do" }),
  booking: optional(3, bookingCodec, { ...person, doc: "the booking it is for" }),
  armMs: optional(4, uint(ARMED_MS_MAX), {
    ...internal,
    doc: "how long it may stay armed",
    unit: "ms",
  }),
  target: optional(5, random128, { ...internal, doc: "the command that `cancel` is for" }),
});
const artefactOrderCodec: Codec<ArtefactOrder> = struct("artefact to sign", {
  kind: field(0, choice(ARTEFACT_KINDS), { ...internal, doc: "what it is" }),
  name: field(1, text(64, ARTEFACT_NAME), { ...internal, doc: "which one of its kind" }),
  version: field(2, uint(), { ...internal, doc: "above the one before" }),
  contentHash: field(3, hash256, { ...internal, doc: "SHA-256 of its content" }),
});
const PROOF_BODY_BYTES_MAX: number = 16 * 1024;
const header = text(SIGNATURE_CHARS_MAX);
const proofCodec: Codec<RequestProof> = struct("request as its caller signed it", {
  method: field(0, text(16), { ...internal, doc: "its method" }),
  target: field(1, text(TARGET_CHARS_MAX), { ...person, doc: "path and query" }),
  authority: field(2, header, { ...internal, doc: "its Host" }),
  contentType: optional(3, header, { ...internal, doc: "its Content-Type" }),
  contentDigest: optional(4, header, { ...internal, doc: "its Content-Digest" }),
  idempotencyKey: optional(5, header, { ...internal, doc: "its Idempotency-Key" }),
  signatureInput: field(6, header, { ...internal, doc: "its Signature-Input" }),
  signature: field(7, header, { ...internal, doc: "its Signature" }),
  body: field(8, bytes(0, PROOF_BODY_BYTES_MAX), { ...secret, doc: "its body" }),
});
/** Two secrets of a vault each, which holds 1024. */
const KEYS_MAX = 512;
const ownerFields = {
  subject: field(0, text(SUBJECT_CHARS_MAX), {
    ...internal,
    doc: "the caller, as its tokens name it",
  }),
  keyId: field(1, text(64, KEY_ID_PATTERN), { ...internal, doc: "what its signatures call it" }),
};
const keyOwnerCodec: Codec<RequestKeyOwner> = struct("key of a caller", ownerFields);
const keyListedCodec: Codec<RequestKeyListed> = struct("key of a caller, as it is kept", {
  ...ownerFields,
  revoked: field(2, bool, { ...internal, doc: "counts no more" }),
  sha256: optional(3, hash256, { ...internal, doc: "of the public key (SPKI, DER)" }),
});
const requestCodec: Codec<SignerRequest> = struct("request to the signer", {
  id: field(0, uint(), { ...internal, doc: "repeated in the answer" }),
  token: optional(1, text(TOKEN_CHARS_MAX), { ...secret, doc: "the caller's own token" }),
  seal: optional(2, bookingFieldsCodec, { ...internal, doc: "seal this booking" }),
  sign: optional(3, orderCodec, { ...internal, doc: "sign this command" }),
  openTenant: optional(4, tenantCodec, { ...internal, doc: "tenant of `openResult`" }),
  openResult: optional(5, bytes(1, 16_384), {
    ...internal,
    doc: "a car's signed result that opens or ends the booking of its command",
  }),
  session: optional(6, bytes(1, 4096), { ...internal, doc: "answer this announcement's nonce" }),
  listVehicle: optional(7, vehicleCodec, { ...internal, doc: "make this car's grant list" }),
  grant: optional(8, grantOrderCodec, { ...internal, doc: "make this grant, or take it back" }),
  carry: optional(9, random128, { ...internal, doc: "the grant that a phone is to carry" }),
  artefact: optional(10, artefactOrderCodec, { ...internal, doc: "publish this" }),
  manifest: optional(11, bytes(1, 4096), { ...internal, doc: "sign this again for `listVehicle`" }),
  proof: optional(12, proofCodec, { ...secret, doc: "the request as the caller signed it" }),
  recorded: optional(13, uint(), { ...internal, doc: "this request's command is recorded now" }),
  withdrawn: optional(14, uint(), { ...internal, doc: "this request's command will not be" }),
  listKeys: optional(15, bool, { ...internal, doc: "list the keys that callers sign with" }),
  revokeKey: optional(16, keyOwnerCodec, { ...internal, doc: "take this one back" }),
});
const answerCodec: Codec<SignerAnswer> = struct("answer of the signer", {
  id: field(0, uint(), { ...internal, doc: "the request's" }),
  error: optional(1, text(32), { ...internal, doc: "a code of the table of errors" }),
  words: optional(2, text(500), { ...internal, doc: "what was wrong" }),
  mac: optional(3, bytes(32), { ...internal, doc: "the booking's MAC" }),
  opened: optional(4, bookingFieldsCodec, { ...internal, doc: "the booking as it was moved" }),
  envelope: optional(5, bytes(1, 4096), { ...internal, doc: "the signed command" }),
  requestHash: optional(6, hash256, { ...internal, doc: "SHA-256 of the envelope" }),
  epoch: optional(7, random128, { ...internal, doc: "the epoch it is bound to" }),
  grant: optional(8, wireGrantCodec, { ...internal, doc: "the grant as it is to be kept" }),
  list: optional(9, wireGrantListCodec, { ...internal, doc: "the grant list, where it is new" }),
  keys: optional(10, list(keyListedCodec, KEYS_MAX), { ...internal, doc: "keys of callers" }),
  keysDemanded: optional(11, bool, { ...internal, doc: "whether callers have to sign" }),
});
export const frameRequest = (request: SignerRequest): Uint8Array =>
  frame(encode(requestCodec, request));
export const frameAnswer = (answer: SignerAnswer): Uint8Array => frame(encode(answerCodec, answer));
export const readRequest = (body: Uint8Array): SignerRequest => decode(requestCodec, body);
export const readAnswer = (body: Uint8Array): SignerAnswer => decode(answerCodec, body);

function frame(body: Uint8Array): Uint8Array {
  if (body.length > FRAME_BYTES_MAX) {
    throw new ProtocolError("malformed", `signer frame: over ${FRAME_BYTES_MAX} bytes`);
  }
  const head = new Uint8Array(LENGTH_BYTES);
  new DataView(head.buffer).setUint32(0, body.length);
  return concatBytes(head, body);
}

/** Cuts a stream into frames. Holds at most one frame and what came with it. */
export class FrameReader {
  #held: Uint8Array = new Uint8Array();

  /** The frames that `chunk` completes. Throws ProtocolError `malformed` on a length that is out of bounds. */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    let rest = this.#held.length === 0 ? chunk : concatBytes(this.#held, chunk);
    const frames: Uint8Array[] = [];
    while (rest.length >= LENGTH_BYTES) {
      const length = new DataView(rest.buffer, rest.byteOffset).getUint32(0);
      if (length === 0 || length > FRAME_BYTES_MAX) {
        throw new ProtocolError(
          "malformed",
          `signer frame: expected 1 to ${FRAME_BYTES_MAX} bytes`,
        );
      }
      if (rest.length < LENGTH_BYTES + length) break;
      frames.push(rest.slice(LENGTH_BYTES, LENGTH_BYTES + length));
      rest = rest.subarray(LENGTH_BYTES + length);
    }
    this.#held = rest.slice();
    return frames;
  }

  /** Whether a frame has begun and not ended. */
  get partial(): boolean {
    return this.#held.length > 0;
  }
}

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERRORS, value);
}
