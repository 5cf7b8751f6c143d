/**
 * `support ticket|request|approve|query`, `key issue|revoke`, `vault rotate|request|approve|read`: access that somebody
 * else must agree to, at the machine where the data is (P-23, P-60, P-61).
 */
import { randomUUID } from "node:crypto";
import {
  type AccessKind,
  type AccessRequest,
  ProtocolError,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { readSecret } from "../config.ts";
import { type Command, type Input, type Option, TENANT_OPTIONS } from "./command.ts";
import { asked, byOperator, withRegistry, withTenant } from "./open.ts";
import { asPerson, PERSON_OPTION, type SignedInCall } from "./signed-in.ts";

const personal = { ...TENANT_OPTIONS, user: PERSON_OPTION };
export const REASON_OPTION: Option = {
  value: "TEXT",
  required: true,
  doc: "why, for the audit trail",
};
export const REQUEST_OPTION: Option = { value: "ID", required: true, doc: "id of the request" };
const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;
const SECRET_MINUTES = 15;
const KEY_DAYS_MAX = 7;
const PAGE = 1000;
/** Who may see secrets, and who may agree to it: managers, each time two of them. */
const SECRETS = "support:approve";

export const ACCESS_COMMANDS: readonly Command[] = [
  {
    name: "support ticket",
    summary: "Opens a ticket, as the tenant's contact.",
    options: { ...personal, words: { value: "TEXT", required: true, doc: "what it is about" } },
    run: (input) => asPerson(input, "support:ticket", (call) => openTicket(input, call)),
  },
  {
    name: "support request",
    summary: "Asks to see what a car reported, for a ticket.",
    options: {
      ...personal,
      ticket: { value: "ID", required: true, doc: "the tenant's ticket" },
      vehicle: { value: "VEHICLE", required: true, doc: "which car" },
      reason: REASON_OPTION,
      minutes: { value: "N", default: `${DAY_MINUTES}`, doc: "for how long, once it is approved" },
    },
    run: (input) =>
      asPerson(input, "support:request", (call) => {
        const subject = `vehicle:${asked(() => vehicleId(input.text("vehicle")))}`;
        const lifeMs = input.integer("minutes", 1, DAY_MINUTES) * MINUTE_MS;
        return ask(input, call, { kind: "support", subject, lifeMs, ticket: input.text("ticket") });
      }),
  },
  {
    name: "support approve",
    summary: "Approves access that another person asked for; it ends after its time.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) => asPerson(input, "support:approve", (call) => approve(input, call, "support")),
  },
  {
    name: "support query",
    summary: "Prints what the car reported, while access is approved.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) => asPerson(input, "support:query", (call) => query(input, call)),
  },
  {
    name: "key issue",
    summary: "Gives a tenant a key that reads its own data, for a while, and prints it.",
    options: {
      ...TENANT_OPTIONS,
      for: { value: "WHO", required: true, doc: "who at the tenant asked for it" },
      reason: REASON_OPTION,
      days: { value: "N", default: "1", doc: `for how long, at most ${KEY_DAYS_MAX}` },
    },
    run: issueKey,
  },
  {
    name: "key revoke",
    summary: "Ends a key that reads a tenant's data, at the next call.",
    options: { ...TENANT_OPTIONS, request: REQUEST_OPTION },
    run: (input) =>
      withTenant(input, async ({ store }) => {
        const id = input.text("request");
        const entry = byOperator(input, "tenant-key.revoke", `access:${id}`);
        await store.access.decide(id, entry.actor, "end", entry);
        input.print({ request: id, revoked: true }, `key ${id} is revoked`);
        return 0;
      }),
  },
  {
    name: "vault rotate",
    summary: "Makes a new transit key, and wraps all subject keys by it, while the cloud runs.",
    options: TENANT_OPTIONS,
    run: rotate,
  },
  {
    name: "vault request",
    summary: "Asks to read a Restricted secret of a tenant's vault.",
    options: {
      ...personal,
      name: { value: "NAME", required: true, doc: "of the secret, such as ingest/1" },
      reason: REASON_OPTION,
    },
    run: (input) =>
      asPerson(input, SECRETS, (call) =>
        ask(input, call, {
          ...{ kind: "secret", subject: `secret:${input.text("name")}` },
          lifeMs: SECRET_MINUTES * MINUTE_MS,
        }),
      ),
  },
  {
    name: "vault approve",
    summary: "Agrees that another person reads a secret, within a quarter of an hour.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) => asPerson(input, SECRETS, (call) => approve(input, call, "secret")),
  },
  {
    name: "vault read",
    summary: "Prints the secret that another person agreed to, once it is recorded.",
    options: { ...personal, request: REQUEST_OPTION },
    run: (input) => asPerson(input, SECRETS, (call) => readSecretOf(input, call)),
  },
];

async function openTicket(input: Input, { tenant, who, audit }: SignedInCall): Promise<number> {
  const id = randomUUID();
  const ticket = { id, openedBy: who, words: input.text("words"), openedAtMs: Date.now() };
  await tenant.store.access.openTicket(ticket, audit("ticket.open", `ticket:${id}`));
  input.print({ ticket: id }, id);
  return 0;
}

export async function ask(
  input: Input,
  { tenant, who, audit }: SignedInCall,
  what: Pick<AccessRequest, "kind" | "subject" | "lifeMs" | "ticket">,
): Promise<number> {
  const id = randomUUID();
  const reason = input.text("reason");
  const asking = { askedBy: who, askedAtMs: Date.now(), state: { at: "asked" } } as const;
  const entry = audit(`${what.kind}.request`, what.subject, reason);
  await tenant.store.access.ask({ ...what, ...asking, id, reason }, entry);
  input.print({ request: id }, `${id}: another person has to approve it`);
  return 0;
}

export async function approve(
  input: Input,
  { tenant, who, audit }: SignedInCall,
  kind: AccessKind,
): Promise<number> {
  const id = input.text("request");
  const { access } = tenant.store;
  if ((await access.request(id))?.kind !== kind)
    throw new ProtocolError("not_found", "access: there is no such request");
  const { state } = await access.decide(
    id,
    who,
    "approve",
    audit(`${kind}.approve`, `access:${id}`),
  );
  const until = state.at === "approved" ? new Date(state.untilMs).toISOString() : "";
  input.print({ request: id, until }, `approved until ${until}`);
  return 0;
}

async function query(input: Input, { tenant, who, audit }: SignedInCall): Promise<number> {
  const id = input.text("request");
  const { access } = tenant.store;
  const known = await access.request(id);
  if (known?.kind !== "support")
    throw new ProtocolError("not_found", "access: there is no such request");
  const entry = audit("support.query", known.subject, `access ${id}, ticket ${known.ticket ?? ""}`);
  const { subject } = await access.use(id, who, entry);
  const vehicle = vehicleId(subject.slice("vehicle:".length));
  const { eventView } = await import("@kerbside/commands");
  for (let after: string | undefined; ; ) {
    const more = after === undefined ? {} : { after };
    const page = await tenant.store.events({ vehicle, limit: PAGE, ...more });
    for (const item of page.items) {
      const view = eventView(item);
      input.print(view, JSON.stringify(view));
    }
    if (page.next === undefined) return 0;
    after = page.next;
  }
}

async function issueKey(input: Input): Promise<number> {
  const days = input.integer("days", 1, KEY_DAYS_MAX);
  const { newTenantKey } = await import("@kerbside/identity");
  return withTenant(input, async ({ store }) => {
    const id = randomUUID();
    const [reason, askedBy] = [input.text("reason"), input.text("for")];
    const { key, hash } = newTenantKey(store.tenant, id);
    const asking = { askedBy, askedAtMs: Date.now(), state: { at: "asked" } } as const;
    const lifeMs = days * DAY_MINUTES * MINUTE_MS;
    const entry = byOperator(input, "tenant-key.issue", `access:${id}`, reason);
    const of = {
      id,
      kind: "tenant-key",
      subject: `tenant:${store.tenant}`,
      reason,
      lifeMs,
    } as const;
    await store.access.ask({ ...of, ...asking }, { ...entry, outcome: "asked" });
    await store.access.decide(id, entry.actor, "approve", entry, hash);
    const until = new Date(asking.askedAtMs + lifeMs).toISOString();
    input.print(
      { request: id, key, until },
      `${key}\nreads until ${until}; key revoke --request ${id}`,
    );
    return 0;
  });
}

function rotate(input: Input): Promise<number> {
  const id = asked(() => tenantId(input.text("tenant")));
  return withRegistry(input, async (registry, dir) => {
    const secret = (name: "signer-key" | "issuer-key") =>
      readSecret(name, { dir, dev: false, env: input.env });
    const keys = { signerKey: secret("signer-key"), issuerKey: secret("issuer-key") };
    const entry = byOperator(input, "vault.rotate", "key:transit");
    const version = await registry.rotateTransit(id, keys, entry);
    input.print({ tenant: id, version }, `transit key ${version} wraps all subject keys`);
    return 0;
  });
}

async function readSecretOf(input: Input, { tenant, who, audit }: SignedInCall): Promise<number> {
  const id = input.text("request");
  const { access } = tenant.store;
  const known = await access.request(id);
  if (known?.kind !== "secret")
    throw new ProtocolError("not_found", "access: there is no such request");
  const { subject } = await access.use(id, who, audit("secret.read", known.subject, known.reason));
  await access.decide(id, who, "end", audit("secret.end", `access:${id}`));
  const secret = await tenant.vault.get(subject.slice("secret:".length));
  if (secret === undefined) throw new ProtocolError("not_found", `${subject}: is not in the vault`);
  const text = Buffer.from(secret).toString("base64url");
  input.print({ request: id, secret: text }, text);
  return 0;
}
