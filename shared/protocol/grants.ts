/**
 * Rights that a car honours without coverage. A grant list is everything a car honours ahead of time: complete, of a
 * rising version, applied whole. A carried grant is one right that a phone brings along, made after a list that it
 * names. Both are signed under the tenant's `grant` key, each in a domain of its own.
 */
import { argon2Sync } from "node:crypto";
import { concatBytes, utf8 } from "./bytes.ts";
import { openSign1, sign1 } from "./cose.ts";
import {
  hmac,
  KEY_BYTES,
  type SigningKey,
  seal,
  sealKeyOfSeed,
  sealKeyOfSigner,
  unseal,
  type VerifyKey,
} from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { bookingCodec, random128, tenantCodec, vehicleCodec } from "./ids.ts";
import { KEY_PURPOSES } from "./keys.ts";
import {
  bytes,
  choice,
  decode,
  encode,
  field,
  list,
  optional,
  struct,
  type TypeOf,
  uint,
} from "./schema.ts";

/** Grants in one list: with 300 bytes each the list stays below half of what the channel `artefact` carries. */
export const GRANTS_MAX = 400;
/** How long a grant that a phone carries may live, from the moment it was issued. */
export const CARRIED_GRANT_MS_MAX: number = 24 * 3_600_000;

/** The domains of what the `grant` key signs. */
export const GRANT_DOMAINS = {
  list: `${KEY_PURPOSES.grant.domain}/list`,
  carried: `${KEY_PURPOSES.grant.domain}/carried`,
} as const;

/** What a grant may allow; names are only ever appended. */
export const GRANT_ACTIONS = [
  "unlock",
  "lock",
  "trunk",
  "unlock_and_release",
  "lock_and_immobilise",
  "end_rental",
] as const;
export type GrantAction = (typeof GRANT_ACTIONS)[number];

/**
 * How a card shows that it is itself. `keyed`: AES challenge under the card's own key (DESFire EV1 and later). `uid`:
 * the bare number, which anyone can copy.
 */
export const CARD_PROOFS = ["keyed", "uid"] as const;
/** Whether a bare number opens: the tenant's choice for the class of this grant's cars. */
export const UID_RULES = ["never", "with_pin", "alone"] as const;

/** An AES-128 key. */
export const CARD_KEY_BYTES = 16;
/** What stands for a card's number in lists and events; see `cardIdOf`. */
export const CARD_ID_BYTES = 16;
export const PIN_SALT_BYTES = 16;
export const PIN_HASH_BYTES = 32;
/** 4 to 8 digits. */
export const PIN_PATTERN: RegExp = /^[0-9]{4,8}$/;

const internal = { class: "Internal" } as const;
const person = { class: "Confidential", tag: "SPI" } as const;
const secret = { class: "Restricted" } as const;

const pinCodec = struct("PIN of a credential", {
  salt: field(0, bytes(PIN_SALT_BYTES), { ...secret, doc: "random, of this grant" }),
  hash: field(1, bytes(PIN_HASH_BYTES), { ...secret, doc: "see pinHash" }),
});
const phoneCodec = struct("phone", {
  publicKey: field(0, bytes(KEY_BYTES), { ...person, doc: "Ed25519 key in the phone" }),
});
const cardCodec = struct("card", {
  cardId: field(0, bytes(CARD_ID_BYTES), { ...person, doc: "keyed hash of its number" }),
  proof: field(1, choice(CARD_PROOFS), { ...internal, doc: "how it shows that it is itself" }),
  key: optional(2, bytes(CARD_KEY_BYTES), { ...secret, doc: "its own AES key; with `keyed` only" }),
  uidRule: field(3, choice(UID_RULES), { ...internal, doc: "whether the bare number opens" }),
  pin: optional(4, pinCodec, { ...secret, doc: "asked for with `with_pin`" }),
});
/** Who a grant is for: exactly one of both. */
export const credentialCodec = struct("credential", {
  phone: optional(0, phoneCodec, { ...person, doc: "a phone" }),
  card: optional(1, cardCodec, { ...person, doc: "a card" }),
});
export type Credential = TypeOf<typeof credentialCodec>;
/** Exactly one of `phone` and `card`. */
export const grantCodec = struct("grant", {
  id: field(0, random128, { ...internal, doc: "its id" }),
  booking: field(1, bookingCodec, { ...person, doc: "the booking that gives it" }),
  phone: optional(2, phoneCodec, { ...person, doc: "who, where it is a phone" }),
  card: optional(3, cardCodec, { ...person, doc: "who, where it is a card" }),
  actions: field(4, list(choice(GRANT_ACTIONS), GRANT_ACTIONS.length), {
    ...internal,
    doc: "what it allows",
  }),
  fromMs: field(5, uint(), { ...person, doc: "from, Unix time", unit: "ms" }),
  toMs: field(6, uint(), { ...person, doc: "to (not included), Unix time", unit: "ms" }),
});
export type Grant = TypeOf<typeof grantCodec>;
export type CardGrant = TypeOf<typeof cardCodec>;
export type PinRecord = TypeOf<typeof pinCodec>;

