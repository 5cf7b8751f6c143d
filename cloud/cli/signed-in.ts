/**
 * Commands that a person must stand behind: they sign in with the account's name, and the password, with the code of the
 * second factor where there is one, from the environment or from standard input, so that neither is in a list of processes.
 */
import { readFileSync } from "node:fs";
import { type AuditEntry, ProtocolError, ROLES, type Role, tenantId } from "@kerbside/protocol";
import type { Registry, Tenant } from "@kerbside/tenants";
import { type Environment, readSecret } from "../config.ts";
import { serviceClock } from "../ports.ts";
import type { Input, Option } from "./command.ts";
import { asked, withRegistry } from "./open.ts";

const PASSWORD = "KERBSIDE_PASSWORD";
const CODE = "KERBSIDE_CODE";
export const PERSON_OPTION: Option = {
  value: "NAME",
  required: true,
  doc: `who does it: the account's name; the password is in ${PASSWORD} and a code in ${CODE}, or lines of standard input`,
};

export type SignedInCall = {
  readonly tenant: Tenant;
  readonly registry: Registry;
  readonly dir: string;
  /** `person:…`, as tokens have it. */
  readonly who: string;
  readonly role: Role;
  readonly audit: (action: string, subject: string, reason?: string) => AuditEntry;
};

/** What is not in the environment is read when it is asked for: the password before the code. */
function secretsOf(env: Environment): Readonly<Record<"password" | "code", () => string>> {
  let lines: string[] | undefined;
  const line = (): string => {
    lines ??= readFileSync(0, "utf8").split(/\r?\n/);
    return lines.shift() ?? "";
  };
  return { password: () => env[PASSWORD] ?? line(), code: () => env[CODE] ?? line() };
}

/** Rejects with ProtocolError `forbidden` where name, password and code do not fit, or the role lacks the scope. */
export function asPerson(
  input: Input,
  scope: string,
  use: (call: SignedInCall) => Promise<number>,
): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry, dir) => {
    const tenant = await registry.tenant(id);
    if (tenant === undefined) throw new ProtocolError("not_found", `tenant ${id}: is not there`);
    const issuerKey = readSecret("issuer-key", { dir, dev: false, env: input.env });
    const { accountsOf } = await import("../people.ts");
    const accounts = accountsOf({ tenants: registry, issuerKey, clock: serviceClock() });
    const said = secretsOf(input.env);
    const signed = await accounts.signIn(id, input.text("user"), said.password());
    const { person, role } = signed;
    if (signed.hasFactor) await accounts.checkCode({ tenant: id, ...signed }, said.code());
    const scopes: readonly string[] = ROLES[role].scopes;
    if (!scopes.includes(scope))
      throw new ProtocolError(
        "forbidden",
        `${input.text("user")}: the role ${role} does not allow it`,
      );
    const who = `person:${person}`;
    const audit: SignedInCall["audit"] = (action, subject, reason) => {
      const entry = { actor: who, action, subject, outcome: "done", from: "command line" } as const;
      return reason === undefined ? entry : { ...entry, reason };
    };
    return use({ tenant, registry, dir, who, role, audit });
  });
}
