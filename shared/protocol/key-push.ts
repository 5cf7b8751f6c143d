/**
 * New keys for a car that is on the road. Certificates by the authority take the place of lower versions, and a
 * succession by the pinned spare takes the place of the authority itself. A pure function says what a car trusts
 * afterwards: all of a message, or nothing of it. No certified key can make any of this.
 */
import { equalBytes } from "./bytes.ts";
import { openSign1, parseSign1, sign1 } from "./cose.ts";
import { KEY_BYTES, type SigningKey, type VerifyKey, verifyKey } from "./crypto.ts";
import { ProtocolError } from "./errors.ts";
import { type TenantId, tenantCodec } from "./ids.ts";
import {
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  KEY_PURPOSES,
  type KeyCertificate,
  keyCertificateCodec,
  openKeyCertificate,
} from "./keys.ts";
import {
  bytes,
  decode,
  encode,
  field,
  list,
  optional,
  struct,
  type TypeOf,
  uint,
} from "./schema.ts";

/** Certificates in one message: one a purpose, and some to spare for purposes to come. */
export const KEY_CERTIFICATES_MAX = 16;
/** A certificate is below 200 bytes. */
const CERTIFICATE_BYTES_MAX = 512;
const SUCCESSION_DOMAIN = `${KEY_PURPOSES.authority.domain}/succession`;

const internal = { class: "Internal" } as const;
export const successionCodec = struct("succession of the authority", {
  tenant: field(0, tenantCodec, { ...internal, doc: "whose authority" }),
  version: field(1, uint(), { ...internal, doc: "rises; the authority of the enrolment is 1" }),
  authorityKey: field(2, bytes(KEY_BYTES), { ...internal, doc: "the next authority, Ed25519" }),
  spareKey: field(3, bytes(KEY_BYTES), { ...internal, doc: "its spare" }),
});
export type Succession = TypeOf<typeof successionCodec>;

/** Signed by the spare of the authority before. */
export function signSuccession(spare: SigningKey, succession: Succession): Uint8Array {
  return sign1(spare, SUCCESSION_DOMAIN, encode(successionCodec, succession));
}

/** Throws ProtocolError `malformed` or `unauthenticated`. */
export function openSuccession(spare: VerifyKey, envelope: Uint8Array): Succession {
  return decode(successionCodec, openSign1(spare, SUCCESSION_DOMAIN, envelope));
}

export const keyPushCodec = struct("new keys", {
  succession: optional(0, bytes(1, CERTIFICATE_BYTES_MAX), {
    ...internal,
    doc: "by the pinned spare; then no certificate of before counts any more",
  }),
  certificates: field(1, list(bytes(1, CERTIFICATE_BYTES_MAX), KEY_CERTIFICATES_MAX), {
    ...internal,
    doc: "by the authority (the new one where there is a succession), one a purpose at most",
  }),
});
export type KeyPush = TypeOf<typeof keyPushCodec>;

/** A key in force. */
export type TrustedKey = {
  readonly version: number;
  readonly publicKey: Uint8Array;
  /** The certificate as it came, to be kept. */
  readonly envelope: Uint8Array;
};
/** All that a car trusts of its tenant. Without a spare the authority is there for good. */
export type TrustedKeys = {
  readonly tenant: TenantId;
  readonly authorityVersion: number;
  readonly authorityKey: Uint8Array;
  readonly spareKey?: Uint8Array;
  readonly keys: Readonly<Partial<Record<CertifiedPurpose, TrustedKey>>>;
};
/** `changed` is empty where everything in the message was in force already. */
export type KeyPushOutcome = {
  readonly trusted: TrustedKeys;
  readonly changed: readonly ("authority" | CertifiedPurpose)[];
};

/**
 * What a car trusts after `message`. Throws ProtocolError `malformed`, `unauthenticated`, `forbidden` (of another
 * tenant) or `conflict` (a version that is lower, or another key of the same version); then nothing has changed.
 */
