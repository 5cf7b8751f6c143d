/**
 * Ends live connections of cars that were revoked, and of tenants that were removed, by another process. At its first look
 * at a tenant it goes through all cars; from then on the feed announces each change of a car in the order of commits, so
 * that reading on from the last cursor misses none. What the feed has from before is not read: it may be years of it.
 */
import { lastCursor } from "@kerbside/commands";
import type { Address, Clock, Log, TenantId, Timer } from "@kerbside/protocol";
import type { Tenants } from "@kerbside/tenants";

const POLL_MS = 1000;
const PAGE = 1000;

/** Returns how to stop. */
export function watchRevocations(parts: {
  readonly tenants: Pick<Tenants, "list" | "tenant">;
  readonly disconnect: (address: Address) => void;
  readonly disconnectTenant: (tenant: TenantId) => void;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  const { tenants, disconnect, disconnectTenant, clock, log } = parts;
  const cursors = new Map<TenantId, number>();
  let timer: Timer | undefined;
  let known: readonly TenantId[] = [];
  let stopped = false;
  const look = async (id: TenantId): Promise<void> => {
    const store = (await tenants.tenant(id))?.store;
    if (store === undefined) return;
    const end = async (isMeant: (vehicle: string) => boolean): Promise<void> => {
      for (const { vehicle, revokedAtMs } of await store.vehicles())
        if (revokedAtMs !== undefined && isMeant(vehicle)) disconnect({ tenant: id, vehicle });
    };
    const after = cursors.get(id);
    if (after === undefined) {
      const last = await lastCursor(store);
      await end(() => true);
      cursors.set(id, last);
      return;
    }
    const entries = await store.feed(after, PAGE);
    const changed = new Set(entries.filter((e) => e.topic === "vehicle").map((e) => e.id));
    if (changed.size > 0) await end((vehicle) => changed.has(vehicle));
    cursors.set(id, entries.at(-1)?.cursor ?? after);
    if (entries.length === PAGE) await look(id);
  };
  /** A tenant whose store fails does not keep the others' revocations from being seen. */
  const attempt = async (step: () => Promise<void> | void): Promise<void> => {
    try {
      await step();
    } catch (error) {
      log.warn("revocations.failed", { error: error instanceof Error ? error.name : "unknown" });
    }
  };
  const turn = async (): Promise<void> => {
    await attempt(() => {
      const there = tenants.list();
      for (const id of known) if (!there.includes(id)) disconnectTenant(id);
      for (const id of cursors.keys()) if (!there.includes(id)) cursors.delete(id);
      known = there;
    });
    for (const id of known) await attempt(() => look(id));
    if (!stopped) timer = clock.after(POLL_MS, () => void turn());
  };
  void turn();
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
