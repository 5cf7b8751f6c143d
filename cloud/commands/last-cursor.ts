/** Where a feed ends, for whoever follows it from now on. */
import type { TenantStore } from "@kerbside/protocol";

/** Doubling and halving: some 100 short looks at most, whatever the cursor (below 2^53). */
export async function lastCursor(store: Pick<TenantStore, "feed">): Promise<number> {
  const beyond = async (cursor: number): Promise<boolean> =>
    (await store.feed(cursor, 1)).length > 0;
  let high = 1;
  while (await beyond(high - 1)) high *= 2;
  let low = Math.floor(high / 2);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await beyond(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
