/**
 * How a car joins a tenant. A one-time token, made by the operator for one car, is kept as a hash only. It is taken
 * before the car is recorded, so that two requests with one token cannot both succeed, and given back where the rest
 * fails. Both keys of the car are proven; its names come from the token's record and not from its request.
 */
import { randomBytes } from "node:crypto";
import {
  type AuditEntry,
  checkPossession,
  type EnrolmentRequest,
  type EnrolmentResponse,
  ProtocolError,
  sha256,
  type TenantId,
  type TenantStore,
  tenantId,
  utf8,
  type VehicleId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import type { TenantAuthority } from "./authority.ts";
import { readRequest } from "./certificates.ts";

/** What a token allows. */
export type EnrolmentGrant = {
  readonly tenant: TenantId;
  readonly vehicle: VehicleId;
  readonly profile: string;
};

export type EnrolmentTokens = {
  /** Takes the token of this hash, atomically, if it is unused and has not run out at `nowMs`; undefined otherwise. */
  readonly claim: (tokenHash: Uint8Array, nowMs: number) => Promise<EnrolmentGrant | undefined>;
  /** Gives a claimed token back. */
  readonly release: (tokenHash: Uint8Array) => Promise<void>;
};

export type EnrolmentTenant = {
  readonly store: Pick<TenantStore, "putVehicle">;
  readonly authority: TenantAuthority;
  /** Public half of the tenant's authority key, to be pinned by the car. */
  readonly authorityKey: Uint8Array;
  /** COSE_Sign1 key certificates by that authority. */
  readonly keyCertificates: Readonly<Partial<Record<"command" | "ingest", Uint8Array>>>;
};

export type EnrolmentPorts = {
  readonly tokens: EnrolmentTokens;
  readonly tenant: (tenant: TenantId) => Promise<EnrolmentTenant | undefined>;
  /** What the car is to trust as TLS server authority, PEM. */
  readonly serverCa: string;
  readonly broker: EnrolmentResponse["broker"];
  readonly nowMs: () => number;
};

const TOKEN_BYTES = 32;
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{43}$/;
const TOKEN_DOMAIN = "kerbside/v1/enrolment-token\n";

/** The hash by which a token is kept and found: 256 random bits need no salt, and are not found by the time of a look-up. */
export function enrolmentTokenHash(token: string): Uint8Array {
  return sha256(utf8(TOKEN_DOMAIN + token));
}

/** A fresh token; only its hash is to be kept. */
export function newEnrolmentToken(): { readonly token: string; readonly hash: Uint8Array } {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  return { token, hash: enrolmentTokenHash(token) };
}

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
 * the store throws; the token is used up only where it succeeds.
 */
export async function enrol(
  request: EnrolmentRequest,
  ports: EnrolmentPorts,
): Promise<EnrolmentResponse> {
  const address = { tenant: tenantId(request.tenant), vehicle: vehicleId(request.vehicle) };
  const { csr, token } = request;
  const signingKey = base64url(request.signingKey, 32, "signingKey");
  const proof = base64url(request.signingKeyProof, 64, "signingKeyProof");
  if (typeof csr !== "string") throw new ProtocolError("malformed", "csr: expected PEM");
  if (typeof token !== "string" || !TOKEN_PATTERN.test(token)) throw noToken();
  await readRequest(csr);
  if (!checkPossession(verifyKey(signingKey), address, csr, proof)) {
    throw new ProtocolError("unauthenticated", "signingKeyProof: does not verify");
  }
  const hash = enrolmentTokenHash(token);
  const grant = await ports.tokens.claim(hash, ports.nowMs());
  if (grant === undefined) throw noToken();
  try {
    if (grant.tenant !== address.tenant || grant.vehicle !== address.vehicle) throw noToken();
    return await record(grant, csr, signingKey, ports);
  } catch (error) {
    await ports.tokens.release(hash);
    throw error;
  }
}

async function record(
  { tenant, vehicle, profile }: EnrolmentGrant,
  csr: string,
  signingKey: Uint8Array,
  ports: EnrolmentPorts,
): Promise<EnrolmentResponse> {
  const home = await ports.tenant(tenant);
  if (home === undefined) throw noToken();
  const { chain, serial } = await home.authority.issueVehicle(vehicle, csr);
  const audit: AuditEntry = {
    actor: `vehicle:${vehicle}`,
    action: "vehicle.enrol",
    subject: `vehicle:${vehicle}`,
    outcome: "done",
    reason: `certificate ${serial}`,
  };
  const enrolledAtMs = ports.nowMs();
  const vehicleRecord = { vehicle, profile, signingKey, certificateSerial: serial, enrolledAtMs };
  await home.store.putVehicle(vehicleRecord, audit);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const { command, ingest } = home.keyCertificates;
  return {
    certificateChain: chain,
    serverCa: ports.serverCa,
    authorityKey: text(home.authorityKey),
    keyCertificates: {
      ...(command === undefined ? {} : { command: text(command) }),
      ...(ingest === undefined ? {} : { ingest: text(ingest) }),
    },
    broker: ports.broker,
  };
}
