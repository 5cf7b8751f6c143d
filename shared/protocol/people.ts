/**
 * People as a tenant's store knows them: who they are, what they agreed to, what lets them into cars, the accounts they
 * sign in with, and what must not be erased. All that says who a person is lies encrypted under the person's own key
 * (P-31) and is found again by keyed blind indexes, which end with that key.
 */
import { ProtocolError } from "./errors.ts";
import type { VehicleId } from "./ids.ts";
import type { Role } from "./roles.ts";
import { bytes, field, optional, struct, type TypeOf, text, uint } from "./schema.ts";
import type { AuditEntry } from "./store.ts";

const ppi = (doc: string) => ({ class: "Confidential", tag: "PPI", doc }) as const;

/** P-20. What says who a person is. */
export const personProfileCodec = struct("a person's profile", {
  name: optional(0, text(200), ppi("as the person writes it")),
  email: optional(1, text(254), ppi("RFC 5321 § 4.5.3.1.3")),
  phone: optional(2, text(32), ppi("E.164")),
  birthDate: optional(3, text(10, /^\d{4}-\d\d-\d\d$/), ppi("ISO 8601")),
  address: optional(4, text(400), ppi("where the person lives")),
  licence: optional(5, text(64), ppi("number of the driving licence")),
  nationalId: optional(6, text(64), ppi("number of a passport or identity card")),
  paymentToken: optional(7, text(128), ppi("the payment provider's token; never a card's number")),
});
export type PersonProfile = TypeOf<typeof personProfileCodec>;
export type ProfileField = keyof PersonProfile;

/** `suspended`: deactivated, and not to be restored; `erased`: the key is destroyed and the profile is empty. */
export type PersonState = "active" | "suspended" | "erased";
export type PersonRecord = {
  /** UUIDv4, opaque. */
  readonly person: string;
  readonly state: PersonState;
  /** Empty where it was erased. */
  readonly profile: PersonProfile;
  readonly createdAtMs: number;
  /** Last use and last payment: they decide the legal term (P-81). */
  readonly usedAtMs?: number;
  readonly paidAtMs?: number;
  readonly suspendedAtMs?: number;
  readonly erasedAtMs?: number;
};

/** By what a person is found again. */
export const FINDERS = ["user", "email", "phone", "licence", "card", "holder"] as const;
export type Finder = (typeof FINDERS)[number];

export const CONSENT_PURPOSES = ["terms", "privacy", "marketing"] as const;
export type ConsentPurpose = (typeof CONSENT_PURPOSES)[number];
/** P-74: both dates are kept. */
export type Consent = {
  readonly purpose: ConsentPurpose;
  /** Of the text that was agreed to. */
  readonly version: string;
  readonly givenAtMs: number;
  readonly withdrawnAtMs?: number;
};

/** A card or phone that belongs to a person, whatever is booked. */
export type CredentialRecord = {
  readonly credential: string;
  readonly person: string;
  readonly kind: "card" | "phone";
  /** UID of a card or public key of a phone, in hexadecimal; empty where it was erased. */
  readonly value: string;
  readonly addedAtMs: number;
  readonly removedAtMs?: number;
};

/** What anybody who judges a person's token needs to know of the account. */
export type AccountState =
  | { readonly at: "open" }
  | { readonly at: "locked"; readonly untilMs: number }
  | { readonly at: "locked-for-good" }
  | { readonly at: "closed" };
export type AccountRecord = {
  readonly person: string;
  /** Rises by one with each change. */
  readonly version: number;
  readonly role: Role;
  readonly state: AccountState;
  /** The person is suspended or erased, which ends the account whatever its state says. */
  readonly isPersonGone?: boolean;
  /** Tokens and sessions from before are over. Unix time. */
  readonly tokensAfterMs: number;
  /** User name, hashes and counters, sealed by the issuer's side; nobody else can make one. */
  readonly secret: Uint8Array;
};

/** What a hold names: a person, or a car within times. Unix time, inclusive. */
export type HeldThing =
  | { readonly person: string; readonly vehicle?: undefined }
  | {
      readonly vehicle: VehicleId;
      readonly fromMs: number;
      readonly toMs: number;
      readonly person?: undefined;
    };

/** P-82. What it names is not erased while it lasts. */
export type LegalHold = HeldThing & {
  readonly hold: string;
  readonly reason: string;
  /** Who may read the copy that is kept under the hold's own key. */
  readonly readers: readonly string[];
  readonly placedAtMs: number;
  readonly releasedAtMs?: number;
};

