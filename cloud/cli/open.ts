/** Opens what a command works on, and closes it whatever happens. */
import { type AuditEntry, ProtocolError, tenantId } from "@kerbside/protocol";
import { openRegistry, type Registry, type Tenant } from "@kerbside/tenants";
import { dataDirectory, readSecret, settleStage } from "../config.ts";
import { type Input, UsageError } from "./command.ts";

/** Runs with the registry of `--data` open; `--dev` makes what is missing. */
export async function withRegistry<T>(
  input: Input,
  use: (registry: Registry, dir: string) => Promise<T>,
): Promise<T> {
  const dir = dataDirectory(input.text("data"));
  const dev = input.flag("dev");
  const masterKey = readSecret("master-key", { dir, dev, env: input.env });
  settleStage(dir, input.env, dev);
  const registry = await openRegistry({ dir, masterKey, create: dev });
  try {
    return await use(registry, dir);
  } finally {
    await registry.close();
  }
}

/** Runs with the tenant of `--tenant` open. Rejects with ProtocolError `not_found` if there is none. */
export function withTenant<T>(
  input: Input,
  use: (tenant: Tenant, registry: Registry) => Promise<T>,
): Promise<T> {
  const id = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry) => {
    const tenant = await registry.tenant(id);
    if (tenant === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
    return await use(tenant, registry);
  });
}

/** Reads a word of the command line: what is wrong with it is wrong use. */
export function asked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtocolError) throw new UsageError(error.message);
    throw error;
  }
}

/** The record of what an operator did at the command line. */
export function byOperator(
  { env }: Input,
  action: string,
  subject: string,
  reason?: string,
): AuditEntry {
  const user = env["SUDO_USER"] ?? env["USER"] ?? "unknown";
  return {
    actor: `operator:${user}`,
    action,
    subject,
    outcome: "done",
    from: "command line",
    ...(reason === undefined ? {} : { reason }),
  };
}
