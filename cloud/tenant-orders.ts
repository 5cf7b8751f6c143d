/**
 * Makes the tenants that were ordered through the API. The node that takes an order has neither the signer's key nor the
 * issuer's; whoever started all services has them, and looks here.
 */
import { type Log, ProtocolError, type TenantId } from "@kerbside/protocol";
import type { Registry } from "@kerbside/tenants";
import { howFarMade, provisionTenant } from "./provisioning.ts";

export type OrderKeys = { readonly signerKey: Uint8Array; readonly issuerKey: Uint8Array };

/**
 * Returns those that were made. An order that fails says why, and can be given again; one whose tenant is half made stays
 * and is taken on. Ends what else a crash cut short, too.
 */
export async function fulfilOrders(
  registry: Registry,
  dir: string,
  keys: OrderKeys,
  log: Log,
): Promise<readonly string[]> {
  const made: string[] = [];
  const { desk } = registry.platform;
  settleCutShort(registry, log);
  for (const { tenant, terms } of ordersOf(desk, log)) {
    const subject = `tenant:${tenant}`;
    const audit = { actor: "orders", action: "tenant.create", subject, outcome: "done" } as const;
    try {
      const far = await howFarMade(registry, dir, tenant);
      if (far === "being made") continue;
      if (far !== "made")
        await provisionTenant({ registry, dir, id: tenant, ...keys, audit, terms });
      desk.done(tenant);
      made.push(tenant);
      log.info("tenant.made", { tenant });
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "unexpected";
      log.error("tenant.not_made", { tenant, code });
      toldFailed(registry, tenant, code, log);
    }
  }
  return made;
}

/**
 * With its row there it is half made: the order stays, and is taken on later. So it does where the store cannot be told,
 * which is no reason to end.
 */
function toldFailed(registry: Registry, tenant: TenantId, code: string, log: Log): void {
  try {
    if (registry.directory(tenant) === undefined) registry.platform.desk.failed(tenant, code);
  } catch (error) {
    log.warn("orders.failed", { code: error instanceof ProtocolError ? error.code : "unexpected" });
  }
}

function settleCutShort(registry: Registry, log: Log): void {
  try {
    for (const tenant of registry.settle()) log.warn("tenant.settled", { tenant });
  } catch (error) {
    log.warn("orders.failed", { code: error instanceof ProtocolError ? error.code : "unexpected" });
  }
}

/** A platform's store that fails now is asked again with the next look. */
function ordersOf(desk: Registry["platform"]["desk"], log: Log): ReturnType<typeof desk.orders> {
  try {
    return desk.orders();
  } catch (error) {
    log.warn("orders.failed", { code: error instanceof ProtocolError ? error.code : "unexpected" });
    return [];
  }
}