export type PeopleStore = {
  /** Makes or changes a person. Throws `conflict` where the person was erased. */
  readonly putPerson: (record: PersonRecord, audit: AuditEntry) => Promise<void>;
  readonly person: (person: string) => Promise<PersonRecord | undefined>;
  /** In order of their ids. */
  readonly people: (after: string, limit: number) => Promise<readonly PersonRecord[]>;
  /** Ids of those who have this value now. */
  readonly findPeople: (by: Finder, value: string) => Promise<readonly string[]>;
  /** The bookings that a person holds. */
  readonly bookingsOf: (person: string) => Promise<readonly string[]>;

  readonly giveConsent: (person: string, consent: Consent, audit: AuditEntry) => Promise<void>;
  /** Says whether there was one to withdraw. */
  readonly withdrawConsent: (
    person: string,
    purpose: ConsentPurpose,
    audit: AuditEntry,
  ) => Promise<boolean>;
  /** All there ever were, oldest first. */
  readonly consents: (person: string) => Promise<readonly Consent[]>;

  readonly putCredential: (record: CredentialRecord, audit: AuditEntry) => Promise<void>;
  readonly credentials: (person: string) => Promise<readonly CredentialRecord[]>;

  /**
   * Writes the account if the stored version is `record.version - 1` (none for 1) and the user name, where one is given,
   * is nobody else's; else `conflict`.
   */
  readonly putAccount: (
    record: AccountRecord,
    user: string | undefined,
    audit: AuditEntry,
  ) => Promise<void>;
  readonly account: (person: string) => Promise<AccountRecord | undefined>;

  /**
   * Keeps a copy of what is known of what it names, under a key of the hold: of a person, or of a car within the times
   * with who booked it. Throws `not_found`, or `limit_reached` where the times hold more than one copy takes.
   */
  readonly placeHold: (hold: LegalHold, audit: AuditEntry) => Promise<void>;
  readonly releaseHold: (hold: string, audit: AuditEntry) => Promise<void>;
  readonly holds: () => Promise<readonly LegalHold[]>;
  /** Whether a hold names the person, or a car while the person booked it, or a car of theirs. */
  readonly isHeld: (person: string) => Promise<boolean>;
  /** The copy, as JSON. Throws `forbidden` where the reader is not named, `not_found` where it was released. */
  readonly readHeld: (hold: string, reader: string, audit: AuditEntry) => Promise<string>;

  /**
   * Destroys the keys of the person and of what the person booked, with the indexes, and leaves tombstones. Throws
   * `conflict` while a hold keeps the person, or where the person was not suspended before.
   */
  readonly erasePerson: (person: string, audit: AuditEntry) => Promise<void>;
};

const CARD_DIGITS = { min: 14, max: 19 } as const;
/** The most digits of a telephone number (E.164 § 6). */
const PHONE_DIGITS_MAX = 15;

/**
 * P-23. Whether a text holds what reads as a number of a payment card (ISO/IEC 7812-1): 14 to 19 digits, single spaces
 * or hyphens between them, that begin as cards do and whose check digit fits. What begins with `+` and is no longer than
 * a telephone number is one.
 */
export function holdsCardNumber(value: string): boolean {
  for (const [run] of value.matchAll(/\+?\d(?:[ -]?\d){13,}/g)) {
    const digits = run.replaceAll(/[ +-]/g, "");
    if (run.startsWith("+") && digits.length <= PHONE_DIGITS_MAX) continue;
    for (let from = 0; from + CARD_DIGITS.min <= digits.length; from += 1) {
      const longest = Math.min(CARD_DIGITS.max, digits.length - from);
      for (let length = CARD_DIGITS.min; length <= longest; length += 1)
        if (isCardNumber(digits.slice(from, from + length))) return true;
    }
  }
  return false;
}

/** First digits and lengths of the schemes in use; Visa's 13 digits are not any more. */
const CARD =
  /^(?:4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|(?:35(?:2[89]|[3-8]\d))\d{12}|62\d{14,17}|(?:5018|5020|5038|6304|6759|676[1-3])\d{10,15})$/;

function isCardNumber(digits: string): boolean {
  if (!CARD.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = Number(digits[digits.length - 1 - i]);
    const doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Throws ProtocolError `malformed`, naming the field and not its value, where any text in `value` holds a card number. */
export function refuseCardNumbers(where: string, value: unknown): void {
  if (typeof value === "string" && holdsCardNumber(value))
    throw new ProtocolError(
      "malformed",
      `${where}: holds what reads as a card number; expected a provider's token`,
    );
  if (typeof value === "object" && value !== null)
    for (const [name, inner] of Object.entries(value)) refuseCardNumbers(`${where}.${name}`, inner);
}

/** What the issuer's side keeps of an account beside its state. */
export const accountSecretCodec = struct("an account's secret", {
  user: field(0, text(254), ppi("name to sign in with")),
  passwords: field(1, bytes(0, 1024), {
    class: "Restricted",
    doc: "Argon2id hashes, newest first",
  }),
  failures: field(2, uint(1000), { class: "Internal", doc: "failed sign-ins in a row" }),
  resetHash: optional(3, bytes(32), { class: "Restricted", doc: "SHA-256 of the reset's secret" }),
  resetUntilMs: optional(4, uint(), { class: "Internal", doc: "end of the reset, Unix time" }),
  resetFailures: optional(5, uint(100), { class: "Internal", doc: "wrong answers in it" }),
  factor: optional(6, bytes(20), { class: "Restricted", doc: "secret of the second factor" }),
  factorStep: optional(7, uint(), { class: "Internal", doc: "30 s since 1970 of its last code" }),
  recovery: optional(8, bytes(0, 320), {
    class: "Restricted",
    doc: "SHA-256 of codes to keep, in place of it",
  }),
});
export type AccountSecret = TypeOf<typeof accountSecretCodec>;
