/**
 * The development certificate authority: a root in the platform's vault, one intermediate in each tenant's vault. Keys
 * are made at the first opening and stay in the vaults. In production another authority may take its place: what the
 * rest needs of one are these two types.
 */
import type { Address, TenantId, Vault } from "@kerbside/protocol";
import { clientIdOf } from "@kerbside/protocol";
import {
  type CaKeys,
  exportPrivateKey,
  type IssuedCertificate,
  importPrivateKey,
  issueAuthority,
  issueCrl,
  issueLeaf,
  newKeys,
  privateKeyPem,
  readCertificate,
  readRequest,
} from "./certificates.ts";

type Revoked = { readonly serial: string; readonly atMs: number };

/** A tenant's intermediate authority. */
export type TenantAuthority = {
  readonly tenant: TenantId;
  /** PEM. */
  readonly certificate: string;
  /** Certifies the key of a PKCS #10 request for this car. Throws ProtocolError `malformed` or `unauthenticated`. */
  readonly issueVehicle: (vehicle: Address["vehicle"], csr: string) => Promise<IssuedCertificate>;
  /** PEM; valid for a week. */
  readonly crl: (revoked: readonly Revoked[]) => Promise<string>;
};

export type PlatformAuthority = {
  /** What cars, backends and the broker trust; PEM. */
  readonly rootCertificate: string;
  /** A fresh key and certificate for TLS servers under these names. PEM; `cert` is the chain. */
  readonly issueServer: (names: {
    readonly dns: readonly string[];
    readonly ip: readonly string[];
  }) => Promise<{ readonly key: string; readonly cert: string; readonly notAfterMs: number }>;
  readonly crl: (revoked: readonly Revoked[]) => Promise<string>;
  /** For `openTenantAuthority`; signs the tenants' intermediates. */
  readonly keys: CaKeys;
};

const KEY_NAME = "ca/key";
const CERTIFICATE_NAME = "ca/certificate";

async function openKeys(vault: Vault, make: () => Promise<CaKeys>): Promise<CaKeys> {
  const [key, certificate] = await Promise.all([vault.get(KEY_NAME), vault.get(CERTIFICATE_NAME)]);
  if (key !== undefined && certificate !== undefined) {
    return {
      privateKey: await importPrivateKey(key),
      certificate: readCertificate(certificate),
    };
  }
  const made = await make();
  await vault.put(KEY_NAME, await exportPrivateKey(made.privateKey));
  await vault.put(CERTIFICATE_NAME, new Uint8Array(made.certificate.rawData));
  return made;
}

/** Opens the root in the platform's vault, and makes it at the first time. `nowMs` is Unix time in milliseconds. */
export async function openPlatformAuthority(
  vault: Vault,
  nowMs: () => number,
): Promise<PlatformAuthority> {
  const name = { organization: "Kerbside", commonName: "Kerbside development root" };
  const keys = await openKeys(vault, () => issueAuthority(name, undefined, nowMs()));
  return {
    rootCertificate: `${keys.certificate.toString("pem")}\n`,
    issueServer: async ({ dns, ip }) => {
      const { publicKey, privateKey } = await newKeys();
      const commonName = dns[0] ?? ip[0] ?? "server";
      const names = { organization: "Kerbside", commonName, dns, ip };
      const leaf = { kind: "server", ...names, publicKey } as const;
      const { chain, notAfterMs } = await issueLeaf(leaf, keys, nowMs());
      return { key: await privateKeyPem(privateKey), cert: chain, notAfterMs };
    },
    crl: (revoked) => issueCrl(keys, revoked, nowMs()),
    keys,
  };
}

/** Opens a tenant's authority in its vault, and makes it below the platform's root at the first time. */
export async function openTenantAuthority(
  platform: PlatformAuthority,
  tenant: TenantId,
  vault: Vault,
  nowMs: () => number,
): Promise<TenantAuthority> {
  const name = { organization: tenant, commonName: `${tenant} authority` };
  const keys = await openKeys(vault, () => issueAuthority(name, platform.keys, nowMs()));
  return {
    tenant,
    certificate: `${keys.certificate.toString("pem")}\n`,
    issueVehicle: async (vehicle, csr) => {
      const publicKey = await readRequest(csr);
      const commonName = clientIdOf({ tenant, vehicle });
      const leaf = { kind: "vehicle", organization: tenant, commonName, publicKey } as const;
      return issueLeaf(leaf, keys, nowMs());
    },
    crl: (revoked) => issueCrl(keys, revoked, nowMs()),
  };
}
