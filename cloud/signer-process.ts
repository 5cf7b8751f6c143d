/** The signer as a service: its own key, its own vaults, the stores, and a Unix socket. No port of any kind. */
import { type RunningSigner, runSigner } from "@kerbside/commands";
import { openSignerTenants } from "@kerbside/tenants";
import { signersIssuerKeys } from "./issuer-keys.ts";
import { serviceLog } from "./log.ts";
import { serviceClock, signerSocket } from "./ports.ts";
import { serviceVerifier, type TrustedIssuer } from "./trust.ts";

export type SignerProcessOptions = {
  readonly dir: string;
  readonly signerKey: Uint8Array;
  /** The embedded issuer's name; undefined where there is none, and its tokens are not believed. */
  readonly issuer?: string;
  readonly trusted?: TrustedIssuer;
};

/** Rejects with ProtocolError where the data directory is not one of a cloud, or another signer runs there. */
export async function startSigner(options: SignerProcessOptions): Promise<RunningSigner> {
  const { dir, signerKey, issuer, trusted } = options;
  const clock = serviceClock();
  const embedded =
    issuer === undefined ? undefined : { issuer, keys: await signersIssuerKeys(dir, signerKey) };
  const tenants = await openSignerTenants({ dir, signerKey });
  const running = await runSigner({
    socket: signerSocket(dir),
    tenant: (id) => tenants.tenant(id),
    verifyToken: serviceVerifier(embedded, trusted, clock, async (id, person) =>
      (await tenants.tenant(id))?.store.people.account(person),
    ),
    clock,
    log: serviceLog("signer"),
  });
  return {
    close: async () => {
      await running.close();
      await tenants.close();
    },
  };
}
