/**
 * New keys on their way to cars: whatever a car has an older version of is pushed when it announces itself, and to the
 * cars that are connected when a key has changed. The certificates come from outside; here is nothing that could make one.
 */
import {
  type CertifiedPurpose,
  type Downlink,
  encodeKeyPush,
  encodePush,
  type KeyVersions,
  type Log,
  ProtocolError,
  type SessionRecord,
  type TenantId,
} from "@kerbside/protocol";

/** What the tenant's authority has certified: the newest of each purpose, and the last succession. */
export type CertifiedKeys = {
  readonly authorityVersion: number;
  readonly succession?: Uint8Array;
  readonly certificates: ReadonlyMap<
    CertifiedPurpose,
    { readonly version: number; readonly envelope: Uint8Array }
  >;
};

/** The message that brings a car with these versions up to date; undefined where it is. Pure. */
export function keyPushFor(has: KeyVersions, keys: CertifiedKeys): Uint8Array | undefined {
  const succeeds = keys.succession !== undefined && has.authority < keys.authorityVersion;
  // After a succession no certificate of before counts, so the car gets them all.
  const certificates = [...keys.certificates]
    .filter(([purpose, { version }]) => succeeds || (has[purpose] ?? 0) < version)
    .map(([, { envelope }]) => envelope);
  if (certificates.length === 0 && !succeeds) return undefined;
  return encodeKeyPush({
    ...(succeeds && keys.succession !== undefined ? { succession: keys.succession } : {}),
    certificates,
  });
}

/** Never rejects: the next announcement does it again. */
export async function pushKeys(
  parts: {
    readonly keys: (tenant: TenantId) => Promise<CertifiedKeys | undefined>;
    readonly downlink: Downlink;
    readonly log: Log;
  },
  tenant: TenantId,
  { vehicle, session }: SessionRecord,
): Promise<void> {
  if (session.keyVersions === undefined) return;
  try {
    const keys = await parts.keys(tenant);
    const push = keys && keyPushFor(session.keyVersions, keys);
    if (push === undefined) return;
    const message = encodePush({ kind: "keys", keys: push });
    await parts.downlink.send({ tenant, vehicle }, "artefact", message);
  } catch (error) {
    const code = error instanceof ProtocolError ? error.code : "bug";
    parts.log.warn("keys.not_pushed", { code });
  }
}
