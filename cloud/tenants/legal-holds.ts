/**
 * P-82: what must not be erased. A hold keeps a copy of what is known of a person under a key of its own, for the
 * readers that it names, and ends with that key.
 */
import { type LegalHold, ProtocolError, type Subject, utf8 } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { readConsents, readCredentials, readPerson } from "./people.ts";

type Row = {
  readonly hold: string;
  readonly person: string;
  readonly reason: string;
  readonly readers: string;
  readonly placed_at_ms: number;
  readonly released_at_ms: number | null;
};
const COLUMNS = "hold, person, reason, readers, placed_at_ms, released_at_ms";
export const holdSubject = (hold: string): Subject => `hold:${hold}`;
const NOTHING = new Uint8Array();

function binding({ tenant }: Engine, hold: string): Uint8Array {
  return utf8(`kerbside/v1/hold\n${tenant}\n${hold}`);
}

/** The copy, sealed. Throws `not_found`, or `conflict` where the person was erased already. */
export function sealCopy(
  engine: Engine,
  { hold, person }: LegalHold,
  bookings: unknown,
): Uint8Array {
  const record = readPerson(engine, person);
  if (record === undefined) throw new ProtocolError("not_found", "person: is not there");
  if (record.state === "erased")
    throw new ProtocolError("conflict", "person: was erased; there is nothing left to hold");
  const copy = {
    ...record,
    consents: engine.store.read((sql) => readConsents(sql, person)),
    credentials: readCredentials(engine, person),
    bookings,
  };
  return engine.keys.key(holdSubject(hold)).seal(utf8(JSON.stringify(copy)), binding(engine, hold));
}

export function putHold(sql: Sql, hold: LegalHold, copy: Uint8Array): void {
  const state = sql.get<{ state: string }>(
    "SELECT state FROM people WHERE person = ?",
    hold.person,
  );
  // Looked at again in the transaction that an erasure begins with.
  if (state?.state === "erased")
    throw new ProtocolError("conflict", "person: was erased; there is nothing left to hold");
  sql.run(
    `INSERT INTO holds (${COLUMNS}, copy) VALUES (?, ?, ?, ?, ?, NULL, ?)`,
    ...[hold.hold, hold.person, hold.reason, hold.readers.join(" "), hold.placedAtMs, copy],
  );
}

export function releaseHold(sql: Sql, hold: string, nowMs: number): void {
  const changed = sql.run(
    "UPDATE holds SET released_at_ms = ?, copy = ? WHERE hold = ? AND released_at_ms IS NULL",
    ...[nowMs, NOTHING, hold],
  );
  if (changed === 0) throw new ProtocolError("not_found", "hold: is not there, or was released");
}

export function readHolds(sql: Sql): readonly LegalHold[] {
  return sql.all<Row>(`SELECT ${COLUMNS} FROM holds ORDER BY placed_at_ms, hold`).map((row) => ({
    hold: row.hold,
    person: row.person,
    reason: row.reason,
    readers: row.readers.split(" "),
    placedAtMs: row.placed_at_ms,
    ...(row.released_at_ms === null ? {} : { releasedAtMs: row.released_at_ms }),
  }));
}

/** Throws `not_found` or `forbidden`. */
export function mayRead(engine: Engine, hold: string, reader: string): void {
  const found = engine.store.read(readHolds).find((each) => each.hold === hold);
  if (found === undefined || found.releasedAtMs !== undefined)
    throw new ProtocolError("not_found", "hold: is not there, or was released");
  if (!found.readers.includes(reader))
    throw new ProtocolError("forbidden", "hold: its copy is for the readers that it names");
}

export function openCopy(engine: Engine, hold: string): string {
  const row = engine.store.read((sql) =>
    sql.get<{ copy: Uint8Array }>("SELECT copy FROM holds WHERE hold = ?", hold),
  );
  const key = engine.keys.existing(holdSubject(hold));
  if (row === undefined || key === undefined)
    throw new ProtocolError("not_found", "hold: is not there, or was released");
  return new TextDecoder().decode(key.open(row.copy, binding(engine, hold)));
}
