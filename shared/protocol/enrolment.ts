/**
 * How a car joins a tenant: over HTTPS, with a one-time token, it hands in a PKCS #10 request for its TLS
 * certificate and the public half of its signing key, each with proof of possession, and gets back its certificate,
 * the tenant's authority key to pin, and the keys certified by it. JSON; binary values in base64url.
 */
import { concatBytes, utf8 } from "./bytes.ts";
import { type SigningKey, sha256, type VerifyKey, verifySignature } from "./crypto.ts";
import { type CertifiedPurpose, VEHICLE_DOMAINS } from "./keys.ts";
import type { Address } from "./topics.ts";

export type EnrolmentRequest = {
  readonly tenant: string;
  readonly vehicle: string;
  /** One-time, secret. */
  readonly token: string;
  /** PKCS #10, PEM; its signature proves possession of the TLS key. */
  readonly csr: string;
  /** Ed25519 public key that will sign segments, sessions and results. */
  readonly signingKey: string;
  /** Signature by that key; see `possessionBytes`. */
  readonly signingKeyProof: string;
};

export type EnrolmentResponse = {
  /** The car's certificate, then the tenant's CA, PEM. */
  readonly certificateChain: string;
  /** What the car must trust as TLS server authority, PEM. */
  readonly serverCa: string;
  /** The tenant's authority key, to be pinned. */
  readonly authorityKey: string;
  /** Which one in the row of successions that is; 1 where it is not said. */
  readonly authorityVersion?: number;
  /** The authority's spare, to be pinned as well; it can do nothing but name the next authority. */
  readonly spareKey?: string;
  /** COSE_Sign1 key certificates by that authority, one a purpose. */
  readonly keyCertificates: Readonly<Partial<Record<CertifiedPurpose, string>>>;
  readonly broker: { readonly host: string; readonly port: number };
};

/**
 * How a car renews its certificate, over TLS with the one that it has, which may have run out but must not be revoked
 * (as RFC 7030 § 4.2.2 does). The old one stays good until the new one is first used, so that an answer that is lost
 * costs nothing.
 */
export type RenewalRequest = {
  /** PKCS #10, PEM, of the same or a new key; its signature proves possession. */
  readonly csr: string;
};

export type RenewalResponse = Pick<EnrolmentResponse, "certificateChain" | "serverCa">;

/** What the signing key signs to prove possession: bound to tenant, vehicle and the request's own TLS key. */
export function possessionBytes({ tenant, vehicle }: Address, csr: string): Uint8Array {
  const prefix = utf8(`${VEHICLE_DOMAINS.possession}\n${tenant}\n${vehicle}\n`);
  return concatBytes(prefix, sha256(utf8(csr)));
}

export function provePossession(key: SigningKey, address: Address, csr: string): Uint8Array {
  return key.sign(possessionBytes(address, csr));
}

export function checkPossession(
  key: VerifyKey,
  address: Address,
  csr: string,
  proof: Uint8Array,
): boolean {
  return verifySignature(key, possessionBytes(address, csr), proof);
}
