/** `payments set`: which provider a tenant's people pay by; in the tenant's vault, and nowhere else. */
import { tenantId, utf8 } from "@kerbside/protocol";
import { PAYMENTS_SECRET } from "@kerbside/tenants";
import { readSecret } from "../config.ts";
import { readOutward } from "../outward.ts";
import { type Command, type Input, TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

export const PAYMENT_COMMANDS: readonly Command[] = [
  {
    name: "payments set",
    summary: "Has a tenant's people pay by a provider over HTTPS; in force at once.",
    options: {
      ...TENANT_OPTIONS,
      provider: {
        value: "FILE",
        required: true,
        doc: "JSON with url, token and perhaps ca (PEM), readable by its owner only",
      },
    },
    run: set,
  },
];

function set(input: Input): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  const { url, token, ca } = read(input.text("provider"));
  return withRegistry(input, async (registry, dir) => {
    const signerKey = readSecret("signer-key", { dir, dev: false, env: input.env });
    const audit = byOperator(input, "payments.set", `tenant:${id}`, url.host);
    const secret = utf8(JSON.stringify({ url: url.href, token, ca }));
    await registry.rotate(id, signerKey, audit, ({ vault }) => vault.put(PAYMENTS_SECRET, secret));
    input.print({ tenant: id, provider: url.host }, `${id}: people pay by ${url.host}`);
    return 0;
  });
}

function read(file: string): ReturnType<typeof readOutward> {
  try {
    return readOutward(file);
  } catch (error) {
    throw new UsageError(`payments set: ${error instanceof Error ? error.message : "no file"}`);
  }
}
