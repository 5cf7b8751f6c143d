/**
 * From a TLS client certificate to a car. The name in it counts only together with its issuer: a tenant's certificate
 * is one that this tenant's authority signed, whatever another tenant's authority may have put its name to.
 */
import { X509Certificate } from "node:crypto";
import {
  type Address,
  clientIdOf,
  ProtocolError,
  parseClientId,
  type TenantId,
  type VehicleRecord,
} from "@kerbside/protocol";

/** What a certificate proves. `serial` is hexadecimal in upper case; `notAfterMs` is Unix time. */
export type CarCertificate = Address & { readonly serial: string; readonly notAfterMs: number };

/** OID of TLS client authentication among the extended key usages (RFC 5280 § 4.2.1.12). */
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
/** As Node prints a name of the two parts that our profile has. */
const SUBJECT = /^O=([^\n]+)\nCN=([^\n]+)$/;

/** The car that the subject names, before anything of it is believed. Throws ProtocolError `unauthenticated`. */
function named(certificate: X509Certificate): Address {
  const [, organization, commonName] = SUBJECT.exec(certificate.subject) ?? [];
  try {
    const address = parseClientId(commonName ?? "");
    if (address.tenant === organization && clientIdOf(address) === commonName) return address;
  } catch {
    // Refused below, with the same words.
  }
  throw new ProtocolError("unauthenticated", "client certificate: expected the subject of a car");
}

/**
 * Who a certificate says its holder is. Throws ProtocolError `unauthenticated` unless it was issued by `authority` (the
 * named tenant's, PEM; undefined: no such tenant), serves for client authentication and is valid at `nowMs`.
 */
export async function identifyCertificate(
  certificate: X509Certificate,
  authority: (tenant: TenantId) => Promise<string | undefined>,
  nowMs: number,
): Promise<CarCertificate> {
  const car = await identifyExpired(certificate, authority, nowMs);
  if (nowMs >= car.notAfterMs)
    throw new ProtocolError("unauthenticated", "client certificate: not valid at this time");
  return car;
}

/** As `identifyCertificate`, for a certificate that may have run out: all that it may be used for is to renew it. */
export async function identifyExpired(
  certificate: X509Certificate,
  authority: (tenant: TenantId) => Promise<string | undefined>,
  nowMs: number,
): Promise<CarCertificate> {
  const address = named(certificate);
  const issuer = await authority(address.tenant);
  const ca = issuer === undefined ? undefined : new X509Certificate(issuer);
  const issued =
    ca !== undefined && certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  if (!issued) {
    throw new ProtocolError("unauthenticated", "client certificate: not issued by this tenant");
  }
  if (certificate.ca || !certificate.keyUsage?.includes(CLIENT_AUTH)) {
    throw new ProtocolError("unauthenticated", "client certificate: not for client authentication");
  }
  const notAfterMs = certificate.validToDate.getTime();
  if (nowMs < certificate.validFromDate.getTime()) {
    throw new ProtocolError("unauthenticated", "client certificate: not valid at this time");
  }
  return { ...address, serial: certificate.serialNumber.toUpperCase(), notAfterMs };
}

export type CarGateOptions = {
  /** PEM of the tenant's authority; undefined where there is no such tenant. */
  readonly authority: (tenant: TenantId) => Promise<string | undefined>;
  readonly vehicle: (address: Address) => Promise<VehicleRecord | undefined>;
  /** A renewed certificate is used for the first time: the one before ends. Says whether it is the car's own still. */
  readonly confirm: (car: CarCertificate) => Promise<boolean>;
  readonly nowMs: () => number;
};

/**
 * What a broker asks at each connection: the certificate must be that of an enrolled car that was not revoked, and the
 * newest one it was given and used, or a renewed one, which counts from then on. Rejects with ProtocolError `unauthenticated` otherwise.
 */
export function carGate(
  options: CarGateOptions,
): (certificate: X509Certificate) => Promise<CarCertificate> {
  return async (certificate) => {
    const car = await identifyCertificate(certificate, options.authority, options.nowMs());
    const record = await options.vehicle(car);
    const renewed = record?.renewedSerial?.toUpperCase() === car.serial;
    const own = renewed
      ? await options.confirm(car)
      : record?.certificateSerial.toUpperCase() === car.serial;
    if (record === undefined || !own) {
      throw new ProtocolError("unauthenticated", "client certificate: not the one of this car");
    }
    if (record.revokedAtMs !== undefined) {
      throw new ProtocolError("unauthenticated", "client certificate: this car was revoked");
    }
    return car;
  };
}