export const grantListCodec = struct("grant list", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "the only car it is for" }),
  version: field(2, uint(), { ...internal, doc: "rises with each change, from 1" }),
  issuedAtMs: field(3, uint(), { ...internal, doc: "Unix time", unit: "ms" }),
  cardIdKey: field(4, bytes(KEY_BYTES), { ...secret, doc: "key of the hash of card numbers" }),
  grants: field(5, list(grantCodec, GRANTS_MAX), { ...person, doc: "all there are" }),
});
export type GrantList = TypeOf<typeof grantListCodec>;

export const carriedGrantCodec = struct("carried grant", {
  tenant: field(0, tenantCodec, { ...internal, doc: "tenant" }),
  vehicle: field(1, vehicleCodec, { ...internal, doc: "the only car it is for" }),
  listVersion: field(2, uint(), {
    ...internal,
    doc: "the version of the car's list it was made after; 0: before the first",
  }),
  issuedAtMs: field(3, uint(), { ...internal, doc: "Unix time", unit: "ms" }),
  grant: field(4, grantCodec, { ...person, doc: "of a phone; ends at most 24 h after the issue" }),
});
export type CarriedGrant = TypeOf<typeof carriedGrantCodec>;

function checkGrant(grant: Grant): void {
  const { phone, card, fromMs, toMs, actions } = grant;
  const one = (phone === undefined) !== (card === undefined);
  if (!one) throw new ProtocolError("malformed", "grant: expected one of phone and card");
  if (fromMs >= toMs) throw new ProtocolError("malformed", "grant: expected from before to");
  if (actions.length === 0) throw new ProtocolError("malformed", "grant: expected an action");
  if (card === undefined) return;
  if ((card.proof === "keyed") !== (card.key !== undefined)) {
    throw new ProtocolError("malformed", "grant: expected a key with a keyed card and no other");
  }
  if (card.uidRule === "with_pin" && card.pin === undefined) {
    throw new ProtocolError("malformed", "grant: expected a PIN where one is asked for");
  }
}

/** What the list's signature, shape and inner rules must be. Throws ProtocolError `malformed`. */
function checkList({ grants }: GrantList): void {
  for (const grant of grants) checkGrant(grant);
  const ids = new Set(grants.map(({ id }) => Buffer.from(id).toString("hex")));
  if (ids.size !== grants.length) {
    throw new ProtocolError("malformed", "grant list: expected each id once");
  }
}

/** Throws ProtocolError `malformed` where the list breaks its own rules. */
export function signGrantList(key: SigningKey, grants: GrantList): Uint8Array {
  checkList(grants);
  return sign1(key, GRANT_DOMAINS.list, encode(grantListCodec, grants));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. Whether it is for this car and newer is the car's to judge. */
export function openGrantList(key: VerifyKey, envelope: Uint8Array): GrantList {
  const grants = decode(grantListCodec, openSign1(key, GRANT_DOMAINS.list, envelope));
  checkList(grants);
  return grants;
}

function checkCarried({ grant, issuedAtMs }: CarriedGrant): void {
  checkGrant(grant);
  if (grant.phone === undefined || grant.toMs > issuedAtMs + CARRIED_GRANT_MS_MAX) {
    throw new ProtocolError("malformed", "carried grant: expected a phone's, of at most 24 h");
  }
}

/** Throws ProtocolError `malformed` where it would live too long or is no phone's. */
export function signCarriedGrant(key: SigningKey, carried: CarriedGrant): Uint8Array {
  checkCarried(carried);
  return sign1(key, GRANT_DOMAINS.carried, encode(carriedGrantCodec, carried));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. Car, time and list version are the car's to judge. */
export function openCarriedGrant(key: VerifyKey, envelope: Uint8Array): CarriedGrant {
  const carried = decode(carriedGrantCodec, openSign1(key, GRANT_DOMAINS.carried, envelope));
  checkCarried(carried);
  return carried;
}

/**
 * Seals a signed list to the car, so that neither broker nor whoever reads along learns bookings or card keys. The
 * box is for the X25519 form of the car's signing key.
 */
export function sealGrantList(signingKeyOfCar: Uint8Array, envelope: Uint8Array): Uint8Array {
  return seal(envelope, sealKeyOfSigner(signingKeyOfCar));
}

/** `seed` is that of the car's signing key. Throws ProtocolError `unauthenticated`. */
export function unsealGrantList(seed: Uint8Array, sealed: Uint8Array): Uint8Array {
  const { publicKey, privateKey } = sealKeyOfSeed(seed);
  return unseal(sealed, publicKey, privateKey);
}

/** What stands for a card's number on this car: a hash under the list's key, so that no list holds a number (P-20). */
export function cardIdOf(cardIdKey: Uint8Array, uid: Uint8Array): Uint8Array {
  const mac = hmac(cardIdKey, concatBytes(utf8("kerbside/v1/card\n"), uid));
  return new Uint8Array(mac.subarray(0, CARD_ID_BYTES));
}

/** RFC 9106 § 4, second recommendation, with the memory a small module has; 60 ms on a slow core. */
const PIN_COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;

/** Argon2id of a PIN. Slow on purpose, and no more: 10,000 PINs are few, so tries are what bounds a guesser. */
export function pinHash(pin: string, salt: Uint8Array): Uint8Array {
  return new Uint8Array(
    argon2Sync("argon2id", {
      message: utf8(pin),
      nonce: salt,
      tagLength: PIN_HASH_BYTES,
      ...PIN_COST,
    }),
  );
}
