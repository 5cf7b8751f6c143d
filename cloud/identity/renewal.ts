/**
 * How a car gets a new certificate for the one that it has. What counts is the certificate of the TLS connection, whose
 * key the handshake has proven; it may have run out, but not have been revoked, and must be the newest that the car has
 * used or been given. Until the new one is used the old one stays good.
 */
import type { X509Certificate } from "node:crypto";
import {
  type Address,
  type AuditEntry,
  ProtocolError,
  type RenewalRequest,
  type RenewalResponse,
  type TenantId,
  type TenantStore,
} from "@kerbside/protocol";
import type { TenantAuthority } from "./authority.ts";
import { readRequest } from "./certificates.ts";
import { type CarCertificate, identifyExpired } from "./identify.ts";

type RenewalStore = Pick<TenantStore, "vehicle" | "putCertificate">;

export type RenewalPorts = {
  readonly tenant: (
    tenant: TenantId,
  ) => Promise<{ readonly store: RenewalStore; readonly authority: TenantAuthority } | undefined>;
  /** What the car is to trust as TLS server authority, PEM. */
  readonly serverCa: string;
  /** Throws ProtocolError `limit_reached` where this car renews too often. */
  readonly admit: (car: Address) => void;
  readonly nowMs: () => number;
};

/**
 * Throws ProtocolError `unauthenticated` (no certificate, not of an enrolled car, revoked, replaced), `malformed` (the
 * request), `limit_reached`, or what the store throws.
 */
export async function renew(
  certificate: X509Certificate | undefined,
  request: RenewalRequest,
  ports: RenewalPorts,
): Promise<RenewalResponse> {
  if (certificate === undefined)
    throw new ProtocolError("unauthenticated", "client certificate: expected one");
  const authority = async (id: TenantId): Promise<string | undefined> =>
    (await ports.tenant(id))?.authority.certificate;
  const car = await identifyExpired(certificate, authority, ports.nowMs());
  const home = await ports.tenant(car.tenant);
  const record = await home?.store.vehicle(car.vehicle);
  const own = [record?.certificateSerial, record?.renewedSerial].some(
    (serial) => serial?.toUpperCase() === car.serial,
  );
  if (home === undefined || !own || record?.revokedAtMs !== undefined) throw notOwn();
  ports.admit(car);
  await readRequest(request.csr);
  const issued = await home.authority.issueVehicle(car.vehicle, request.csr);
  const audit = entryOf(car, "vehicle.renew", `certificate ${issued.serial}`);
  if (!(await home.store.putCertificate(car.vehicle, car.serial, issued.serial, audit)))
    throw notOwn();
  return { certificateChain: issued.chain, serverCa: ports.serverCa };
}

/** For a broker's gate: a renewed certificate is used for the first time. */
export function certificateUsed(
  store: Pick<TenantStore, "putCertificate">,
  car: CarCertificate,
): Promise<boolean> {
  const audit = entryOf(car, "vehicle.certificate", `certificate ${car.serial} is in use`);
  return store.putCertificate(car.vehicle, car.serial, undefined, audit);
}

/** One answer for a car that is unknown, revoked, or has a newer certificate. */
function notOwn(): ProtocolError {
  return new ProtocolError("unauthenticated", "client certificate: not the one of an enrolled car");
}

function entryOf({ vehicle }: Address, action: string, reason: string): AuditEntry {
  const who = `vehicle:${vehicle}`;
  return { actor: who, action, subject: who, outcome: "done", reason };
}
