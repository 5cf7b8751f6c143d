/**
 * Every key that a party trusts for something, in one table: what for, who holds it, who certifies it, how long it
 * lives, how it is taken back, and the domain string that is bound into everything made with it.
 */

import { openSign1, sign1 } from "./cose.ts";
import { KEY_BYTES, type SigningKey, type VerifyKey, verifyKey } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { type TenantId, tenantCodec } from "./ids.ts";
import { bytes, choice, decode, encode, field, struct, type TypeOf, uint } from "./schema.ts";

type KeyRow = {
  readonly domain: string;
  readonly holder: string;
  readonly certifiedBy: string;
  readonly lifeDaysMax: number;
  readonly revocation: string;
};

const YEAR = 365;
export const KEY_PURPOSES = {
  authority: {
    domain: "kerbside/v1/authority",
    holder: "tenant, offline, apart from the signer's vault",
    certifiedBy: "pinned at enrolment, with a pinned spare",
    lifeDaysMax: 20 * YEAR,
    revocation: "the spare certifies the next",
  },
  command: {
    domain: "kerbside/v1/command",
    holder: "the signer's vault",
    certifiedBy: "authority",
    lifeDaysMax: YEAR,
    revocation: "a certificate of a higher version takes its place",
  },
  grant: {
    domain: "kerbside/v1/grant",
    holder: "the signer's vault",
    certifiedBy: "authority",
    lifeDaysMax: YEAR,
    revocation: "a certificate of a higher version takes its place",
  },
  ingest: {
    domain: "kerbside/v1/ingest",
    holder: "the tenant's vault (private half opens logs)",
    certifiedBy: "authority",
    lifeDaysMax: 2 * YEAR,
    revocation:
      "a certificate of a higher version; the private half stays while any car may need it",
  },
  time: {
    domain: "kerbside/v1/time",
    holder: "the signer's vault",
    certifiedBy: "authority",
    lifeDaysMax: YEAR,
    revocation: "a certificate of a higher version takes its place",
  },
  artefact: {
    domain: "kerbside/v1/artefact",
    holder: "the signer's vault",
    certifiedBy: "authority",
    lifeDaysMax: YEAR,
    revocation: "a certificate of a higher version takes its place",
  },
  vehicle: {
    domain: "kerbside/v1/vehicle",
    holder: "the car",
    certifiedBy: "enrolment (proof of possession)",
    lifeDaysMax: 15 * YEAR,
    revocation: "the vehicle's record in the tenant's store",
  },
} as const satisfies Record<string, KeyRow>;
export type KeyPurpose = keyof typeof KEY_PURPOSES;
/** Purposes whose keys travel in a certificate signed by the tenant's authority. */
export const CERTIFIED_PURPOSES = ["command", "grant", "ingest", "time", "artefact"] as const;
export type CertifiedPurpose = (typeof CERTIFIED_PURPOSES)[number];

/** What the car's own key signs, each under a domain of its own. */
export const VEHICLE_DOMAINS = {
  segment: "kerbside/v1/vehicle/segment",
  opening: "kerbside/v1/vehicle/opening",
  session: "kerbside/v1/vehicle/session",
  result: "kerbside/v1/vehicle/result",
  possession: "kerbside/v1/vehicle/possession",
} as const;

const internal = { class: "Internal" } as const;
const keyCertificateCodec = struct("key certificate", {
  tenant: field(0, tenantCodec, { ...internal, doc: "whose key" }),
  purpose: field(1, choice(CERTIFIED_PURPOSES), {
    ...internal,
    doc: "the only thing it may be used for",
  }),
  version: field(2, uint(), {
    ...internal,
    doc: "rises with each replacement; a lower one is refused",
  }),
  publicKey: field(3, bytes(KEY_BYTES), { ...internal, doc: "Ed25519, or X25519 for ingest" }),
  notBeforeMs: field(4, uint(), { ...internal, doc: "Unix time", unit: "ms" }),
  notAfterMs: field(5, uint(), { ...internal, doc: "Unix time", unit: "ms" }),
});
export type KeyCertificate = TypeOf<typeof keyCertificateCodec>;
export { keyCertificateCodec };

/** Signed by the tenant's authority key. */
export function certifyKey(authority: SigningKey, certificate: KeyCertificate): Uint8Array {
  return sign1(authority, KEY_PURPOSES.authority.domain, encode(keyCertificateCodec, certificate));
}

/**
 * Opens a key certificate of `tenant` for `purpose`. Its time of validity is the caller's to judge (a car may not
 * know the time). Throws ProtocolError `malformed`, `unauthenticated` or `forbidden`.
 */
export function openKeyCertificate(
  authority: VerifyKey,
  expected: { readonly tenant: TenantId; readonly purpose: CertifiedPurpose },
  envelope: Uint8Array,
): KeyCertificate {
  const payload = openSign1(authority, KEY_PURPOSES.authority.domain, envelope);
  const certificate = decode(keyCertificateCodec, payload);
  if (certificate.tenant !== expected.tenant || certificate.purpose !== expected.purpose) {
    throw new ProtocolError(
      "forbidden",
      `key certificate: expected one of this tenant for ${expected.purpose}`,
    );
  }
  return certificate;
}

/** The verifying key inside a certificate (not for `ingest`, whose key seals). */
export function certifiedVerifyKey(certificate: KeyCertificate): VerifyKey {
  return verifyKey(certificate.publicKey);
}
