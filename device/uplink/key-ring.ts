/**
 * The keys of its tenant that the car trusts: what enrolment pinned, and what the authority or its spare put in place
 * since. Kept whole in one file that is replaced durably, so a cut leaves the keys of before or those of after.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  applyKeyPush,
  bytes,
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  decode,
  encode,
  encodeKeyPush,
  field,
  KEY_BYTES,
  type KeyVersions,
  keyVersionsOf,
  list,
  optional,
  ProtocolError,
  struct,
  type TenantId,
  type TrustedKeys,
  uint,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";
import { writeDurably } from "./files.ts";

export const KEYS_FILE = "trusted-keys";

export type KeyRing = {
  /** The key in force for a purpose that signs; undefined where the tenant never gave one. */
  readonly key: (purpose: Exclude<CertifiedPurpose, "ingest">) => VerifyKey | undefined;
  readonly ingestKey: () => { readonly version: number; readonly publicKey: Uint8Array };
  /** For the session announcement. */
  readonly versions: () => KeyVersions;
  /**
   * Takes a push; what changed is on the disk when it returns. Throws ProtocolError `malformed`, `unauthenticated`,
   * `forbidden` or `conflict`, and what the disk throws; then nothing has changed.
   */
  readonly apply: (message: Uint8Array) => readonly ("authority" | CertifiedPurpose)[];
};

/** What enrolment gave. */
export type PinnedKeys = {
  readonly tenant: TenantId;
  readonly authorityKey: Uint8Array;
  /** 1 where it is not said. */
  readonly authorityVersion?: number;
  readonly spareKey?: Uint8Array;
  readonly certificates: readonly Uint8Array[];
};

const internal = { class: "Internal" } as const;
const storedCodec = struct("trusted keys", {
  enrolledUnder: field(0, bytes(KEY_BYTES), {
    ...internal,
    doc: "the authority that enrolment pinned: after another enrolment this file is void",
  }),
  authorityVersion: field(1, uint(), { ...internal, doc: "of the authority in force" }),
  authorityKey: field(2, bytes(KEY_BYTES), { ...internal, doc: "the authority in force" }),
  spareKey: optional(3, bytes(KEY_BYTES), { ...internal, doc: "its spare" }),
  certificates: field(4, list(bytes(1, 512), CERTIFIED_PURPOSES.length), {
    ...internal,
    doc: "of the keys in force",
  }),
});

/** Throws ProtocolError where what is pinned, or what was kept since, does not hold together. */
export function openKeyRing(dir: string, pinned: PinnedKeys): KeyRing {
  const file = join(dir, KEYS_FILE);
  let trusted = load(file, pinned) ?? enrolled(pinned);
  const handles = new Map<Uint8Array, VerifyKey>();
  return {
    key: (purpose) => {
      const raw = trusted.keys[purpose]?.publicKey;
      if (raw === undefined) return undefined;
      const handle = handles.get(raw) ?? verifyKey(raw);
      handles.set(raw, handle);
      return handle;
    },
    ingestKey: () => {
      const key = trusted.keys.ingest;
      if (key === undefined) throw new ProtocolError("malformed", "keys: none to seal logs to");
      return { version: key.version, publicKey: key.publicKey };
    },
    versions: () => keyVersionsOf(trusted),
    apply: (message) => {
      const outcome = applyKeyPush(trusted, message);
      if (outcome.trusted.keys.ingest === undefined)
        throw new ProtocolError("conflict", "new keys: would leave none to seal logs to");
      if (outcome.changed.length > 0) {
        writeDurably(file, stored(pinned, outcome.trusted));
        trusted = outcome.trusted;
      }
      return outcome.changed;
    },
  };
}

function withCertificates(
  base: Omit<TrustedKeys, "keys">,
  certificates: readonly Uint8Array[],
): TrustedKeys {
  return applyKeyPush({ ...base, keys: {} }, encodeKeyPush({ certificates })).trusted;
}

function enrolled(pinned: PinnedKeys): TrustedKeys {
  const { tenant, authorityKey, authorityVersion = 1, spareKey, certificates } = pinned;
  const spare = spareKey === undefined ? {} : { spareKey };
  return withCertificates({ tenant, authorityVersion, authorityKey, ...spare }, certificates);
}

function load(file: string, { tenant, authorityKey }: PinnedKeys): TrustedKeys | undefined {
  if (!existsSync(file)) return undefined;
  const kept = decode(storedCodec, Uint8Array.from(readFileSync(file)));
  if (Buffer.compare(kept.enrolledUnder, authorityKey) !== 0) return undefined;
  const { authorityVersion, spareKey, certificates } = kept;
  const spare = spareKey === undefined ? {} : { spareKey };
  const base = { tenant, authorityVersion, authorityKey: kept.authorityKey, ...spare };
  return withCertificates(base, certificates);
}

function stored({ authorityKey: enrolledUnder }: PinnedKeys, trusted: TrustedKeys): Uint8Array {
  const { authorityVersion, authorityKey, spareKey, keys } = trusted;
  return encode(storedCodec, {
    enrolledUnder,
    authorityVersion,
    authorityKey,
    ...(spareKey === undefined ? {} : { spareKey }),
    certificates: Object.values(keys).map(({ envelope }) => envelope),
  });
}
