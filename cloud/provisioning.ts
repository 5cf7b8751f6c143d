/**
 * What a tenant is made of beyond its store: certificate authority, the keys that cars trust with their certificates,
 * and the first clients. The authority key, which certifies all others, is handed out as a file and kept nowhere.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import { type CertifiedKeys, provisionSigner, type SignerPublicKey } from "@kerbside/commands";
import {
  openPlatformAuthority,
  openTenantAuthority,
  type PlatformAuthority,
} from "@kerbside/identity";
import {
  type AuditEntry,
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  certifyKey,
  concatBytes,
  KEY_BYTES,
  KEY_PURPOSES,
  ProtocolError,
  ROLES,
  randomBytes,
  type SigningKey,
  sealKeyPair,
  signingKey,
  systemRandom,
  type TenantId,
  type TenantTerms,
  utf8,
  type Vault,
} from "@kerbside/protocol";
import {
  makeDirectory,
  type NewTenant,
  type Registry,
  readIfThere,
  replaceFile,
} from "@kerbside/tenants";
import {
  forgetAuthority,
  howFar,
  keepClient,
  type Making,
  putAuthorityAside,
  settleAuthority,
} from "./making.ts";

const DAY_MS = 86_400_000;
const SUCCESSION = /^authority\/succession-([1-9][0-9]{0,8})$/;
/** A server certificate with less life left is made anew at a start. */
const SERVER_SPARE_MS = 30 * DAY_MS;
/** What the operator's own staff may do beyond a backend. */
const STAFF_SCOPES = [
  "commands:operate",
  "artefacts:read",
  "artefacts:write",
  "request-keys:read",
  "request-keys:revoke",
] as const;
/** What a client of a tenant may be for, and do. */
export const CLIENT_SCOPES: Readonly<Record<"backend" | "operator", readonly string[]>> = {
  backend: ROLES.backend.scopes,
  operator: [...ROLES.backend.scopes, ...STAFF_SCOPES],
};
/** Always in the certificate, besides the names that it is asked for. */
const LOCAL_NAMES = ["localhost", "127.0.0.1", "::1"] as const;

/** Names in a tenant's vault. The public half of a key of cars stands before the private one. */
export const VAULT_NAMES = {
  authority: "authority/public",
  spare: "authority/spare",
  /** What the spare signed to name the authority of this version. */
  succession: (version: number): string => `authority/succession-${version}`,
  certificate: (purpose: CertifiedPurpose, version: number): string =>
    `certificates/${purpose}-${version}`,
  ingestKey: (version: number): string => `ingest/${version}`,
} as const;

export type Provisioned = {
  readonly client: string;
  readonly clientSecretFile: string;
  /** A client for the operator's own staff, who may also act without a booking. */
  readonly operator: string;
  readonly operatorSecretFile: string;
  readonly authorityFile: string;
  readonly spareFile: string;
};

type Provisioning = {
  readonly registry: Registry;
  readonly dir: string;
  readonly id: TenantId;
  readonly signerKey: Uint8Array;
  readonly issuerKey: Uint8Array;
  readonly audit: AuditEntry;
  readonly terms?: TenantTerms;
};

export async function howFarMade(registry: Registry, dir: string, id: TenantId): Promise<Making> {
  return howFar(dir, id, await authorityOf(registry, id));
}

async function authorityOf(registry: Registry, id: TenantId): Promise<Uint8Array | undefined> {
  const tenant = await registry.tenant(id);
  return tenant?.vault.get(VAULT_NAMES.authority);
}

/**
 * Throws ProtocolError `conflict` where the tenant is there, or somebody is making it; then nothing was changed. One that
 * was cut short is made to its end, with the terms that it began with.
 */
export async function provisionTenant(options: Provisioning): Promise<Provisioned> {
  const { registry, dir, id, signerKey, audit, terms } = options;
  const there = await authorityOf(registry, id);
  const far = howFar(dir, id, there);
  if (there !== undefined) {
    if (far === "cut short") return finish(options, there);
    const words = far === "made" ? "is there already" : "is being made";
    throw new ProtocolError("conflict", `tenant ${id}: ${words}`);
  }
  // Made here, so that its root is there for whoever enrols cars before the cloud is started.
  const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
  ensureRootFile(dir, platform);
  const [seed, spareSeed] = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)];
  const authority = signingKey(seed);
  const { publicKey } = authority;
  const spare = signingKey(spareSeed).publicKey;
  const provision = async (tenant: NewTenant): Promise<void> => {
    await provisionKeys(id, tenant, platform, { authority, spare });
    putAuthorityAside(dir, { id, publicKey, seed, spareSeed });
  };
  try {
    await registry.create(id, signerKey, audit, provision, terms);
  } catch (error) {
    forgetAuthority(dir, id, publicKey);
    throw error;
  }
  return finish(options, publicKey);
}

/** What comes after the tenant's row. Safe to be done again. */
async function finish(
  { registry, dir, id, issuerKey, audit }: Provisioning,
  publicKey: Uint8Array,
): Promise<Provisioned> {
  await registry.admitIssuer(id, issuerKey);
  const makeClient = (name: string, of: readonly string[]): Promise<string> =>
    keepClient(registry, dir, { id, name, scopes: of, issuerKey, audit });
  const client = `${id}-backend`;
  const operator = `${id}-operator`;
  return {
    client,
    clientSecretFile: await makeClient(client, CLIENT_SCOPES.backend),
    operator,
    operatorSecretFile: await makeClient(operator, CLIENT_SCOPES.operator),
    ...settleAuthority(dir, id, publicKey),
  };
}

