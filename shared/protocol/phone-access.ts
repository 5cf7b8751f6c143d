/**
 * How a phone opens a car without coverage, over whatever short-range radio the reader has: the car sends a challenge
 * that names itself and its time; the phone answers with a signature over the hash of that and the action it wants,
 * and may bring a grant along. The challenge is good once and for a short time.
 */
import { openSign1, sign1 } from "./cose.ts";
import { KEY_BYTES, type SigningKey, sha256, verifyKey } from "./crypto.ts";
import { GRANT_ACTIONS } from "./grants.ts";
import { hash256, random128, tenantCodec, vehicleCodec } from "./ids.ts";
import {
  bytes,
  choice,
  decode,
  encode,
  field,
  optional,
  struct,
  type TypeOf,
  uint,
} from "./schema.ts";

/** A phone that has not answered by then has to begin anew. */
export const PHONE_ANSWER_MS_MAX = 5000;
/** Of a carried grant's envelope. */
const CARRIED_BYTES_MAX = 1024;
const STATEMENT_BYTES_MAX = 256;
const PHONE_DOMAIN = "kerbside/v1/phone/access";

const internal = { class: "Internal" } as const;
const person = { class: "Confidential", tag: "SPI" } as const;

export const phoneChallengeCodec = struct("challenge to a phone", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "the car that asks" }),
  nonce: field(2, random128, { ...internal, doc: "fresh" }),
  wallMs: optional(3, uint(), {
    ...internal,
    doc: "Unix time as the car knows it; missing: unknown",
    unit: "ms",
  }),
});
export type PhoneChallenge = TypeOf<typeof phoneChallengeCodec>;

export const phoneStatementCodec = struct("what a phone signs", {
  challengeHash: field(0, hash256, { ...internal, doc: "SHA-256 of the challenge's bytes" }),
  action: field(1, choice(GRANT_ACTIONS), { ...internal, doc: "what it wants" }),
});
export type PhoneStatement = TypeOf<typeof phoneStatementCodec>;

export const phoneAnswerCodec = struct("answer of a phone", {
  publicKey: field(0, bytes(KEY_BYTES), { ...person, doc: "its Ed25519 key" }),
  statement: field(1, bytes(1, STATEMENT_BYTES_MAX), {
    ...internal,
    doc: "COSE_Sign1 by that key, under kerbside/v1/phone/access",
  }),
  carried: optional(2, bytes(1, CARRIED_BYTES_MAX), {
    ...person,
    doc: "a signed carried grant",
  }),
});
export type PhoneAnswer = TypeOf<typeof phoneAnswerCodec>;

export function answerChallenge(
  key: SigningKey,
  challenge: Uint8Array,
  action: PhoneStatement["action"],
  carried?: Uint8Array,
): Uint8Array {
  const statement = { challengeHash: sha256(challenge), action };
  return encode(phoneAnswerCodec, {
    publicKey: key.publicKey,
    statement: sign1(key, PHONE_DOMAIN, encode(phoneStatementCodec, statement)),
    ...(carried === undefined ? {} : { carried }),
  });
}

/**
 * What a phone said, proven to come from the holder of `publicKey`; whether it answers the right challenge and may do
 * that is the caller's to judge. Throws ProtocolError `malformed` or `unauthenticated`.
 */
export function openPhoneAnswer(
  answer: Uint8Array,
): PhoneStatement & Pick<PhoneAnswer, "publicKey" | "carried"> {
  const { publicKey, statement, carried } = decode(phoneAnswerCodec, answer);
  const said = decode(
    phoneStatementCodec,
    openSign1(verifyKey(publicKey), PHONE_DOMAIN, statement),
  );
  return { ...said, publicKey, ...(carried === undefined ? {} : { carried }) };
}
