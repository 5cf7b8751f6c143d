/**
 * The public keys of the embedded issuer as the signer knows them: in a vault sealed by the signer's key, where the
 * API's process, whose tokens the signer judges, cannot put others in their place.
 */
import { join } from "node:path";
import { SCOPES } from "@kerbside/commands";
import { type Issuer, openIssuer, type TokenVerifierOptions } from "@kerbside/identity";
import { type Clock, equalBytes, type Log, ProtocolError, utf8 } from "@kerbside/protocol";
import { openVault, type Registry } from "@kerbside/tenants";
import { TOKEN_AUDIENCE } from "./ports.ts";

const FILE = "signer-platform.sealed";
const OWNER = "signer";
const NAME = "issuer/keys";

export function openEmbeddedIssuer(
  registry: Registry,
  parts: { readonly issuer: string; readonly clock: Clock; readonly log: Log },
): Promise<Issuer> {
  return openIssuer({
    ...parts,
    audience: TOKEN_AUDIENCE,
    scopes: Object.keys(SCOPES),
    vault: registry.platform.vault,
    clients: registry.platform,
  });
}

type Jwks = Issuer["jwks"];

/** Hands the issuer's keys to the signer. Needs both services' secrets, so only whoever sets them up can. */
export async function handIssuerKeys(
  dir: string,
  signerKey: Uint8Array,
  jwks: Jwks,
): Promise<void> {
  const vault = openVault(join(dir, FILE), signerKey, OWNER, "write");
  const keys = utf8(JSON.stringify(jwks));
  const known = await vault.get(NAME);
  if (known === undefined || !equalBytes(known, keys)) await vault.put(NAME, keys);
}

/** Throws ProtocolError `unavailable` where they were never handed over. */
export async function signersIssuerKeys(
  dir: string,
  signerKey: Uint8Array,
): Promise<TokenVerifierOptions["keys"]> {
  const vault = openVault(join(dir, FILE), signerKey, OWNER, "read");
  const keys = await vault.get(NAME);
  if (keys === undefined)
    throw new ProtocolError(
      "unavailable",
      `${join(dir, FILE)}: holds no keys of the issuer; kerbside-cloud serve makes it`,
    );
  return JSON.parse(Buffer.from(keys).toString("utf8")) as Jwks;
}
