/** Cars, their newest sessions, and their command counters. */
import {
  decode,
  encode,
  equalBytes,
  ProtocolError,
  type Quotas,
  type SessionAnnouncement,
  type SessionRecord,
  sessionCodec,
  type VehicleId,
  type VehicleRecord,
  vehicleId,
  withinQuota,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce } from "./engine.ts";

/** What the column `online` of a session says. */
const AWAY = 0;
const ONLINE = 1;
const ASLEEP = 2;
/** Announcements kept decoded; beyond it all are decoded anew. */
const SESSIONS_DECODED_MAX = 10_000;

type VehicleRow = {
  readonly vehicle: string;
  readonly profile: string;
  readonly signing_key: Uint8Array;
  readonly certificate_serial: string;
  readonly renewed_serial: string | null;
  readonly enrolled_at_ms: number;
  readonly revoked_at_ms: number | null;
};

/** Throws ProtocolError `limit_reached` where it would be a car more than was agreed. */
export function putVehicle(
  sql: Sql,
  record: VehicleRecord,
  nowMs: number,
  quotas: () => Quotas,
): void {
  const alive = "SELECT count(*) AS n FROM vehicles WHERE revoked_at_ms IS NULL";
  const count = (more: string, ...of: readonly string[]): number =>
    sql.get<{ n: number }>(alive + more, ...of)?.n ?? 0;
  const isOneMore =
    record.revokedAtMs === undefined && count(" AND vehicle = ?", record.vehicle) === 0;
  if (isOneMore) withinQuota("cars", count(""), quotas());
  sql.run(
    "INSERT OR REPLACE INTO vehicles (vehicle, profile, signing_key, certificate_serial, renewed_serial, enrolled_at_ms, revoked_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    record.vehicle,
    record.profile,
    record.signingKey,
    record.certificateSerial,
    record.renewedSerial ?? null,
    record.enrolledAtMs,
    record.revokedAtMs ?? null,
  );
  announce(sql, nowMs, "vehicle", record.vehicle);
}

/** Compares and sets in one statement, so that a renewal never undoes a revocation. */
export function putCertificate(
  sql: Sql,
  vehicle: VehicleId,
  presented: string,
  next: string | undefined,
): boolean {
  const changed = sql.run(
    "UPDATE vehicles SET certificate_serial = ?, renewed_serial = ? WHERE vehicle = ? AND revoked_at_ms IS NULL AND upper(?) IN (upper(certificate_serial), upper(renewed_serial))",
    ...[presented, next ?? null, vehicle, presented],
  );
  return changed === 1;
}

function vehicleOf(row: VehicleRow): VehicleRecord {
  return {
    vehicle: vehicleId(row.vehicle),
    profile: row.profile,
    signingKey: row.signing_key,
    certificateSerial: row.certificate_serial,
    ...(row.renewed_serial === null ? {} : { renewedSerial: row.renewed_serial }),
    enrolledAtMs: row.enrolled_at_ms,
    ...(row.revoked_at_ms === null ? {} : { revokedAtMs: row.revoked_at_ms }),
  };
}

export function readVehicle(sql: Pick<Sql, "get">, vehicle: VehicleId): VehicleRecord | undefined {
  const row = sql.get<VehicleRow>("SELECT * FROM vehicles WHERE vehicle = ?", vehicle);
  return row === undefined ? undefined : vehicleOf(row);
}

export function readVehicles(sql: Sql): readonly VehicleRecord[] {
  return sql.all<VehicleRow>("SELECT * FROM vehicles ORDER BY vehicle").map(vehicleOf);
}

export function putSession(sql: Sql, record: SessionRecord, nowMs: number): void {
  sql.run(
    "INSERT OR REPLACE INTO sessions (vehicle, epoch, session, envelope, received_at_ms, online) VALUES (?, ?, ?, ?, ?, ?)",
    record.vehicle,
    record.session.epoch,
    encode(sessionCodec, record.session),
    record.envelope,
    record.receivedAtMs,
    record.online ? ONLINE : record.asleep === true ? ASLEEP : AWAY,
  );
  announce(sql, nowMs, "vehicle", record.vehicle);
}

type ReadSession = (sql: Pick<Sql, "get">, vehicle: VehicleId) => SessionRecord | undefined;

/** Reads announcements, each decoded once: it is looked at with every command until the car makes the next. */
export function sessionReader(): ReadSession {
  type Row = { session: Uint8Array; envelope: Uint8Array; received_at_ms: number; online: number };
  const known = new Map<VehicleId, { readonly bytes: Uint8Array; session: SessionAnnouncement }>();
  const decoded = (vehicle: VehicleId, bytes: Uint8Array): SessionAnnouncement => {
    const before = known.get(vehicle);
    if (before !== undefined && equalBytes(before.bytes, bytes)) return before.session;
    const session = decode(sessionCodec, bytes);
    if (known.size >= SESSIONS_DECODED_MAX) known.clear();
    known.set(vehicle, { bytes, session });
    return session;
  };
  return (sql, vehicle) => {
    const row = sql.get<Row>(
      "SELECT session, envelope, received_at_ms, online FROM sessions WHERE vehicle = ?",
      vehicle,
    );
    if (row === undefined) return undefined;
    return {
      vehicle,
      session: decoded(vehicle, row.session),
      envelope: row.envelope,
      receivedAtMs: row.received_at_ms,
      online: row.online === ONLINE,
      ...(row.online === ASLEEP ? { asleep: true } : {}),
    };
  };
}

export function sessionGone(
  sql: Sql,
  vehicle: VehicleId,
  epoch: Uint8Array,
  asleep: boolean,
  nowMs: number,
): boolean {
  const row = sql.get<{ epoch: Uint8Array; online: number }>(
    "SELECT epoch, online FROM sessions WHERE vehicle = ?",
    vehicle,
  );
  if (row === undefined || !equalBytes(row.epoch, epoch)) return false;
  // A broker's own `gone` after a farewell does not make a sleeping car one that is just away.
  const next = asleep ? ASLEEP : AWAY;
  if (row.online === ONLINE || (asleep && row.online === AWAY)) {
    sql.run("UPDATE sessions SET online = ? WHERE vehicle = ?", next, vehicle);
    announce(sql, nowMs, "vehicle", vehicle);
  }
  return true;
}

/**
 * Durable before it is used: a crash after this loses a number, and never hands one out twice. It is at least the time
 * in milliseconds, because cars refuse what is not above the last they took, and a store that was restored from a backup
 * would hand out numbers of the past; whatever the clock says, it is above the one before.
 */
export function nextCounter(sql: Sql, vehicle: VehicleId, nowMs: number): number {
  const row = sql.get<{ value: number }>(
    "INSERT INTO counters (vehicle, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value + 1, excluded.value) RETURNING value",
    vehicle,
    Math.max(1, nowMs),
  );
  if (row === undefined) throw new ProtocolError("storage_failed", "counter: was not kept");
  return row.value;
}
