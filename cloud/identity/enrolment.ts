/**
 * How a car joins a tenant, with a one-time token that the operator made for it. Both keys of the car are proven before
 * the token is used up, and nothing of the certificate's names comes from the certificate request. The token is used up
 * just before the car is recorded, so that of two requests with one token only one is recorded; only a store that fails
 * between the two costs a token, and the operator makes another.
 */
import {
  type Address,
  type AuditEntry,
  type CertifiedPurpose,
  checkPossession,
  type EnrolmentRequest,
  type EnrolmentResponse,
  KEY_BYTES,
  ProtocolError,
  SIGNATURE_BYTES,
  type TenantId,
  type TenantStore,
  tenantId,
  type VehicleRecord,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import type { TenantAuthority } from "./authority.ts";
import { readRequest } from "./certificates.ts";

/** The one-time tokens, each for one car. Kept as hashes by whoever keeps them. */
export type EnrolmentTokens = {
  /** The profile of the car that the token would enrol now; undefined where it would not. Changes nothing. */
  readonly checkEnrolmentToken: (address: Address, token: string) => Promise<string | undefined>;
  /** Uses the token up; true for just one of any number of callers. */
  readonly consumeEnrolmentToken: (address: Address, token: string) => Promise<boolean>;
};

export type EnrolmentTenant = {
  readonly store: Pick<TenantStore, "putVehicle">;
  readonly authority: TenantAuthority;
  /** The authority that certifies the keys cars trust, to be pinned, with its spare. */
  readonly keyAuthority: () => Promise<{
    readonly version: number;
    readonly key: Uint8Array;
    readonly spare?: Uint8Array | undefined;
  }>;
  /** COSE_Sign1 key certificates by that authority, the newest of each purpose. */
  readonly keyCertificates: () => Promise<ReadonlyMap<CertifiedPurpose, Uint8Array>>;
};

export type EnrolmentPorts = {
  readonly tokens: EnrolmentTokens;
  readonly tenant: (tenant: TenantId) => Promise<EnrolmentTenant | undefined>;
  /** What the car is to trust as TLS server authority, PEM. */
  readonly serverCa: string;
  readonly broker: EnrolmentResponse["broker"];
  readonly nowMs: () => number;
};

const TOKEN_CHARS_MAX = 256;

function base64url(value: unknown, bytes: number, where: string): Uint8Array {
  const decoded = typeof value === "string" ? Buffer.from(value, "base64url") : undefined;
  if (decoded?.length !== bytes || decoded.toString("base64url") !== value) {
    throw new ProtocolError("malformed", `${where}: expected ${bytes} bytes in base64url`);
  }
  return new Uint8Array(decoded);
}

/** One answer for a token that is unknown, used, out of time or of another car: it tells a guesser nothing. */
function noToken(): ProtocolError {
  return new ProtocolError("forbidden", "enrolment token: not valid for this car");
}

/**
 * Enrols a car. Throws ProtocolError `malformed`, `unauthenticated` (a proof fails), `forbidden` (the token), or what
 * the store throws.
 */
export async function enrol(
  request: EnrolmentRequest,
  ports: EnrolmentPorts,
): Promise<EnrolmentResponse> {
  const address = { tenant: tenantId(request.tenant), vehicle: vehicleId(request.vehicle) };
  const { csr, token } = request;
  const signingKey = base64url(request.signingKey, KEY_BYTES, "signingKey");
  const proof = base64url(request.signingKeyProof, SIGNATURE_BYTES, "signingKeyProof");
  if (typeof csr !== "string") throw new ProtocolError("malformed", "csr: expected PEM");
  if (typeof token !== "string" || token.length > TOKEN_CHARS_MAX) throw noToken();
  // The token first: what comes after costs more, and is not for everybody to ask.
  const profile = await ports.tokens.checkEnrolmentToken(address, token);
  const home = profile === undefined ? undefined : await ports.tenant(address.tenant);
  if (profile === undefined || home === undefined) throw noToken();
  await readRequest(csr);
  if (!checkPossession(verifyKey(signingKey), address, csr, proof)) {
    throw new ProtocolError("unauthenticated", "signingKeyProof: does not verify");
  }
  const { chain, serial } = await home.authority.issueVehicle(address.vehicle, csr);
  if (!(await ports.tokens.consumeEnrolmentToken(address, token))) throw noToken();
  await record(home, address, { profile, signingKey, certificateSerial: serial }, ports.nowMs());
  return answer(home, chain, ports);
}

async function record(
  { store }: EnrolmentTenant,
  { vehicle }: Address,
  proven: Pick<VehicleRecord, "profile" | "signingKey" | "certificateSerial">,
  enrolledAtMs: number,
): Promise<void> {
  const audit: AuditEntry = {
    actor: `vehicle:${vehicle}`,
    action: "vehicle.enrol",
    subject: `vehicle:${vehicle}`,
    outcome: "done",
    reason: `certificate ${proven.certificateSerial}`,
  };
  await store.putVehicle({ vehicle, ...proven, enrolledAtMs }, audit);
}

async function answer(
  home: EnrolmentTenant,
  chain: string,
  ports: EnrolmentPorts,
): Promise<EnrolmentResponse> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const certificates = [...(await home.keyCertificates())].map(([of, c]) => [of, text(c)]);
  const { version, key, spare } = await home.keyAuthority();
  return {
    certificateChain: chain,
    serverCa: ports.serverCa,
    authorityKey: text(key),
    // Cars of before know of no version and are not told of the first.
    ...(version === 1 ? {} : { authorityVersion: version }),
    ...(spare === undefined ? {} : { spareKey: text(spare) }),
    keyCertificates: Object.fromEntries(certificates),
    broker: ports.broker,
  };
}
