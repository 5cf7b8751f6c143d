/** `tenant create|remove|list`: the operators on this platform. */
import { tenantId } from "@kerbside/protocol";
import { readSecret } from "../config.ts";
import { type Command, DATA_OPTION, DEV_OPTION, JSON_OPTION, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

const common = { data: DATA_OPTION, dev: DEV_OPTION, json: JSON_OPTION };

export const TENANT_COMMANDS: readonly Command[] = [
  {
    name: "tenant create",
    summary: "Makes a tenant: its store, vaults, keys, certificate authority and a first client.",
    positionals: ["TENANT"],
    options: common,
    run: (input) => {
      const id = asked(() => tenantId(input.positionals[0]));
      return withRegistry(input, async (registry, dir) => {
        // Loaded here: with it comes the API, which the other commands can do without.
        const { provisionTenant } = await import("../provisioning.ts");
        const from = { dir, dev: input.flag("dev"), env: input.env };
        const signerKey = readSecret("signer-key", from);
        const issuerKey = readSecret("issuer-key", from);
        const audit = byOperator(input, "tenant.create", `tenant:${id}`);
        const made = await provisionTenant({ registry, dir, id, signerKey, issuerKey, audit });
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
    options: { ...common, yes: { doc: "really do it" } },
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
    summary: "Lists the tenants.",
    options: common,
    run: (input) =>
      withRegistry(input, async (registry) => {
        for (const tenant of registry.list()) input.print({ tenant }, tenant);
        return 0;
      }),
  },
];
