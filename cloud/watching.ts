/** What is shown of the node to the outside: the status page, and telemetry where it is asked for. */
import type { Clock, Log, TenantId } from "@kerbside/protocol";
import type { Registry, TenantUsage } from "@kerbside/tenants";
import type { FastifyInstance } from "fastify";
import { issuerSocket, signerSocket } from "./ports.ts";
import { listens, type Probe, registerStatus, watchStatus } from "./status.ts";
import { startTelemetry } from "./telemetry.ts";

export type Watched = {
  readonly dir: string;
  /** Undefined where there is no embedded issuer. */
  readonly issuer?: string;
  /** File that says where telemetry goes; nowhere without it. */
  readonly telemetry?: string;
};
export type WatchParts = {
  readonly registry: Registry;
  /** Whether the broker is there. */
  readonly answers: Probe;
  /** Everything that this process measures. */
  readonly metrics: () => string;
  readonly clock: Clock;
  readonly log: Log;
};

/** To be called before the server listens. Returns what ends it: totals are pushed once more. */
export async function watchNode(
  app: FastifyInstance,
  { dir, issuer, telemetry }: Watched,
  { registry, answers, metrics, clock, log }: WatchParts,
): Promise<() => Promise<void>> {
  const probes: Readonly<Record<string, Probe>> = {
    // It is, where somebody asks.
    api: async () => true,
    broker: answers,
    signer: listens({ path: signerSocket(dir) }),
    ...(issuer === undefined ? {} : { issuer: listens({ path: issuerSocket(dir) }) }),
    store: async () => registry.list().length >= 0,
  };
  const status = await watchStatus({ platform: registry.platform, probes, clock, log });
  registerStatus(app, status);
  const usage = () => usageOf(registry);
  const sent =
    telemetry === undefined
      ? undefined
      : startTelemetry({ file: telemetry, metrics, usage, clock, log });
  return async () => {
    await sent?.close();
    await status.close();
  };
}

/** One tenant after another, so that a thousand stores are not open at once. */
async function usageOf(registry: Registry): Promise<ReadonlyMap<TenantId, TenantUsage>> {
  const usage = new Map<TenantId, TenantUsage>();
  for (const id of registry.list()) {
    const tenant = await registry.tenant(id);
    if (tenant !== undefined) usage.set(id, tenant.store.usage());
  }
  return usage;
}
