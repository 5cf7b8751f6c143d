/** A platform with two tenants that have the same car, and signers over it, for the tests of the signer. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectSigner,
  provisionSigner,
  type RunningSigner,
  runSigner,
  type SignerClient,
  type SignerOptions,
} from "@kerbside/commands";
import {
  type ErrorCode,
  ProtocolError,
  randomBytes,
  type SessionAnnouncement,
  type SigningKey,
  signingKey,
  signSession,
  systemRandom,
  type TenantId,
  type TenantStore,
  type Vault,
} from "@kerbside/protocol";
import {
  openRegistry,
  openSignerTenants,
  type Registry,
  type SignersTenant,
  type Tenants,
} from "@kerbside/tenants";
import { jwtVerify } from "jose";
import { DEMO } from "./car.ts";
import { CAR, clock, log, OTHER } from "./rig.ts";
import { type Issuer, issuer, tokenVerifierOf } from "./tokens.ts";

export const audit = { actor: "test", action: "test", subject: "test", outcome: "done" } as const;

export type SignerPlace = {
  readonly dir: string;
  readonly masterKey: Uint8Array;
  readonly signerKey: Uint8Array;
  readonly registry: Registry;
  readonly tenants: Tenants<SignersTenant>;
  /** Of the tenant `demo`. */
  readonly store: TenantStore;
  readonly tokens: Issuer;
  readonly car: SigningKey;
  /** The public half of that tenant's command key. */
  readonly commandKey: Uint8Array;
  readonly close: () => Promise<void>;
};

/** `more` is done to the signer's vault of each tenant, while it can be written. */
export async function signerPlace(
  more: (tenant: TenantId, vault: Vault) => Promise<void> = async () => undefined,
): Promise<SignerPlace> {
  const dir = mkdtempSync(join(tmpdir(), "kb-signer-"));
  const signerKey = randomBytes(32);
  const masterKey = randomBytes(32);
  const registry = await openRegistry({ dir, masterKey, create: true });
  const car = signingKey(randomBytes(32));
  let commandKey = new Uint8Array();
  for (const tenant of [OTHER, DEMO]) {
    await registry.create(tenant, signerKey, audit, async ({ store, signerVault }) => {
      commandKey = new Uint8Array(
        (await provisionSigner(signerVault, systemRandom)).command.publicKey,
      );
      await more(tenant, signerVault);
      await store.putVehicle(
        {
          vehicle: CAR,
          profile: "kerbside-sim/1",
          signingKey: car.publicKey,
          certificateSerial: "01",
          enrolledAtMs: 1,
        },
        audit,
      );
    });
  }
  const store = (await registry.tenant(DEMO))?.store;
  if (store === undefined) throw new Error("the tenant is missing");
  const tenants = await openSignerTenants({ dir, signerKey });
  const close = async (): Promise<void> => {
    await tenants.close();
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  };
  const tokens = await issuer();
  return { dir, masterKey, signerKey, registry, tenants, store, tokens, car, commandKey, close };
}

/** The car announces a session. */
export async function announce(
  { store, car }: Pick<SignerPlace, "store" | "car">,
  more: Partial<SessionAnnouncement> = {},
): Promise<SessionAnnouncement> {
  const session: SessionAnnouncement = {
    tenant: DEMO,
    vehicle: CAR,
    epoch: randomBytes(16),
    sessionMs: 1000,
    reason: "start",
    announcement: 1,
    timeNonce: randomBytes(16),
    agentVersion: "0.1.0",
    profile: "kerbside-sim/1",
    ...more,
  };
  const envelope = signSession(car, session);
  const at = { receivedAtMs: Date.now(), online: true };
  await store.putSession({ vehicle: CAR, session, envelope, ...at });
  return session;
}

export type StartedSigner = {
  readonly socket: string;
  readonly signer: RunningSigner;
  readonly client: SignerClient;
  readonly stop: () => Promise<void>;
};

/** A signer on a socket of this name, and a caller's link to it. */
export async function startSigner(
  { dir, tenants, tokens }: SignerPlace,
  name: string,
  more: Partial<SignerOptions> = {},
): Promise<StartedSigner> {
  const socket = join(dir, name);
  const verifyToken = verifierOf(tokens);
  const { tenant } = tenants;
  const signer = await runSigner({ socket, tenant, verifyToken, clock, log, ...more });
  const client = connectSigner({ socket, clock });
  const stop = async (): Promise<void> => {
    await client.close();
    await signer.close();
  };
  return { socket, signer, client, stop };
}

export const verifierOf = (tokens: Issuer): ReturnType<typeof tokenVerifierOf> =>
  tokenVerifierOf((token, checks) => jwtVerify(token, tokens.jwk, checks));

/** With what a request fails, or `ok`. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | "ok"> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}
