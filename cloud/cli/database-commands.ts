/**
 * `database request|approve|read`: a person's own way into the tenant's database (P-62): one table, without what is
 * personal of it, reading only, for a while, once a manager of the tenant has agreed.
 */
import { ProtocolError } from "@kerbside/protocol";
import { approve, ask, REASON_OPTION, REQUEST_OPTION } from "./access-commands.ts";
import { type Command, type Input, TENANT_OPTIONS } from "./command.ts";
import { asPerson, PERSON_OPTION, type SignedInCall } from "./signed-in.ts";

const personal = { ...TENANT_OPTIONS, user: PERSON_OPTION };
const DAY_MS = 86_400_000;
const DAYS_MAX = 90;
const ROWS = { usual: 100, max: 1000 } as const;

export const DATABASE_COMMANDS: readonly Command[] = [
  {
    name: "database request",
    summary: "Asks to read a table of the tenant's database, without what is personal of it.",
    options: {
      ...personal,
      table: { value: "NAME", required: true, doc: "which one, such as segments" },
      reason: REASON_OPTION,
      days: { value: "N", default: "1", doc: `for how long, at most ${DAYS_MAX}` },
    },
    run: (input) => asPerson(input, "support:request", (call) => request(input, call)),
  },
  {
    name: "database approve",
    summary: "Agrees, for the tenant, that the person who asked reads that table.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) =>
      asPerson(input, "support:approve", (call) => approve(input, call, "credential")),
  },
  {
    name: "database revoke",
    summary: "Ends what was agreed, at once.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) => asPerson(input, "support:approve", (call) => revoke(input, call)),
  },
  {
    name: "database read",
    summary: "Prints rows of the table that was agreed to; each time is audited.",
    options: {
      ...personal,
      request: REQUEST_OPTION,
      skip: { value: "N", default: "0", doc: "how many rows to leave out first" },
      limit: {
        value: "N",
        default: `${ROWS.usual}`,
        doc: `how many to print, at most ${ROWS.max}`,
      },
    },
    run: (input) => asPerson(input, "support:request", (call) => read(input, call)),
  },
];

function request(input: Input, call: SignedInCall): Promise<number> {
  const table = input.text("table");
  // A name that is none, or of which nothing is shown, is refused before anybody has to judge it.
  call.tenant.store.readTable(table, 0, 1);
  const lifeMs = input.integer("days", 1, DAYS_MAX) * DAY_MS;
  return ask(input, call, { kind: "credential", subject: `table:${table}`, lifeMs });
}

async function revoke(input: Input, { tenant, who, audit }: SignedInCall): Promise<number> {
  const id = input.text("request");
  await known(tenant.store, id);
  await tenant.store.access.decide(id, who, "end", audit("credential.revoke", `access:${id}`));
  input.print({ request: id, revoked: true }, `${id} is revoked`);
  return 0;
}

async function read(
  input: Input,
  { tenant: { store }, who, audit }: SignedInCall,
): Promise<number> {
  const id = input.text("request");
  const { subject } = await known(store, id);
  const [skip, limit] = [
    input.integer("skip", 0, Number.MAX_SAFE_INTEGER),
    input.integer("limit", 1, ROWS.max),
  ];
  const reason = `access ${id}, rows ${skip + 1} to ${skip + limit}`;
  await store.access.use(id, who, audit("database.read", subject, reason));
  for (const row of store.readTable(subject.slice("table:".length), skip, limit))
    input.print(row, JSON.stringify(row));
  return 0;
}

async function known({ access }: SignedInCall["tenant"]["store"], id: string) {
  const found = await access.request(id);
  if (found?.kind !== "credential")
    throw new ProtocolError("not_found", "access: there is no such request");
  return found;
}
