/** Bookings. The holder is sealed under the booking's own key (P-31); the MAC is checked by the signer, not here. */
import {
  type BookingRecord,
  type BookingState,
  ProtocolError,
  type Span,
  type Subject,
  utf8,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { KeyWish } from "./commit-group.ts";
import type { Sql } from "./database.ts";
import { announce, type Engine } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

type Row = {
  readonly booking: string;
  readonly vehicle: string;
  readonly holder: Uint8Array;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly state: string;
  readonly version: number;
  readonly mac: Uint8Array;
};

const COLUMNS = "booking, vehicle, holder, from_ms, to_ms, state, version, mac";
const subjectOf = (booking: string): Subject => `booking:${booking}`;

function binding({ tenant }: Engine, booking: string): Uint8Array {
  return utf8(`kerbside/v1/holder\n${tenant}\n${booking}`);
}

/** The key of a booking, by which its holder is sealed and found. */
export function holderWish({ booking, holder }: BookingRecord): KeyWish {
  const finder = { kind: "holder", value: holder } as const;
  return { subject: subjectOf(booking), ...(holder === "" ? {} : { finder }) };
}

export function putBooking(engine: Engine, sql: Sql, record: BookingRecord, key: SubjectKey): void {
  const { booking, vehicle, fromMs, toMs, state, version, mac } = record;
  const holder = key.seal(utf8(record.holder), binding(engine, booking));
  const stored = sql.get<{ version: number }>(
    "SELECT version FROM bookings WHERE booking = ?",
    booking,
  );
  if ((stored?.version ?? 0) !== version - 1)
    throw new ProtocolError(
      "conflict",
      `booking ${booking}: has version ${stored?.version ?? 0}, expected ${version - 1}`,
    );
  sql.run(
    `INSERT OR REPLACE INTO bookings (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[booking, vehicle, holder, fromMs, toMs, state, version, mac],
  );
  announce(sql, engine.nowMs(), "booking", booking);
}

/** `holder` is empty where the booking's key has been destroyed. */
function bookingOf(engine: Engine, row: Row): BookingRecord {
  const key = engine.keys.existing(subjectOf(row.booking));
  const holder = key?.open(row.holder, binding(engine, row.booking));
  return {
    booking: row.booking,
    vehicle: vehicleId(row.vehicle),
    holder: holder === undefined ? "" : new TextDecoder().decode(holder),
    fromMs: row.from_ms,
    toMs: row.to_ms,
    state: stateOf(row.state),
    version: row.version,
    mac: row.mac,
  };
}

function stateOf(state: string): BookingState {
  switch (state) {
    case "reserved":
    case "open":
    case "ended":
    case "cancelled":
      return state;
    default:
      throw new ProtocolError("storage_failed", "booking: its state is none of the known ones");
  }
}

export function readBooking(engine: Engine, booking: string): BookingRecord | undefined {
  const row = engine.store.read((sql) =>
    sql.get<Row>(`SELECT ${COLUMNS} FROM bookings WHERE booking = ?`, booking),
  );
  return row === undefined ? undefined : bookingOf(engine, row);
}

export function readBookings(engine: Engine, vehicle?: VehicleId): readonly BookingRecord[] {
  const order = "ORDER BY from_ms, booking";
  const rows = engine.store.read((sql) =>
    vehicle === undefined
      ? sql.all<Row>(`SELECT ${COLUMNS} FROM bookings ${order}`)
      : sql.all<Row>(`SELECT ${COLUMNS} FROM bookings WHERE vehicle = ? ${order}`, vehicle),
  );
  return rows.map((row) => bookingOf(engine, row));
}

/** Those that any of this time was booked by, the cancelled ones too. One that is open has no end yet. */
export function bookingsWithin(
  engine: Engine,
  sql: Sql,
  vehicle: VehicleId,
  { fromMs, toMs }: Span,
): readonly BookingRecord[] {
  return sql
    .all<Row>(
      `SELECT ${COLUMNS} FROM bookings WHERE vehicle = ? AND from_ms <= ? AND (to_ms >= ? OR state = 'open') ORDER BY from_ms, booking`,
      ...[vehicle, toMs, fromMs],
    )
    .map((row) => bookingOf(engine, row));
}

/** Once, for bookings from before there were indexes. */
export function indexHolders(engine: Engine): void {
  if (engine.finders.any("holder")) return;
  for (const { booking, holder } of readBookings(engine))
    if (holder !== "") engine.finders.add(subjectOf(booking), "holder", holder);
}
