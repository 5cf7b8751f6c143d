/**
 * The benchmark across tenants (P-15): the only thing that reads more than one tenant's store. One after the other is
 * read, where its data is at home (P-14), and of each only sums are left before the next one.
 */
import { setImmediate } from "node:timers/promises";
import {
  BenchmarkSums,
  gather,
  type PlatformDesk,
  ProtocolError,
  totalsOf,
} from "@kerbside/protocol";
import type { PlatformAudited } from "./anchors.ts";
import type { Tenants } from "./tenants.ts";

export function benchmarkDesk(
  tenants: Pick<Tenants, "list" | "tenant" | "terms">,
  audited: PlatformAudited,
): PlatformDesk["benchmark"] {
  return async (region, month, audit) => {
    const ids = tenants.list().filter((id) => tenants.terms(id)?.region === region);
    if (ids.length === 0) throw new ProtocolError("not_found", "region: there is none such here");
    // Before anything is read: what is read and then fails is in the trail as well.
    audited(audit, () => undefined);
    const sums = new BenchmarkSums();
    for (const id of ids) {
      const store = (await tenants.tenant(id))?.store;
      // Removed meanwhile.
      if (store === undefined) continue;
      await store.audit({ ...audit, subject: `tenant:${id}` });
      sums.add(totalsOf(await gather(store, month, setImmediate)));
      await setImmediate();
    }
    return sums.shown(region, month.month);
  };
}