export function applyKeyPush(trusted: TrustedKeys, message: Uint8Array): KeyPushOutcome {
  const { succession, certificates } = decode(keyPushCodec, message);
  const begun = succession === undefined ? undefined : succeed(trusted, succession);
  const base = begun ?? trusted;
  const authority = verifyKey(base.authorityKey);
  const keys: Partial<Record<CertifiedPurpose, TrustedKey>> = { ...base.keys };
  const changed: ("authority" | CertifiedPurpose)[] = begun === undefined ? [] : ["authority"];
  const seen = new Set<CertifiedPurpose>();
  for (const envelope of certificates) {
    const { purpose, version, publicKey } = openAny(authority, trusted.tenant, envelope);
    if (seen.has(purpose)) {
      throw new ProtocolError("malformed", `new keys: more than one for ${purpose}`);
    }
    seen.add(purpose);
    if (take(purpose, keys[purpose], version, publicKey)) {
      keys[purpose] = { version, publicKey, envelope };
      changed.push(purpose);
    }
  }
  if (keys.command === undefined) {
    throw new ProtocolError("conflict", "new keys: would leave the car without a command key");
  }
  return { trusted: { ...base, keys }, changed };
}

/** Undefined where it has been applied before. */
function succeed(trusted: TrustedKeys, envelope: Uint8Array): TrustedKeys | undefined {
  if (appliedAlready(trusted, envelope)) return undefined;
  if (trusted.spareKey === undefined) {
    throw new ProtocolError("unauthenticated", "succession: no spare is pinned");
  }
  const next = openSuccession(verifyKey(trusted.spareKey), envelope);
  if (next.tenant !== trusted.tenant) {
    throw new ProtocolError("forbidden", "succession: expected one of this tenant");
  }
  if (next.version <= trusted.authorityVersion) {
    throw new ProtocolError("conflict", "succession: expected a higher version");
  }
  return {
    tenant: trusted.tenant,
    authorityVersion: next.version,
    authorityKey: next.authorityKey,
    spareKey: next.spareKey,
    keys: {},
  };
}

/** The same succession again, which the spare that it replaced had signed: known by what it says. */
function appliedAlready(trusted: TrustedKeys, envelope: Uint8Array): boolean {
  const said = peekSuccession(envelope);
  return (
    said.version === trusted.authorityVersion &&
    equalBytes(said.authorityKey, trusted.authorityKey) &&
    trusted.spareKey !== undefined &&
    equalBytes(said.spareKey, trusted.spareKey)
  );
}

function peekSuccession(envelope: Uint8Array): Succession {
  return decode(successionCodec, parseSign1(envelope).payload);
}

/** Of whichever purpose it says it is. */
function openAny(authority: VerifyKey, tenant: TenantId, envelope: Uint8Array): KeyCertificate {
  const { purpose } = decode(keyCertificateCodec, parseSign1(envelope).payload);
  return openKeyCertificate(authority, { tenant, purpose }, envelope);
}

/** Whether it takes the place of `before`; throws where it must not. */
function take(
  purpose: CertifiedPurpose,
  before: TrustedKey | undefined,
  version: number,
  publicKey: Uint8Array,
): boolean {
  if (before === undefined || version > before.version) return true;
  if (version === before.version && equalBytes(publicKey, before.publicKey)) return false;
  throw new ProtocolError("conflict", `new keys: expected a higher version for ${purpose}`);
}

/** Throws ProtocolError `malformed`. */
export function encodeKeyPush(push: KeyPush): Uint8Array {
  return encode(keyPushCodec, push);
}

/** The version of each key in force, as a session announces it. */
export const keyVersionsCodec = struct("versions of keys", {
  authority: field(0, uint(), { ...internal, doc: "of the pinned authority" }),
  command: optional(1, uint(), { ...internal, doc: "of the command key in force" }),
  grant: optional(2, uint(), { ...internal, doc: "of the grant key in force" }),
  ingest: optional(3, uint(), { ...internal, doc: "of the ingest key in force" }),
  time: optional(4, uint(), { ...internal, doc: "of the time key in force" }),
  artefact: optional(5, uint(), { ...internal, doc: "of the artefact key in force" }),
});
export type KeyVersions = TypeOf<typeof keyVersionsCodec>;

export function keyVersionsOf(trusted: TrustedKeys): KeyVersions {
  const versions = CERTIFIED_PURPOSES.flatMap((purpose) => {
    const key = trusted.keys[purpose];
    return key === undefined ? [] : [[purpose, key.version] as const];
  });
  return { authority: trusted.authorityVersion, ...Object.fromEntries(versions) };
}
