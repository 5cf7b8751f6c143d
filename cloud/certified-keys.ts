/** What a tenant's authority has certified, as the node finds it in the vault, and that cars hear of a change. */
import { type CertifiedKeys, pushKeys } from "@kerbside/commands";
import type { Clock, Downlink, Log, TenantId, Timer } from "@kerbside/protocol";
import type { Homes } from "./homes.ts";
import { certifiedKeys } from "./provisioning.ts";

const POLL_MS = 5000;

/** Reads the vault anew, so that a key that another process rotated is found. */
export function keysOf(homes: Homes): (tenant: TenantId) => Promise<CertifiedKeys | undefined> {
  return async (tenant) => {
    const vault = (await homes(tenant))?.vault;
    return vault && (await certifiedKeys(vault));
  };
}

/**
 * Pushes to the cars that are connected when a key was rotated; those that are away are told at their next session.
 * Returns how to stop.
 */
export function watchKeys(parts: {
  readonly list: () => readonly TenantId[];
  readonly homes: Homes;
  readonly downlink: Downlink;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  const { list, homes, downlink, clock, log } = parts;
  const seen = new Map<TenantId, string>();
  let timer: Timer | undefined;
  let stopped = false;
  const look = async (tenant: TenantId): Promise<void> => {
    const home = await homes(tenant);
    if (home === undefined) return;
    const names = (await home.vault.names()).filter((name) =>
      /^(?:certificates|authority)\//.test(name),
    );
    const now = names.sort().join(" ");
    const before = seen.get(tenant);
    if (before === undefined) seen.set(tenant, now);
    if (before === undefined || before === now) return;
    const keys = keysOf(homes);
    for (const { vehicle } of await home.store.vehicles()) {
      const session = await home.store.session(vehicle);
      if (session?.online === true) await pushKeys({ keys, downlink, log }, tenant, session);
    }
    // Once all were told: where the store fails in between, the next look does it again.
    seen.set(tenant, now);
  };
  /** A tenant whose vault or store fails does not keep the others' cars from being told. */
  const attempt = async <T>(step: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await step();
    } catch (error) {
      log.warn("keys.watch_failed", { error: error instanceof Error ? error.name : "unknown" });
      return undefined;
    }
  };
  const turn = async (): Promise<void> => {
    for (const tenant of (await attempt(list)) ?? []) await attempt(() => look(tenant));
    if (!stopped) timer = clock.after(POLL_MS, () => void turn());
  };
  void turn();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
