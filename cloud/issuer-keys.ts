/**
 * The embedded issuer's keys. The private one lies in a vault that only the issuer's own process opens; the public ones
 * are handed to those who judge its tokens, each in a vault of its own: to the signer in one that the API's process,
 * whose tokens the signer judges, cannot write.
 */
import { join } from "node:path";
import { SCOPES } from "@kerbside/commands";
import {
  type Issuer,
  openIssuer,
  type PeopleOptions,
  type TokenVerifierOptions,
} from "@kerbside/identity";
import {
  type Clock,
  equalBytes,
  type Log,
  ProtocolError,
  utf8,
  type Vault,
} from "@kerbside/protocol";
import { clientSeal, openIssuerClients, openVault, type Registry } from "@kerbside/tenants";
import { TOKEN_AUDIENCE } from "./ports.ts";

const ISSUER_VAULT = "issuer-vault.sealed";
const ISSUER_OWNER = "issuer";
const SIGNERS_COPY = "signer-platform.sealed";
const SIGNER_OWNER = "signer";
const NAME = "issuer/keys";

type Jwks = Issuer["jwks"];
export type OpenIssuer = Issuer & { readonly close: () => void };
export type IssuerParts = {
  readonly dir: string;
  readonly issuerKey: Uint8Array;
  readonly issuer: string;
  readonly clock: Clock;
  readonly log: Log;
  /** How people sign in. */
  readonly people?: PeopleOptions;
};

/** `make`: its key, where there is none yet. Throws ProtocolError, `forbidden` where the key is not there. */
export async function openEmbeddedIssuer(
  { dir, issuerKey, ...parts }: IssuerParts,
  mode: "make" | "read",
): Promise<OpenIssuer> {
  const vaultMode = mode === "make" ? "write" : "read";
  const clients = openIssuerClients(dir, issuerKey);
  try {
    const issuer = await openIssuer({
      ...parts,
      audience: TOKEN_AUDIENCE,
      scopes: Object.keys(SCOPES),
      vault: openVault(join(dir, ISSUER_VAULT), issuerKey, ISSUER_OWNER, vaultMode),
      clients,
      proxied: true,
    });
    return { ...issuer, close: clients.close };
  } catch (error) {
    clients.close();
    throw error;
  }
}

/**
 * Makes the issuer's key where there is none, and hands its public half to node and signer. Needs the secrets of all
 * three services, so only whoever sets them up can.
 */
export async function prepareIssuer(
  registry: Registry,
  signerKey: Uint8Array,
  parts: IssuerParts,
): Promise<void> {
  const { dir, issuerKey } = parts;
  const own = openVault(join(dir, ISSUER_VAULT), issuerKey, ISSUER_OWNER, "read");
  // Once: later this would seal clients that somebody else put into the store.
  if ((await own.names()).length === 0) registry.platform.sealClients(clientSeal(issuerKey));
  for (const id of registry.list()) await registry.admitIssuer(id, issuerKey);
  const { jwks, close } = await openEmbeddedIssuer(parts, "make");
  close();
  await hand(registry.platform.vault, jwks);
  await hand(openVault(join(dir, SIGNERS_COPY), signerKey, SIGNER_OWNER, "write"), jwks);
}

async function hand(vault: Vault, jwks: Jwks): Promise<void> {
  const keys = utf8(JSON.stringify(jwks));
  const known = await vault.get(NAME);
  if (known === undefined || !equalBytes(known, keys)) await vault.put(NAME, keys);
}

/** The public keys as the signer knows them. Throws ProtocolError `unavailable` where they were never handed over. */
export function signersIssuerKeys(
  dir: string,
  signerKey: Uint8Array,
): Promise<TokenVerifierOptions["keys"]> {
  return keysIn(openVault(join(dir, SIGNERS_COPY), signerKey, SIGNER_OWNER, "read"));
}

/** The same as the node knows them. */
export function nodesIssuerKeys(registry: Registry): Promise<TokenVerifierOptions["keys"]> {
  return keysIn(registry.platform.vault);
}

async function keysIn(vault: Vault): Promise<Jwks> {
  const keys = await vault.get(NAME);
  if (keys === undefined)
    throw new ProtocolError(
      "unavailable",
      "vault: holds no keys of the token issuer; kerbside-cloud serve hands them over",
    );
  return JSON.parse(Buffer.from(keys).toString("utf8")) as Jwks;
}
