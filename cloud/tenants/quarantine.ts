/**
 * Messages that did not verify, or could not be read, sealed under a key of the tenant, at most so many. That one came in is audited once an
 * hour for a car and a reason: whoever sends rubbish fills the quarantine, which is bounded, and not the audit, which
 * is kept for good.
 */
import {
  type AuditEntry,
  concatBytes,
  deriveKey,
  ProtocolError,
  type QuarantineEntry,
  type Quarantining,
  utf8,
  type VehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { hasRoom, makeRoom } from "./quarantine-room.ts";
import { openWith, sealWith } from "./sealing.ts";
import type { TransitKeys } from "./subject-keys.ts";
import { readVersion, versionBytes } from "./transit.ts";

const AUDITED_EVERY_MS = 3_600_000;

export type Quarantined = QuarantineEntry & { readonly id: number; readonly atMs: number };

const quarantineKey = (transit: TransitKeys, version: number): Uint8Array => {
  const key = transit.get(version);
  if (key === undefined)
    throw new ProtocolError("storage_failed", `transit key ${version}: is not in the vault`);
  return deriveKey(key, "kerbside/v1/quarantine");
};

type Put = { readonly value: Quarantining; readonly entry: AuditEntry | undefined };
const KNOWN: Put = { value: { isKept: true, gaveWay: 0 }, entry: undefined };
const NO_ROOM: Put = { value: { isKept: false, gaveWay: 0 }, entry: undefined };

/** Within the caller's transaction. Answers what is to be entered in the audit with it, if anything. */
export function putQuarantine(
  engine: Engine,
  sql: Sql,
  transit: TransitKeys,
  entry: QuarantineEntry,
): Put {
  const { vehicle, reason, topic, payload: plain, digest, isOnlyCopy = false } = entry;
  const nowMs = engine.nowMs();
  if (digest !== undefined && vehicle !== undefined) {
    const same = sql.get<{ id: number; isOnly: number }>(
      "SELECT id, only_copy AS isOnly FROM quarantine WHERE vehicle = ? AND digest = ?",
      ...[vehicle, digest],
    );
    if (same !== undefined && (same.isOnly === 1 || !isOnlyCopy)) return KNOWN;
    if (isOnlyCopy && !hasRoom(sql, nowMs, vehicle)) return NO_ROOM;
    if (same !== undefined) sql.run("DELETE FROM quarantine WHERE id = ?", same.id);
  } else if (isOnlyCopy) {
    throw new ProtocolError("malformed", "quarantine: an only copy needs its car and its digest");
  }
  const version = Math.max(...transit.keys());
  const bound = utf8(`${engine.tenant}\n${reason}\n${topic}`);
  const sealed = sealWith(quarantineKey(transit, version), plain, bound);
  // Not spread: a call takes fewer arguments than the longest message has bytes.
  const payload = concatBytes(versionBytes(version), sealed);
  const known = sql.get(
    "SELECT 1 FROM quarantine WHERE vehicle IS ? AND reason = ? AND at_ms > ? LIMIT 1",
    ...[vehicle ?? null, reason, nowMs - AUDITED_EVERY_MS],
  );
  sql.run(
    "INSERT INTO quarantine (at_ms, vehicle, reason, topic, payload, only_copy, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ...[nowMs, vehicle ?? null, reason, topic, payload, isOnlyCopy ? 1 : 0, digest ?? null],
  );
  const value = { isKept: true, gaveWay: makeRoom(sql) };
  if (known !== undefined) return { value, entry: undefined };
  const subject = vehicle === undefined ? `tenant:${engine.tenant}` : `vehicle:${vehicle}`;
  const audit = { actor: "ingest", action: "message.quarantine", subject, reason };
  return { value, entry: { ...audit, outcome: "done" } };
}

export function readQuarantined(
  { store, tenant }: Engine,
  transit: TransitKeys,
  after: number,
  limit: number,
): readonly Quarantined[] {
  type Row = Omit<Quarantined, "vehicle"> & { readonly vehicle: VehicleId | null };
  const found = store.read((sql) =>
    sql.all<Row>(
      "SELECT id, at_ms AS atMs, vehicle, reason, topic, payload FROM quarantine WHERE id > ? ORDER BY id LIMIT ?",
      after,
      limit,
    ),
  );
  return found.map(({ vehicle, ...row }) => {
    const bound = utf8(`${tenant}\n${row.reason}\n${row.topic}`);
    const { version, rest } = readVersion(row.payload);
    const payload = openWith(quarantineKey(transit, version), rest, bound);
    return { ...row, payload, ...(vehicle === null ? {} : { vehicle }) };
  });
}
