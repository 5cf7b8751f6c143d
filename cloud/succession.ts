/**
 * Another authority in the place of one that was lost or stolen. Its keys are files before anything speaks of them, and
 * each step may be done again: what a crash leaves is finished by the same call.
 */
import { join } from "node:path";
import { provisionSigner } from "@kerbside/commands";
import {
  CERTIFIED_PURPOSES,
  type CertifiedPurpose,
  equalBytes,
  KEY_BYTES,
  openSuccession,
  ProtocolError,
  randomBytes,
  type SigningKey,
  signingKey,
  signSuccession,
  systemRandom,
  type TenantId,
  type Vault,
  verifyKey,
} from "@kerbside/protocol";
import { readIfThere } from "@kerbside/tenants";
import { writeSecret } from "./config.ts";
import { certificateOf, certifiedKeys, VAULT_NAMES } from "./provisioning.ts";

export type Succeeded = {
  readonly version: number;
  readonly authorityFile: string;
  readonly spareFile: string;
};

/** Throws ProtocolError `unauthenticated` where the spare is not the one that cars have pinned. */
export async function succeedAuthority(parts: {
  readonly id: TenantId;
  readonly dir: string;
  readonly vault: Vault;
  readonly signerVault: Vault;
  readonly spare: SigningKey;
}): Promise<Succeeded> {
  const { id, dir, vault, signerVault, spare } = parts;
  const version = await nextVersion(vault, spare);
  const [seed, authorityFile] = keptSeed(dir, `authority-${id}-${version}`);
  const [spareSeed, spareFile] = keptSeed(dir, `authority-spare-${id}-${version}`);
  const authority = signingKey(seed);
  const nextSpare = signingKey(spareSeed).publicKey;
  const keys = await provisionSigner(signerVault, systemRandom);
  const ingest = await newestIngestKey(vault);
  for (const purpose of CERTIFIED_PURPOSES) {
    const key = purpose === "ingest" ? ingest : keys[purpose];
    await certify(vault, authority, id, purpose, key);
  }
  const succession = {
    tenant: id,
    version,
    authorityKey: authority.publicKey,
    spareKey: nextSpare,
  };
  await vault.put(VAULT_NAMES.succession(version), signSuccession(spare, succession));
  await vault.put(VAULT_NAMES.spare, nextSpare);
  // Last: until this is done, the same call does all of it again.
  await vault.put(VAULT_NAMES.authority, authority.publicKey);
  return { version, authorityFile, spareFile };
}

/** That of a succession which a crash cut off, or the next one. */
async function nextVersion(vault: Vault, spare: SigningKey): Promise<number> {
  const { authorityVersion, succession } = await certifiedKeys(vault);
  const pinned = await vault.get(VAULT_NAMES.authority);
  const begun = succession === undefined ? undefined : openedBy(spare, succession);
  if (begun !== undefined && pinned !== undefined && !equalBytes(begun, pinned)) {
    return authorityVersion;
  }
  const known = await vault.get(VAULT_NAMES.spare);
  if (known === undefined || !equalBytes(known, spare.publicKey)) {
    throw new ProtocolError("unauthenticated", "--spare: is not this tenant's spare");
  }
  return authorityVersion + 1;
}

/** The authority that a succession names, where this spare signed it. */
function openedBy({ publicKey }: SigningKey, succession: Uint8Array): Uint8Array | undefined {
  try {
    return openSuccession(verifyKey(publicKey), succession).authorityKey;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** A seed that is in a file before it is used for anything. */
function keptSeed(dir: string, name: string): readonly [seed: Uint8Array, file: string] {
  const file = join(dir, "secrets", name);
  const kept = readIfThere(file);
  if (kept !== undefined) {
    const text = Buffer.from(kept).toString("utf8").trim();
    return [new Uint8Array(Buffer.from(text, "base64url")), file];
  }
  const seed = randomBytes(KEY_BYTES);
  return [seed, writeSecret(dir, name, Buffer.from(seed).toString("base64url"))];
}

async function newestIngestKey(
  vault: Vault,
): Promise<{ readonly version: number; readonly publicKey: Uint8Array }> {
  const versions = (await vault.names()).flatMap((name) =>
    Number(/^ingest\/([1-9][0-9]{0,8})$/.exec(name)?.[1] ?? []),
  );
  const version = Math.max(...versions.filter((each) => each > 0));
  const pair = await vault.get(VAULT_NAMES.ingestKey(version));
  if (pair?.length !== 2 * KEY_BYTES) {
    throw new ProtocolError("storage_failed", "vault: has no ingest key");
  }
  return { version, publicKey: pair.slice(0, KEY_BYTES) };
}

function certify(
  vault: Vault,
  authority: SigningKey,
  id: TenantId,
  purpose: CertifiedPurpose,
  key: { readonly version: number; readonly publicKey: Uint8Array },
): Promise<void> {
  const certificate = certificateOf(authority, id, purpose, key);
  return vault.put(VAULT_NAMES.certificate(purpose, key.version), certificate);
}
