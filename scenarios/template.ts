/**
 * A cloud with one tenant and one car that has joined it, made once a process as anybody makes them, over HTTPS too;
 * worlds begin with copies. What makes keys and certificates is not what scenarios are about.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPlatformAuthority } from "@kerbside/identity";
import {
  type Address,
  cryptoReady,
  KEY_BYTES,
  randomBytes,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import { enrol } from "@kerbside/uplink";
import Fastify from "fastify";
import { homesOf } from "../cloud/homes.ts";
import { serviceClock } from "../cloud/ports.ts";
import { ensureServerFiles, provisionTenant } from "../cloud/provisioning.ts";
import { registerEnrolment } from "../cloud/web-routes.ts";

export const ADDRESS: Address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
export const PROFILE = "kerbside-sim";
const HOUR_MS = 3_600_000;
/** Of memory, where the machine has one: what is written there is safe at once, and costs nothing. */
const MEMORY_DIR = "/dev/shm";

export type Template = {
  readonly dir: string;
  readonly cloud: string;
  readonly identity: string;
  readonly masterKey: Uint8Array;
  readonly signerKey: Uint8Array;
  readonly remove: () => void;
};

export function makeDirectory(): string {
  const base = existsSync(MEMORY_DIR) ? MEMORY_DIR : tmpdir();
  return mkdtempSync(join(base, "kerbside-scenario-"));
}

export async function makeTemplate(): Promise<Template> {
  await cryptoReady();
  const dir = makeDirectory();
  const cloud = join(dir, "cloud");
  const [masterKey, signerKey] = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)];
  const issuerKey = randomBytes(KEY_BYTES);
  const registry = await openRegistry({ dir: cloud, masterKey, create: true });
  const audit = {
    actor: "scenario",
    action: "make",
    subject: "tenant:demo",
    outcome: "done",
  } as const;
  await provisionTenant({ registry, dir: cloud, id: ADDRESS.tenant, signerKey, issuerKey, audit });
  const platform = await openPlatformAuthority(registry.platform.vault, Date.now);
  const tls = await ensureServerFiles(cloud, platform, []);
  const app = Fastify({ https: { key: tls.key, cert: tls.cert, minVersion: "TLSv1.3" } });
  const ports = {
    tokens: registry.platform,
    tenant: homesOf(registry, platform),
    serverCa: tls.ca,
    broker: { host: "localhost", port: 1 },
    nowMs: Date.now,
  };
  registerEnrolment(app, ports, serviceClock());
  const identity = join(dir, "identity");
  try {
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const grant = { ...ADDRESS, profile: PROFILE, lifeMs: HOUR_MS };
    const token = await registry.platform.issueEnrolmentToken(grant, audit);
    await enrol({ dir: identity, address: ADDRESS, url, ca: tls.ca, token });
  } finally {
    await app.close();
    await registry.close();
  }
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  return { dir, cloud, identity, masterKey, signerKey, remove };
}
