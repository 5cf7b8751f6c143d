/**
 * Makes the tenants that were ordered through the API. The node that takes an order has neither the signer's key nor the
 * issuer's; whoever started all services has them, and looks here.
 */
import { type Log, ProtocolError, type TenantId } from "@kerbside/protocol";
import type { Registry } from "@kerbside/tenants";
import { provisionTenant } from "./provisioning.ts";

export type OrderKeys = { readonly signerKey: Uint8Array; readonly issuerKey: Uint8Array };

/** Returns those that were made. An order that fails says why, and can be given again. */
export async function fulfilOrders(
  registry: Registry,
  dir: string,
  keys: OrderKeys,
  log: Log,
): Promise<readonly string[]> {
  const made: string[] = [];
  const { desk } = registry.platform;
  for (const { tenant, terms } of ordersOf(desk, log)) {
    const subject = `tenant:${tenant}`;
    const audit = { actor: "orders", action: "tenant.create", subject, outcome: "done" } as const;
    try {
      await provisionTenant({ registry, dir, id: tenant, ...keys, audit, terms });
      desk.done(tenant);
      made.push(tenant);
      log.info("tenant.made", { tenant });
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : "unexpected";
      log.error("tenant.not_made", { tenant, code });
      toldFailed(desk, tenant, code, log);
    }
  }
  return made;
}

/** A store that cannot be told of it is no reason to end: the order stays, and is tried again with the next look. */
function toldFailed(
  desk: Registry["platform"]["desk"],
  tenant: TenantId,
  code: string,
  log: Log,
): void {
  try {
    desk.failed(tenant, code);
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
