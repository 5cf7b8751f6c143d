/** `account create|lock|unlock|close|link`: people's accounts, by whoever runs the platform. */
import { randomUUID } from "node:crypto";
import type { Accounts } from "@kerbside/identity";
import { isRole, type PersonProfile, ProtocolError, ROLES, tenantId } from "@kerbside/protocol";
import type { Registry } from "@kerbside/tenants";
import { readSecret } from "../config.ts";
import { HTTPS_PORT_DEFAULT, issuerName, serviceClock } from "../ports.ts";
import { type Command, type Input, MADE_TENANT_OPTIONS, UsageError } from "./command.ts";
import { asked, byOperator, withRegistry } from "./open.ts";

const USER_OPTION = { value: "NAME", required: true, doc: "name that the person signs in with" };
const ISSUER_OPTION = {
  value: "URL",
  default: issuerName(HTTPS_PORT_DEFAULT, "localhost"),
  doc: "address of the cloud, for the link",
};
const PERSON_ROLES: readonly string[] = Object.entries(ROLES).flatMap(([name, { person }]) =>
  person ? [name] : [],
);

type Change = "lock" | "unlock" | "close";
const SUMMARIES: Readonly<Record<Change, string>> = {
  lock: "Locks an account for good; live tokens and sessions end.",
  unlock: "Opens an account that is locked.",
  close: "Closes an account for good, and empties the person's profile.",
};

export const ACCOUNT_COMMANDS: readonly Command[] = [
  {
    name: "account create",
    summary: "Makes a person with an account, and prints the link that sets its password.",
    options: {
      ...MADE_TENANT_OPTIONS,
      user: USER_OPTION,
      role: { value: "ROLE", required: true, doc: `one of ${PERSON_ROLES.join(", ")}` },
      email: { value: "ADDRESS", required: true, doc: "where links for a new password go" },
      name: { value: "TEXT", doc: "the person's name" },
      issuer: ISSUER_OPTION,
    },
    run: create,
  },
  {
    name: "account link",
    summary: "Prints a link that sets a new password, as the mail would carry it.",
    options: { ...MADE_TENANT_OPTIONS, user: USER_OPTION, issuer: ISSUER_OPTION },
    run: (input) => withAccounts(input, (parts) => printLink(input, parts)),
  },
  {
    name: "account forget-factor",
    summary: "Takes a person's second factor away, who lost it and the codes that they kept.",
    options: { ...MADE_TENANT_OPTIONS, user: USER_OPTION },
    run: (input) => withAccounts(input, (parts) => forgetFactor(input, parts)),
  },
  ...(["lock", "unlock", "close"] as const).map((what) => ({
    name: `account ${what}`,
    summary: SUMMARIES[what],
    options: { ...MADE_TENANT_OPTIONS, user: USER_OPTION },
    run: (input: Input) => withAccounts(input, (parts) => change(input, parts, what)),
  })),
];

function withAccounts(input: Input, use: (parts: Parts) => Promise<number>): Promise<number> {
  const tenant = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry, dir) => {
    if ((await registry.tenant(tenant)) === undefined)
      throw new ProtocolError("not_found", `tenant ${tenant}: is not there`);
    const issuerKey = readSecret("issuer-key", { dir, dev: false, env: input.env });
    const { accountsOf, resetsOf } = await import("../people.ts");
    const parts = { tenants: registry, issuerKey, clock: serviceClock() };
    const reset = async (user: string): Promise<string | undefined> => {
      let link: string | undefined;
      const resets = resetsOf(parts, input.text("issuer"), async ({ text }) => {
        link = /https:\S+/.exec(text)?.[0];
      });
      await resets.request(tenant, user);
      return link;
    };
    return use({ tenant, registry, accounts: accountsOf(parts), reset });
  });
}

type Parts = {
  readonly tenant: ReturnType<typeof tenantId>;
  readonly registry: Registry;
  readonly accounts: Accounts;
  /** The link, where there is an account that can have one. */
  readonly reset: (user: string) => Promise<string | undefined>;
};

async function create(input: Input): Promise<number> {
  const role = input.text("role");
  if (!isRole(role) || !ROLES[role].person)
    throw new UsageError(`--role: expected one of ${PERSON_ROLES.join(", ")}`);
  return withAccounts(input, async (parts) => {
    const { tenant, registry, accounts } = parts;
    const { people } = (await registry.tenant(tenant))?.store ?? {};
    const person = randomUUID();
    const name = input.optional("name");
    const email = input.text("email");
    const profile: PersonProfile = { email, ...(name === undefined ? {} : { name }) };
    const audit = byOperator(input, "person.create", `person:${person}`);
    const created = { person, state: "active", profile, createdAtMs: Date.now() } as const;
    await people?.putPerson(created, audit);
    const made = byOperator(input, "account.create", `person:${person}`, role);
    await accounts.create({ tenant, person, user: input.text("user"), role }, made);
    return printLink(input, parts, person);
  });
}

async function printLink(input: Input, { reset }: Parts, person?: string): Promise<number> {
  const link = await reset(input.text("user"));
  if (link === undefined)
    throw new ProtocolError("not_found", "account: is not there, or is locked or closed for good");
  const words = `${link}\nsets the password; it is good for half an hour`;
  input.print({ ...(person === undefined ? {} : { person }), link }, words);
  return 0;
}

async function forgetFactor(input: Input, { tenant, accounts }: Parts): Promise<number> {
  const who = await accounts.find(tenant, input.text("user"));
  if (who === undefined) throw new ProtocolError("not_found", "account: is not there");
  await accounts.removeFactor(who, byOperator(input, "account.factor", `person:${who.person}`));
  input.print({ person: who.person, factor: false }, "forget-factor: done");
  return 0;
}

async function change(input: Input, { tenant, accounts }: Parts, what: Change): Promise<number> {
  const who = await accounts.find(tenant, input.text("user"));
  if (who === undefined) throw new ProtocolError("not_found", "account: is not there");
  await accounts[what](who, byOperator(input, `account.${what}`, `person:${who.person}`));
  input.print({ person: who.person, [what]: true }, `${what}: done`);
  return 0;
}
