/** `tenant create|remove|list`: the operators on this platform. */
import {
  QUOTA_NAMES,
  QUOTAS,
  type QuotaName,
  type Quotas,
  quotasOf,
  REGION_DEFAULT,
  ROLES,
  regionOf,
  tenantId,
} from "@kerbside/protocol";
import { clientSeal } from "@kerbside/tenants";
import { readSecret, writeSecret } from "../config.ts";
import { serviceLog } from "../log.ts";
import {
  type Command,
  type Input,
  MADE_DATA_OPTIONS,
  type Option,
  TENANT_OPTION,
  UsageError,
} from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

/** `requestsPerMin` is said `--requests-per-min`. */
const optionOf = (name: QuotaName): string =>
  name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
const QUOTA_OPTIONS: Readonly<Record<string, Option>> = Object.fromEntries(
  QUOTA_NAMES.map((name) => [
    optionOf(name),
    { value: "N", doc: `${QUOTAS[name].doc}; ${QUOTAS[name].otherwise} where nothing is said` },
  ]),
);

function quotasSaid(input: Input): Partial<Quotas> {
  return Object.fromEntries(
    QUOTA_NAMES.filter((name) => input.optional(optionOf(name)) !== undefined).map((name) => [
      name,
      input.integer(optionOf(name), 0, Number.MAX_SAFE_INTEGER),
    ]),
  );
}

function quotaWords(quotas: Quotas): string {
  return QUOTA_NAMES.map((name) => `${name} ${quotas[name]}`).join(", ");
}

export const TENANT_COMMANDS: readonly Command[] = [
  {
    name: "tenant create",
    summary: "Makes a tenant: its store, vaults, keys, certificate authority and a first client.",
    positionals: ["TENANT"],
    options: {
      ...MADE_DATA_OPTIONS,
      ...QUOTA_OPTIONS,
      region: {
        value: "REGION",
        default: REGION_DEFAULT,
        doc: "where its data is processed, for good",
      },
    },
    run: (input) => {
      const id = asked(() => tenantId(input.positionals[0]));
      const terms = {
        region: asked(() => regionOf(input.text("region"))),
        quotas: quotasOf(quotasSaid(input)),
      };
      return withRegistry(input, async (registry, dir) => {
        // Loaded here: with it comes the API, which the other commands can do without.
        const { provisionTenant } = await import("../provisioning.ts");
        const from = { dir, dev: input.flag("dev"), env: input.env };
        const signerKey = readSecret("signer-key", from);
        const issuerKey = readSecret("issuer-key", from);
        const audit = byOperator(input, "tenant.create", `tenant:${id}`);
        const made = await provisionTenant({
          registry,
          dir,
          id,
          signerKey,
          issuerKey,
          audit,
          terms,
        });
        input.print(
          { tenant: id, ...made },
          [
            `tenant ${id} is made`,
            `its client is ${made.client}, with the secret in ${made.clientSecretFile}`,
            `its authority key is in ${made.authorityFile}: keep it offline, apart from this machine`,
          ].join("\n"),
        );
        return 0;
      });
    },
  },
  {
    name: "tenant remove",
    summary: "Takes a tenant away with its store, vaults, clients and tokens, for good.",
    positionals: ["TENANT"],
    options: { ...MADE_DATA_OPTIONS, yes: { doc: "really do it" } },
    run: (input) => {
      const id = asked(() => tenantId(input.positionals[0]));
      if (!input.flag("yes"))
        throw new UsageError(`tenant remove: expected --yes, because ${id} cannot be brought back`);
      return withRegistry(input, async (registry) => {
        const audit = byOperator(input, "tenant.remove", `tenant:${id}`);
        const certificate = await registry.remove(id, audit);
        const words = `tenant ${id} is removed; the certificate of it:\n${JSON.stringify(certificate)}`;
        input.print({ tenant: id, removed: true, certificate }, words);
        return 0;
      });
    },
  },
  {
    name: "tenant list",
    summary: "Lists the tenants, with what is agreed with them.",
    options: MADE_DATA_OPTIONS,
    run: (input) =>
      withRegistry(input, async ({ platform }) => {
        for (const row of await platform.desk.tenants())
          input.print(row, `${row.tenant}  ${row.region}  ${row.state}  ${quotaWords(row.quotas)}`);
        return 0;
      }),
  },
  {
    name: "tenant quota",
    summary: "Agrees other bounds with a tenant; those that are left out stay.",
    positionals: ["TENANT"],
    options: { ...MADE_DATA_OPTIONS, ...QUOTA_OPTIONS },
    run: (input) => {
      const id = asked(() => tenantId(input.positionals[0]));
      const quotas = quotasSaid(input);
      if (Object.keys(quotas).length === 0)
        throw new UsageError("tenant quota: expected what is to be agreed");
      return withRegistry(input, async ({ platform }) => {
        const reason = Object.entries(quotas)
          .map((each) => each.join(" "))
          .join(", ");
        const audit = byOperator(input, "tenant.quota", `tenant:${id}`, reason);
        const agreed = await platform.desk.agree(id, quotas, audit);
        input.print(agreed, `${id}  ${quotaWords(agreed.quotas)}`);
        return 0;
      });
    },
  },
  {
    name: "tenant fulfil",
    summary: "Makes the tenants that were ordered through the API; `serve` does so by itself.",
    options: MADE_DATA_OPTIONS,
    run: (input) =>
      withRegistry(input, async (registry, dir) => {
        const { fulfilOrders } = await import("../tenant-orders.ts");
        const from = { dir, dev: input.flag("dev"), env: input.env };
        const signerKey = readSecret("signer-key", from);
        const issuerKey = readSecret("issuer-key", from);
        const log = serviceLog("orders");
        for (const tenant of await fulfilOrders(registry, dir, { signerKey, issuerKey }, log))
          input.print({ tenant, made: true }, `tenant ${tenant} is made`);
        return 0;
      }),
  },
  {
    name: "platform client",
    summary: "Makes a client that may run the platform: order and remove tenants, read metrics.",
    positionals: ["CLIENT"],
    options: { ...MADE_DATA_OPTIONS, tenant: TENANT_OPTION },
    run: (input) => {
      const tenant = asked(() => tenantId(input.text("tenant")));
      const client = input.positionals[0] ?? "";
      if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(client))
        throw new UsageError("platform client: expected an id of a–z, 0–9 and hyphens");
      return withRegistry(input, async ({ platform }, dir) => {
        const issuerKey = readSecret("issuer-key", { dir, dev: input.flag("dev"), env: input.env });
        const audit = byOperator(input, "client.create", `client:${client}`, "platform");
        const { scopes } = ROLES.platform;
        const secret = await platform.createClient(
          { client, tenant, scopes },
          clientSeal(issuerKey),
          audit,
        );
        const file = writeSecret(dir, `client-${client}`, secret);
        input.print({ client, clientSecretFile: file }, `its secret is in ${file}`);
        return 0;
      });
    },
  },
];
