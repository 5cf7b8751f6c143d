/** Real authorities, cars and vaults for the tests of everything that stands behind TLS. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  openPlatformAuthority,
  openTenantAuthority,
  type PlatformAuthority,
  type TenantAuthority,
} from "@kerbside/identity";
import {
  type Address,
  tenantId,
  type Vault,
  type VehicleId,
  type VehicleRecord,
  vehicleId,
} from "@kerbside/protocol";
import { PemConverter, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export function memoryVault(): Vault {
  const secrets = new Map<string, Uint8Array>();
  return {
    get: async (name) => secrets.get(name),
    put: async (name, secret) => {
      secrets.set(name, secret);
    },
    names: async () => [...secrets.keys()],
  };
}

/** A key pair and a request for it, with whatever name the asker likes. */
export async function newRequest(
  name = "CN=whatever I say",
): Promise<{ readonly key: string; readonly csr: string }> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: ECDSA,
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { key: PemConverter.encode(pkcs8, "PRIVATE KEY"), csr: request.toString("pem") };
}

export type TestCar = Address & {
  readonly key: string;
  readonly cert: string;
  readonly serial: string;
  readonly notAfterMs: number;
};

export type Pki = {
  readonly platform: PlatformAuthority;
  readonly server: { readonly key: string; readonly cert: string };
  /** The tenant's authority, made at the first call. */
  readonly tenant: (name: string) => Promise<TenantAuthority>;
  /** An authority with the keys of one tenant that writes the name of another. */
  readonly impostor: (keysOf: string, name: string) => Promise<TenantAuthority>;
  /** A certified car of a tenant; `issuer` may be another tenant's authority. */
  readonly car: (tenant: string, vehicle: string, issuer?: TenantAuthority) => Promise<TestCar>;
};

export async function makePki(nowMs: () => number = Date.now): Promise<Pki> {
  const platform = await openPlatformAuthority(memoryVault(), nowMs);
  const server = await platform.issueServer({ dns: ["localhost"], ip: ["127.0.0.1"] });
  const tenants = new Map<string, Promise<TenantAuthority>>();
  const vaults = new Map<string, Vault>();
  const tenant = (name: string): Promise<TenantAuthority> => {
    const vault = vaults.get(name) ?? memoryVault();
    vaults.set(name, vault);
    const made = tenants.get(name) ?? openTenantAuthority(platform, tenantId(name), vault, nowMs);
    tenants.set(name, made);
    return made;
  };
  return {
    platform,
    server,
    tenant,
    impostor: async (keysOf, name) => {
      await tenant(keysOf);
      const vault = vaults.get(keysOf) ?? memoryVault();
      return openTenantAuthority(platform, tenantId(name), vault, nowMs);
    },
    car: async (name, vehicle, issuer) => {
      const { key, csr } = await newRequest();
      const authority = issuer ?? (await tenant(name));
      const { chain, serial, notAfterMs } = await authority.issueVehicle(vehicleId(vehicle), csr);
      const address = { tenant: tenantId(name), vehicle: vehicleId(vehicle) };
      return { ...address, key, cert: chain, serial, notAfterMs };
    },
  };
}

/** The record that enrolment would have left. */
export function recordOf(car: TestCar, signingKey: Uint8Array = new Uint8Array(32)): VehicleRecord {
  return {
    vehicle: car.vehicle,
    profile: "test",
    signingKey,
    certificateSerial: car.serial,
    enrolledAtMs: 0,
  };
}

export const vehicleKey = ({ tenant, vehicle }: Address): `${string}.${VehicleId}` =>
  `${tenant}.${vehicle}`;
