/**
 * The cloud's answer to the nonce of a session announcement: what time it is, by a clock that the tenant's `time` key
 * vouches for. Nothing else moves a car's floor of time forward.
 */
import { openSign1, sign1 } from "./cose.ts";
import type { SigningKey, VerifyKey } from "./crypto.ts";
import { random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { KEY_PURPOSES } from "./keys.ts";
import { decode, encode, field, struct, type TypeOf, uint } from "./schema.ts";

/** A cloud whose clock is in greater doubt than this answers no nonce. */
export const TIME_DOUBT_MS_MAX = 60_000;

const internal = { class: "Internal" } as const;
export const timeAnswerCodec = struct("time", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "vehicle" }),
  epoch: field(2, random128, { ...internal, doc: "the epoch that asked" }),
  nonce: field(3, random128, { ...internal, doc: "of the announcement; good once" }),
  wallMs: field(4, uint(), { ...internal, doc: "Unix time as this was signed", unit: "ms" }),
  doubtMs: field(5, uint(TIME_DOUBT_MS_MAX), {
    ...internal,
    doc: "how far the cloud's clock may be off, either way",
    unit: "ms",
  }),
});
export type TimeAnswer = TypeOf<typeof timeAnswerCodec>;

export function signTime(key: SigningKey, answer: TimeAnswer): Uint8Array {
  return sign1(key, KEY_PURPOSES.time.domain, encode(timeAnswerCodec, answer));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. Car, epoch and nonce are the car's to compare. */
export function openTime(key: VerifyKey, envelope: Uint8Array): TimeAnswer {
  return decode(timeAnswerCodec, openSign1(key, KEY_PURPOSES.time.domain, envelope));
}
