/** The signer as a service: its own key, its own vaults, the stores, and a Unix socket. No port of any kind. */
import { join } from "node:path";
import { BUCKET_MS_MAX, type RunningSigner, runSigner } from "@kerbside/commands";
import type { TenantId } from "@kerbside/protocol";
import { openRateFile, openSignerTenants } from "@kerbside/tenants";
import { signersIssuerKeys } from "./issuer-keys.ts";
import { serviceLog } from "./log.ts";
import { serviceClock, signerSocket } from "./ports.ts";
import { recently } from "./recent.ts";
import { serviceVerifier, type TrustedIssuer } from "./trust.ts";

/** In the data directory. */
const RATES = "signer-rates.sqlite";

export type SignerProcessOptions = {
  readonly dir: string;
  readonly signerKey: Uint8Array;
  /** The embedded issuer's name; undefined where there is none, and its tokens are not believed. */
  readonly issuer?: string;
  readonly trusted?: TrustedIssuer;
  /** Of the tenants that are served here (P-14). */
  readonly regions: ReadonlySet<string>;
};

/** Rejects with ProtocolError where the data directory is not one of a cloud, or another signer runs there. */
export async function startSigner(options: SignerProcessOptions): Promise<RunningSigner> {
  const { dir, signerKey, issuer, trusted } = options;
  const clock = serviceClock();
  const embedded =
    issuer === undefined ? undefined : { issuer, keys: await signersIssuerKeys(dir, signerKey) };
  const tenants = await openSignerTenants({ dir, signerKey, regions: options.regions });
  const ledger = openRateFile(join(dir, RATES), BUCKET_MS_MAX);
  const running = await runSigner({
    ledger,
    socket: signerSocket(dir),
    tenant: recently((id: TenantId) => tenants.tenant(id), clock),
    verifyToken: serviceVerifier(embedded, trusted, clock, {
      account: async (id, person) => (await tenants.tenant(id))?.store.people.account(person),
      hasClient: tenants.hasClient,
    }),
    clock,
    log: serviceLog("signer"),
  });
  return {
    close: async () => {
      await running.close();
      await tenants.close();
      ledger.close();
    },
  };
}
