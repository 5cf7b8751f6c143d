/**
 * How far a tenant is made. Its row is committed in the middle: before it lie the secrets of its authority, which nobody
 * could make again, after it its first clients. Each secret is written aside before what depends on it and takes its
 * place afterwards, that of the authority last of all. So a crash leaves either no tenant, or one that says of itself that
 * it is half made and has all that is needed to go on.
 */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AuditEntry, randomBytes, type TenantId, toHex } from "@kerbside/protocol";
import {
  clientSeal,
  openIssuerClients,
  type Registry,
  readIfThere,
  syncDirectory,
} from "@kerbside/tenants";
import { writeSecret } from "./config.ts";

/** Whoever makes a tenant takes less than this, in milliseconds; then it is taken on. */
const MAKING_MS_MAX = 60_000;
const CLIENT_SECRET_BYTES = 32;
/** Of the authority's public key, in the name of what is written aside: two who make the same name do not meet. */
const MARK_CHARS = 16;

export type Making = "not there" | "being made" | "cut short" | "made";

const secretFile = (dir: string, name: string): string => join(dir, "secrets", name);
const aside = (name: string): string => `${name}.making`;
const authorityAside = (id: TenantId, publicKey: Uint8Array): string =>
  aside(`authority-${id}.${toHex(publicKey).slice(0, MARK_CHARS)}`);
const spareAside = (id: TenantId, publicKey: Uint8Array): string =>
  aside(`authority-spare-${id}.${toHex(publicKey).slice(0, MARK_CHARS)}`);

/** `publicKey` is that of the tenant's authority, as its vault has it; undefined where there is no tenant. */
export function howFar(dir: string, id: TenantId, publicKey: Uint8Array | undefined): Making {
  if (publicKey === undefined) return "not there";
  const file = secretFile(dir, authorityAside(id, publicKey));
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (mtimeMs === undefined) return "made";
  return Date.now() - mtimeMs < MAKING_MS_MAX ? "being made" : "cut short";
}

type Authority = {
  readonly id: TenantId;
  readonly publicKey: Uint8Array;
  readonly seed: Uint8Array;
  readonly spareSeed: Uint8Array;
};

/** Before the tenant's row is committed. */
export function putAuthorityAside(
  dir: string,
  { id, publicKey, seed, spareSeed }: Authority,
): void {
  const text = (secret: Uint8Array): string => Buffer.from(secret).toString("base64url");
  writeSecret(dir, spareAside(id, publicKey), text(spareSeed));
  writeSecret(dir, authorityAside(id, publicKey), text(seed));
}

/** The row was not committed. */
export function forgetAuthority(dir: string, id: TenantId, publicKey: Uint8Array): void {
  for (const name of [authorityAside(id, publicKey), spareAside(id, publicKey)])
    rmSync(secretFile(dir, name), { force: true });
}

/** The last step: from here on the tenant is made. Safe to be done again. */
export function settleAuthority(
  dir: string,
  id: TenantId,
  publicKey: Uint8Array,
): { readonly authorityFile: string; readonly spareFile: string } {
  const spareFile = settle(dir, spareAside(id, publicKey), `authority-spare-${id}`);
  return {
    spareFile,
    authorityFile: settle(dir, authorityAside(id, publicKey), `authority-${id}`),
  };
}

function settle(dir: string, from: string, name: string): string {
  const file = secretFile(dir, name);
  if (existsSync(secretFile(dir, from))) {
    renameSync(secretFile(dir, from), file);
    syncDirectory(join(dir, "secrets"));
  }
  return file;
}

type NewClient = {
  readonly id: TenantId;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly issuerKey: Uint8Array;
  readonly audit: AuditEntry;
};

/** A client whose secret is in a file of its name. Safe to be done again. Throws ProtocolError `conflict`. */
export async function keepClient(
  registry: Registry,
  dir: string,
  { id, name, scopes, issuerKey, audit }: NewClient,
): Promise<string> {
  const file = `client-${name}`;
  const isOf = async (secret: string | undefined): Promise<boolean> => {
    if (secret === undefined) return false;
    const clients = openIssuerClients(dir, issuerKey);
    try {
      return (await clients.verifyClient(name, secret))?.tenant === id;
    } finally {
      clients.close();
    }
  };
  if (await isOf(readText(secretFile(dir, file)))) return secretFile(dir, file);
  const begun = readText(secretFile(dir, aside(file)));
  if (!(await isOf(begun))) {
    const secret = Buffer.from(randomBytes(CLIENT_SECRET_BYTES)).toString("base64url");
    writeSecret(dir, aside(file), secret);
    const made = { ...audit, action: "client.create", subject: `client:${name}` };
    const client = { client: name, tenant: id, scopes, secret };
    await registry.platform.createClient(client, clientSeal(issuerKey), made);
  }
  return settle(dir, aside(file), file);
}

function readText(file: string): string | undefined {
  const content = readIfThere(file);
  return content === undefined ? undefined : Buffer.from(content).toString("utf8").trim();
}
