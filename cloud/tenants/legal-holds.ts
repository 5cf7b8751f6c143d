/**
 * P-82: what must not be erased. A hold keeps a copy of what is known of a person, or of a car within times, under a key
 * of its own, for the readers that it names, and ends with that key.
 */
import { setImmediate as others } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  type BookingRecord,
  type HeldThing,
  type LegalHold,
  ProtocolError,
  type Subject,
  toHex,
  utf8,
} from "@kerbside/protocol";
import { bookingsWithin } from "./bookings.ts";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { EVENTS_PAGE_MAX, queryEvents } from "./events.ts";
import { heldThing, type ThingRow, thingValues } from "./held-things.ts";
import { readConsents, readCredentials, readPerson } from "./people.ts";

type Row = ThingRow & {
  readonly hold: string;
  readonly reason: string;
  readonly readers: string;
  readonly placedAtMs: number;
  readonly releasedAtMs: number | null;
};
export const holdSubject = (hold: string): Subject => `hold:${hold}`;
const NOTHING = new Uint8Array();
/**
 * The most events of one copy, some 15 MB before it is packed: what is longer is held in several parts, so that no row
 * keeps the store's one writer for long.
 */
export const HOLD_EVENTS_MAX = 50_000;
/** Of a packed copy; far above what its events take. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;
/** RFC 1952 § 2.3.1. Copies from before were not packed and begin with a brace. */
const GZIP_ID = 0x1f;

function binding({ tenant }: Engine, hold: string): Uint8Array {
  return utf8(`kerbside/v1/hold\n${tenant}\n${hold}`);
}

/** The copy, sealed. Throws `not_found`, `limit_reached`, or `conflict` where the person was erased already. */
export async function sealCopy(
  engine: Engine,
  hold: LegalHold,
  bookingOf: (booking: string) => BookingRecord | undefined,
): Promise<Uint8Array> {
  const copy =
    hold.vehicle === undefined
      ? personCopy(engine, hold.person, bookingOf)
      : await carCopy(engine, hold);
  const packed = gzipSync(JSON.stringify(copy, plainValue));
  return engine.keys.key(holdSubject(hold.hold)).seal(packed, binding(engine, hold.hold));
}

function personCopy(
  engine: Engine,
  person: string,
  bookingOf: (booking: string) => BookingRecord | undefined,
): object {
  const record = readPerson(engine, person);
  if (record === undefined) throw new ProtocolError("not_found", "person: is not there");
  if (record.state === "erased")
    throw new ProtocolError("conflict", "person: was erased; there is nothing left to hold");
  const booked = engine.finders.find("holder", person).flatMap((subject) => {
    const booking = bookingOf(subject.slice("booking:".length));
    return booking === undefined ? [] : [withoutMac(booking)];
  });
  return {
    ...record,
    consents: engine.store.read((sql) => readConsents(sql, person)),
    credentials: readCredentials(engine, person),
    bookings: booked,
  };
}

/** What the car reported within the times, and who had booked it. Others have their turn between pages. */
async function carCopy(
  engine: Engine,
  { vehicle, fromMs, toMs }: Extract<HeldThing, { vehicle: string }>,
): Promise<object> {
  const bookings = engine.store.read((sql) => {
    if (sql.get("SELECT 1 FROM vehicles WHERE vehicle = ?", vehicle) === undefined)
      throw new ProtocolError("not_found", "vehicle: is not there");
    return bookingsWithin(engine, sql, vehicle, { fromMs, toMs });
  });
  // Before anybody else has a turn: an erasure that was begun already takes nothing of this away any more.
  const holders = new Set(bookings.map(({ holder }) => holder));
  const people = [...holders].flatMap((person) => {
    const record = readPerson(engine, person);
    return record === undefined ? [] : [record];
  });
  const events: unknown[] = [];
  for (let after: string | undefined; ; ) {
    const page = queryEvents(engine, {
      ...{ vehicle, fromMs, toMs, limit: EVENTS_PAGE_MAX },
      ...(after === undefined ? {} : { after }),
    });
    events.push(...page.items);
    if (events.length > HOLD_EVENTS_MAX)
      throw new ProtocolError(
        "limit_reached",
        `hold: expected at most ${HOLD_EVENTS_MAX} events within its times; hold them in parts`,
      );
    if (page.next === undefined) break;
    after = page.next;
    await others();
  }
  return { vehicle, fromMs, toMs, bookings: bookings.map(withoutMac), people, events };
}

function withoutMac({ mac: _mac, ...booking }: BookingRecord): Omit<BookingRecord, "mac"> {
  return booking;
}

/** JSON has no bytes. */
function plainValue(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  return typeof value === "bigint" ? String(value) : value;
}

export function putHold(sql: Sql, hold: LegalHold, copy: Uint8Array): void {
  if (hold.person !== undefined) {
    const state = sql.get<{ state: string }>(
      "SELECT state FROM people WHERE person = ?",
      hold.person,
    );
    // Looked at again in the transaction that an erasure begins with.
    if (state?.state === "erased")
      throw new ProtocolError("conflict", "person: was erased; there is nothing left to hold");
  }
  sql.run(
    "INSERT INTO holds (hold, person, vehicle, from_ms, to_ms, reason, readers, placed_at_ms, copy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[hold.hold, ...thingValues(hold), hold.reason, hold.readers.join(" "), hold.placedAtMs],
    copy,
  );
}

/** `hasKey`: one that was released already, but cut short before its key ended, is released again. */
export function releaseHold(sql: Sql, hold: string, nowMs: number, hasKey: boolean): void {
  const changed = sql.run(
    "UPDATE holds SET released_at_ms = coalesce(released_at_ms, ?), copy = ? WHERE hold = ? AND (released_at_ms IS NULL OR ?)",
    ...[nowMs, NOTHING, hold, hasKey ? 1 : 0],
  );
  if (changed === 0) throw new ProtocolError("not_found", "hold: is not there, or was released");
}

export function readHolds(sql: Sql): readonly LegalHold[] {
  return sql
    .all<Row>(
      "SELECT hold, person, vehicle, from_ms AS fromMs, to_ms AS toMs, reason, readers, placed_at_ms AS placedAtMs, " +
        "released_at_ms AS releasedAtMs FROM holds ORDER BY placed_at_ms, hold",
    )
    .map((row) => ({
      ...heldThing(row),
      hold: row.hold,
      reason: row.reason,
      readers: row.readers.split(" "),
      placedAtMs: row.placedAtMs,
      ...(row.releasedAtMs === null ? {} : { releasedAtMs: row.releasedAtMs }),
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
  const copy = key.open(row.copy, binding(engine, hold));
  const plain = copy[0] === GZIP_ID ? gunzipSync(copy, { maxOutputLength: COPY_BYTES_MAX }) : copy;
  return new TextDecoder().decode(plain);
}