/** A key certificate that begins now. */
export function certificateOf(
  authority: SigningKey,
  tenant: TenantId,
  purpose: CertifiedPurpose,
  key: SignerPublicKey,
): Uint8Array {
  const now = Date.now();
  return certifyKey(authority, {
    tenant,
    purpose,
    ...key,
    notBeforeMs: now,
    notAfterMs: now + KEY_PURPOSES[purpose].lifeDaysMax * DAY_MS,
  });
}

/** All that a car may have to be told of keys. */
export async function certifiedKeys(vault: Vault): Promise<CertifiedKeys> {
  const certificates = await currentCertificates(vault);
  const version = Math.max(
    1,
    ...(await vault.names()).map((name) => Number(SUCCESSION.exec(name)?.[1] ?? 1)),
  );
  const succession = await vault.get(VAULT_NAMES.succession(version));
  return {
    authorityVersion: version,
    certificates,
    ...(succession === undefined ? {} : { succession }),
  };
}

/** The newest certificate of each purpose, as the tenant's vault has them. */
export async function currentCertificates(
  vault: Vault,
): Promise<
  ReadonlyMap<CertifiedPurpose, { readonly version: number; readonly envelope: Uint8Array }>
> {
  const names = await vault.names();
  const found = new Map<CertifiedPurpose, { version: number; envelope: Uint8Array }>();
  for (const purpose of CERTIFIED_PURPOSES) {
    const pattern = new RegExp(`^certificates/${purpose}-([1-9][0-9]{0,8})$`);
    const version = Math.max(0, ...names.map((name) => Number(pattern.exec(name)?.[1] ?? 0)));
    const envelope = await vault.get(VAULT_NAMES.certificate(purpose, version));
    if (envelope !== undefined) found.set(purpose, { version, envelope });
  }
  return found;
}

async function provisionKeys(
  id: TenantId,
  { store, vault, signerVault }: NewTenant,
  platform: PlatformAuthority,
  { authority, spare }: { readonly authority: SigningKey; readonly spare: Uint8Array },
): Promise<void> {
  await openTenantAuthority(platform, id, vault, Date.now);
  const ingest = sealKeyPair();
  await vault.put(VAULT_NAMES.ingestKey(1), concatBytes(ingest.publicKey, ingest.privateKey));
  await vault.put(VAULT_NAMES.authority, authority.publicKey);
  await vault.put(VAULT_NAMES.spare, spare);
  const keys = {
    ...(await provisionSigner(signerVault, systemRandom)),
    ingest: { version: 1, publicKey: ingest.publicKey },
  };
  for (const purpose of CERTIFIED_PURPOSES) {
    const key = keys[purpose];
    const envelope = certificateOf(authority, id, purpose, key);
    await vault.put(VAULT_NAMES.certificate(purpose, key.version), envelope);
    await store.audit({
      actor: "provisioning",
      action: "key.issue",
      subject: `key:${purpose}/${key.version}`,
      outcome: "done",
    });
  }
}

export type ServerFiles = { readonly ca: string; readonly cert: string; readonly key: string };

/**
 * The TLS certificate of this machine's servers and the root to trust, as PEM files under `tls`. Made anew where the one
 * that is there lacks one of `names` (host names or addresses) or runs out soon.
 */
export async function ensureServerFiles(
  dir: string,
  platform: PlatformAuthority,
  names: readonly string[],
): Promise<ServerFiles> {
  ensureRootFile(dir, platform);
  const ca = platform.rootCertificate;
  const file = (name: string): string => join(dir, "tls", name);
  const [cert, key] = [readText(file("server.pem")), readText(file("server.key"))];
  const all = [...new Set([...names, ...LOCAL_NAMES])];
  if (cert !== undefined && key !== undefined && isGood({ ca, cert, key }, all)) {
    return { ca, cert, key };
  }
  const made = await platform.issueServer({
    dns: all.filter((name) => isIP(name) === 0),
    ip: all.filter((name) => isIP(name) !== 0),
  });
  replaceFile(file("server.key"), utf8(made.key));
  replaceFile(file("server.pem"), utf8(made.cert));
  return { ca, cert: made.cert, key: made.key };
}

/** The root to trust, as a PEM file. */
function ensureRootFile(dir: string, { rootCertificate: ca }: PlatformAuthority): void {
  const file = join(dir, "tls", "ca.pem");
  makeDirectory(join(dir, "tls"));
  if (readText(file) !== ca) replaceFile(file, utf8(ca));
}

function readText(file: string): string | undefined {
  const content = readIfThere(file);
  return content === undefined ? undefined : Buffer.from(content).toString("utf8");
}

/** Of this root, with this key (a crash may have left one without the other), for these names, and not about to run out. */
function isGood({ ca, cert, key }: ServerFiles, names: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return (
    certificate.verify(new X509Certificate(ca).publicKey) &&
    certificate.checkPrivateKey(createPrivateKey(key)) &&
    names.every((name) => isNamed(certificate, name)) &&
    certificate.validToDate.getTime() > Date.now() + SERVER_SPARE_MS
  );
}

function isNamed(certificate: X509Certificate, name: string): boolean {
  const found = isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name);
  return found !== undefined;
}
