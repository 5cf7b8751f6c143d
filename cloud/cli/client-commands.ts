/** `client`: the operator's programs, each with a secret of its own; one that leaked is replaced and revoked. */
import { ProtocolError, type TenantId, tenantId } from "@kerbside/protocol";
import { clientSeal, type Registry } from "@kerbside/tenants";
import { readSecret, writeSecret } from "../config.ts";
import { CLIENT_SCOPES } from "../provisioning.ts";
import { type Command, type Input, MADE_TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

export const CLIENT_COMMANDS: readonly Command[] = [
  {
    name: "client add",
    summary: "Makes an OAuth client for a program of the operator's; its secret is in a file.",
    positionals: ["CLIENT"],
    options: {
      ...MADE_TENANT_OPTIONS,
      for: {
        value: "backend|operator",
        required: true,
        doc: "what it may do: backend, or operator (staff: may unlock without a booking)",
      },
    },
    run: add,
  },
  {
    name: "client list",
    summary: "Lists the operator's OAuth clients, those that were revoked too.",
    options: MADE_TENANT_OPTIONS,
    run: list,
  },
  {
    name: "client revoke",
    summary: "Takes a client back: no token any more, and those it has are refused at once.",
    positionals: ["CLIENT"],
    options: MADE_TENANT_OPTIONS,
    run: revoke,
  },
];

/** Runs with the registry open, for a tenant that there is. */
function withClients(
  input: Input,
  use: (platform: Registry["platform"], tenant: TenantId, dir: string) => Promise<number>,
): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry, dir) => {
    if (!registry.list().includes(id))
      throw new ProtocolError("not_found", `tenant ${id}: is not there`);
    return await use(registry.platform, id, dir);
  });
}

function nameOf({ positionals: [name = ""] }: Input): string {
  if (NAME.test(name)) return name;
  throw new UsageError("CLIENT: expected an id of a–z, 0–9 and hyphens, at most 64 of them");
}

function add(input: Input): Promise<number> {
  const [client, kind] = [nameOf(input), input.text("for")];
  if (kind !== "backend" && kind !== "operator")
    throw new UsageError("client add: --for expects backend or operator");
  return withClients(input, async (platform, tenant, dir) => {
    const issuerKey = readSecret("issuer-key", { dir, dev: input.flag("dev"), env: input.env });
    const audit = byOperator(input, "client.create", `client:${client}`, kind);
    const made = { client, tenant, scopes: CLIENT_SCOPES[kind] };
    const secret = await platform.createClient(made, clientSeal(issuerKey), audit);
    const file = writeSecret(dir, `client-${client}`, secret);
    input.print({ tenant, client, clientSecretFile: file }, `its secret is in ${file}`);
    return 0;
  });
}

function list(input: Input): Promise<number> {
  return withClients(input, async (platform, tenant) => {
    for (const { client, scopes, revokedAtMs } of platform.clients(tenant)) {
      const revokedAt = revokedAtMs === undefined ? undefined : new Date(revokedAtMs).toISOString();
      const row = { tenant, client, scopes, ...(revokedAt === undefined ? {} : { revokedAt }) };
      const words = revokedAt === undefined ? scopes.join(" ") : `revoked ${revokedAt}`;
      input.print(row, `${client}  ${words}`);
    }
    return 0;
  });
}

function revoke(input: Input): Promise<number> {
  const client = nameOf(input);
  return withClients(input, async (platform, tenant) => {
    const audit = byOperator(input, "client.revoke", `client:${client}`);
    await platform.revokeClient(tenant, client, audit);
    input.print({ tenant, client, revoked: true }, `client ${client} is revoked`);
    return 0;
  });
}
