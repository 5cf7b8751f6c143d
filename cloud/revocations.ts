/**
 * Ends live connections of cars that were revoked by another process. The feed announces each change of a car in the
 * order of commits, so that reading on from the last cursor misses none.
 */
import type { Address, Clock, Log, TenantId, Timer } from "@kerbside/protocol";
import type { Tenants } from "@kerbside/tenants";

const POLL_MS = 1000;
const PAGE = 1000;

/** Returns how to stop. */
export function watchRevocations(parts: {
  readonly tenants: Pick<Tenants, "list" | "tenant">;
  readonly disconnect: (address: Address) => void;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  const { tenants, disconnect, clock, log } = parts;
  const cursors = new Map<TenantId, number>();
  let timer: Timer | undefined;
  let stopped = false;
  const look = async (id: TenantId): Promise<void> => {
    const store = (await tenants.tenant(id))?.store;
    if (store === undefined) return;
    const entries = await store.feed(cursors.get(id) ?? 0, PAGE);
    const changed = new Set(entries.filter((e) => e.topic === "vehicle").map((e) => e.id));
    for (const vehicle of changed.size === 0 ? [] : await store.vehicles())
      if (vehicle.revokedAtMs !== undefined && changed.has(vehicle.vehicle))
        disconnect({ tenant: id, vehicle: vehicle.vehicle });
    cursors.set(id, entries.at(-1)?.cursor ?? cursors.get(id) ?? 0);
  };
  const turn = async (): Promise<void> => {
    try {
      for (const id of tenants.list()) await look(id);
    } catch (error) {
      log.warn("revocations.failed", { error: error instanceof Error ? error.name : "unknown" });
    }
    if (!stopped) timer = clock.after(POLL_MS, () => void turn());
  };
  void turn();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
