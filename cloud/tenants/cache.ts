/**
 * The cache of a process (P-13): keys are prefixed by the tenant, values expire, and the oldest give way when it is
 * full. Nothing may depend on a value being there.
 */
import type { Cache, Clock, TenantId } from "@kerbside/protocol";

export const CACHE_ENTRIES_MAX = 10_000;
export const CACHE_VALUE_BYTES_MAX: number = 64 * 1024;

type Entry = { readonly value: Uint8Array; readonly expiresAtMs: number };

/** Values above 64 KB are not kept. Lives are counted on the boot clock, which nobody can set back. */
export function createCache(
  clock: Pick<Clock, "bootMs">,
  entriesMax: number = CACHE_ENTRIES_MAX,
): Cache {
  const entries = new Map<string, Entry>();
  // A tenant id holds no colon, so no key of one tenant can be made to read as another's.
  const full = (tenant: TenantId, key: string): string => `${tenant}:${key}`;
  return {
    get: async (tenant, key) => {
      const name = full(tenant, key);
      const entry = entries.get(name);
      if (entry === undefined) return undefined;
      if (clock.bootMs() < entry.expiresAtMs) return entry.value.slice();
      entries.delete(name);
      return undefined;
    },
    set: async (tenant, key, value, lifeMs) => {
      const name = full(tenant, key);
      entries.delete(name);
      if (value.length > CACHE_VALUE_BYTES_MAX || lifeMs <= 0) return;
      for (const oldest of entries.keys()) {
        if (entries.size < entriesMax) break;
        entries.delete(oldest);
      }
      entries.set(name, { value: value.slice(), expiresAtMs: clock.bootMs() + lifeMs });
    },
    delete: async (tenant, key) => {
      entries.delete(full(tenant, key));
    },
  };
}
