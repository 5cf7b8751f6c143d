/**
 * Messages that did not verify, sealed under a key of the tenant, at most so many. That one came in is audited once an
 * hour for a car and a reason: whoever sends rubbish fills the quarantine, which is bounded, and not the audit, which
 * is kept for good.
 */
import {
  type AuditEntry,
  concatBytes,
  deriveKey,
  ProtocolError,
  type QuarantineEntry,
  utf8,
  type VehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { openWith, sealWith } from "./sealing.ts";
import type { TransitKeys } from "./subject-keys.ts";
import { readVersion, versionBytes } from "./transit.ts";

/** The most messages kept in quarantine; the oldest give way. */
export const QUARANTINE_MAX = 1000;
const AUDITED_EVERY_MS = 3_600_000;

export type Quarantined = QuarantineEntry & { readonly id: number; readonly atMs: number };

const quarantineKey = (transit: TransitKeys, version: number): Uint8Array => {
  const key = transit.get(version);
  if (key === undefined)
    throw new ProtocolError("storage_failed", `transit key ${version}: is not in the vault`);
  return deriveKey(key, "kerbside/v1/quarantine");
};

/** Within the caller's transaction. Answers what is to be entered in the audit with it, if anything. */
export function putQuarantine(
  engine: Engine,
  sql: Sql,
  transit: TransitKeys,
  { vehicle, reason, topic, payload: plain }: QuarantineEntry,
): AuditEntry | undefined {
  const nowMs = engine.nowMs();
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
    "INSERT INTO quarantine (at_ms, vehicle, reason, topic, payload) VALUES (?, ?, ?, ?, ?)",
    ...[nowMs, vehicle ?? null, reason, topic, payload],
  );
  sql.run(
    "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?",
    QUARANTINE_MAX,
  );
  if (known !== undefined) return undefined;
  const subject = vehicle === undefined ? `tenant:${engine.tenant}` : `vehicle:${vehicle}`;
  return { actor: "ingest", action: "message.quarantine", subject, outcome: "done", reason };
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
