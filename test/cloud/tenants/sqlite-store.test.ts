import { ProtocolError } from "@kerbside/protocol";
import type { Registry, SqliteTenantStore } from "@kerbside/tenants";
import { test } from "uvu";
import { tenantStoreConformance } from "../../conformance/tenant-store.ts";
import { testRegistry } from "../../support/tenant-engine.ts";

async function storeOf(registry: Registry, id: string): Promise<SqliteTenantStore> {
  const tenant = await registry.tenant(id);
  if (tenant === undefined) throw new ProtocolError("not_found", id);
  return tenant.store;
}

tenantStoreConformance(test, "SQLite", async (id) => {
  const files = await testRegistry();
  await files.create(id);
  return {
    store: await storeOf(files.registry, id),
    again: async () => storeOf(await files.again(), id),
    close: files.close,
  };
});

test.run();
