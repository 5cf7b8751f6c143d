/** Accounts as rows. What is secret of one comes sealed by the issuer's side and is sealed again under the person's key. */
import {
  type AccountRecord,
  type AccountState,
  isRole,
  ProtocolError,
  type Role,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { personBinding, personSubject } from "./people.ts";

type Row = {
  readonly person: string;
  readonly version: number;
  readonly role: string;
  readonly state: string;
  readonly locked_until_ms: number | null;
  readonly tokens_after_ms: number;
  readonly secret: Uint8Array;
  readonly person_state: string | null;
};
const NOTHING = new Uint8Array();

/** Throws `conflict` where the user name is another account's. */
export function sealAccount(
  engine: Engine,
  { person, secret }: AccountRecord,
  user: string | undefined,
): Uint8Array {
  const subject = personSubject(person);
  if (user !== undefined) {
    const others = engine.finders.find("user", user).filter((other) => other !== subject);
    if (others.some((other) => readAccount(engine, other.slice("person:".length)) !== undefined))
      throw new ProtocolError("conflict", "account: the user name is taken");
    engine.finders.set(subject, { user });
  }
  return engine.keys.key(subject).seal(secret, personBinding(engine, "account", person));
}

export function putAccount(sql: Sql, record: AccountRecord, secret: Uint8Array): void {
  const { person, version, role, state, tokensAfterMs } = record;
  const stored = sql.get<{ version: number }>(
    "SELECT version FROM accounts WHERE person = ?",
    person,
  );
  if ((stored?.version ?? 0) !== version - 1)
    throw new ProtocolError("conflict", `account: was changed by another meanwhile`);
  sql.run(
    "INSERT OR REPLACE INTO accounts (person, version, role, state, locked_until_ms, tokens_after_ms, secret) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ...[person, version, role, state.at, state.at === "locked" ? state.untilMs : null],
    ...[tokensAfterMs, secret],
  );
}

export function readAccount(engine: Engine, person: string): AccountRecord | undefined {
  const row = engine.store.read((sql) =>
    sql.get<Row>(
      "SELECT a.*, p.state AS person_state FROM accounts a LEFT JOIN people p ON p.person = a.person WHERE a.person = ?",
      person,
    ),
  );
  if (row === undefined) return undefined;
  const isPersonGone = row.person_state === "suspended" || row.person_state === "erased";
  const key = row.secret.length === 0 ? undefined : engine.keys.existing(personSubject(person));
  return {
    person,
    version: row.version,
    role: roleOf(row.role),
    state: stateOf(row),
    ...(isPersonGone ? { isPersonGone } : {}),
    tokensAfterMs: row.tokens_after_ms,
    secret: key?.open(row.secret, personBinding(engine, "account", person)) ?? NOTHING,
  };
}

function roleOf(role: string): Role {
  if (isRole(role)) return role;
  throw new ProtocolError("storage_failed", "account: its role is none of the known ones");
}

function stateOf({ state, locked_until_ms }: Row): AccountState {
  switch (state) {
    case "open":
    case "locked-for-good":
    case "closed":
      return { at: state };
    case "locked":
      return { at: state, untilMs: locked_until_ms ?? Number.MAX_SAFE_INTEGER };
    default:
      throw new ProtocolError("storage_failed", "account: its state is none of the known ones");
  }
}
