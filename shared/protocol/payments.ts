/**
 * Payments, by a provider that the tenant has a contract with (P-23): it alone sees cards, and gives a token for each,
 * which is all that is kept here, sealed under the person's key.
 */
import { ProtocolError } from "./errors.ts";
import { refuseCardNumbers } from "./people.ts";
import type { AuditEntry } from "./store.ts";

/** Of what is charged in one go, in the smallest unit of the currency. */
export const AMOUNT_MAX = 10_000_000;
const TOKEN = /^[A-Za-z0-9_-]{8,128}$/;

export type Charge = {
  /** Chosen by the caller; the provider charges the same reference once. */
  readonly reference: string;
  /** In the currency's smallest unit. */
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
};
export type Charged = {
  /** The provider's own reference. */
  readonly charge: string;
  readonly state: "charged" | "declined";
};

/**
 * What is asked of a provider. All reject with `unavailable` where it does not answer as agreed, but for `charge`, which
 * rejects with `unknown_outcome` then: to be asked again with the same reference.
 */
export type PaymentProvider = {
  /** A token for a card that the person enters on the provider's own page. */
  readonly begin: () => Promise<{ readonly token: string; readonly page: string }>;
  /** Whether it can be charged: the card was entered, and the token was not revoked. */
  readonly verify: (token: string) => Promise<boolean>;
  readonly charge: (token: string, charge: Charge) => Promise<Charged>;
  /** Idempotent, and the same where the provider never knew it. */
  readonly revoke: (token: string) => Promise<void>;
};

/** Payments of a tenant's people. Rejects with `unavailable` too where the tenant has no provider. */
export type PaymentDesk = {
  /** Keeps the token with the person, and answers the page to enter the card at. One before it is revoked. */
  readonly begin: (person: string, audit: AuditEntry) => Promise<{ readonly page: string }>;
  /** Rejects with `conflict` where the person has no card that can be charged. A payment sets `paidAtMs` (P-81). */
  readonly charge: (person: string, charge: Charge, audit: AuditEntry) => Promise<Charged>;
};

/** Throws ProtocolError `malformed`, also for what reads as a card's number. */
export function paymentTokenOf(value: unknown): string {
  refuseCardNumbers("payment token", value);
  if (typeof value !== "string" || !TOKEN.test(value))
    throw new ProtocolError("malformed", "payment token: expected 8 to 128 of A–Z, a–z, 0–9, _, -");
  return value;
}
