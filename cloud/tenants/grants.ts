/**
 * Grants of cards and phones, and the newest list of each car. Credentials are sealed under their booking's key (P-31);
 * MACs are checked by the signer, not here.
 */
import {
  GRANT_ACTIONS,
  type GrantAction,
  type GrantListRecord,
  type GrantRecord,
  ProtocolError,
  type Subject,
  utf8,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce, type Engine } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

type Row = {
  readonly id: string;
  readonly booking: string;
  readonly vehicle: string;
  readonly credential: Uint8Array;
  readonly actions: string;
  readonly state: string;
  readonly version: number;
  readonly mac: Uint8Array;
  readonly list_version: number | null;
};

const subjectOf = (booking: string): Subject => `booking:${booking}`;
const binding = ({ tenant }: Engine, grant: string): Uint8Array =>
  utf8(`kerbside/v1/credential\n${tenant}\n${grant}`);

/** `key`: of the booking. */
export function putGrant(engine: Engine, sql: Sql, record: GrantRecord, key: SubjectKey): void {
  const { grant, booking, vehicle, actions, state, version, mac } = record;
  const stored = sql.get<{ version: number }>("SELECT version FROM grants WHERE id = ?", grant);
  if ((stored?.version ?? 0) !== version - 1)
    throw new ProtocolError(
      "conflict",
      `grant: has version ${stored?.version ?? 0}, expected ${version - 1}`,
    );
  const sealed = key.seal(record.credential, binding(engine, grant));
  sql.run(
    "INSERT OR REPLACE INTO grants (id, booking, vehicle, credential, actions, state, version, mac, list_version) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
    ...[grant, booking, vehicle, sealed, actions.join(" "), state, version, mac],
  );
  announce(sql, engine.nowMs(), "booking", booking);
}

export function readGrant(engine: Engine, grant: string): GrantRecord | undefined {
  const row = engine.store.read((sql) => sql.get<Row>("SELECT * FROM grants WHERE id = ?", grant));
  return row === undefined ? undefined : grantOf(engine, row);
}

export function readGrants(engine: Engine, vehicle: VehicleId): readonly GrantRecord[] {
  const rows = engine.store.read((sql) =>
    sql.all<Row>("SELECT * FROM grants WHERE vehicle = ? ORDER BY id", vehicle),
  );
  return rows.map((row) => grantOf(engine, row));
}

function grantOf(engine: Engine, row: Row): GrantRecord {
  const key = engine.keys.existing(subjectOf(row.booking));
  const credential = key?.open(row.credential, binding(engine, row.id)) ?? new Uint8Array();
  if (row.state !== "active" && row.state !== "revoked")
    throw new ProtocolError("storage_failed", "grant: its state is none of the known ones");
  return {
    grant: row.id,
    booking: row.booking,
    vehicle: vehicleId(row.vehicle),
    credential,
    actions: row.actions.split(" ").map(actionOf),
    state: row.state,
    version: row.version,
    mac: row.mac,
    ...(row.list_version === null ? {} : { listVersion: row.list_version }),
  };
}

function actionOf(name: string): GrantAction {
  const found = GRANT_ACTIONS.find((action) => action === name);
  if (found === undefined) throw new ProtocolError("storage_failed", "grant: has no such action");
  return found;
}

export function putGrantList(sql: Sql, record: GrantListRecord, nowMs: number): void {
  const { vehicle, version, digest, grants, changed, sealed } = record;
  const stored = sql.get<{ version: number }>(
    "SELECT version FROM grant_lists WHERE vehicle = ?",
    vehicle,
  );
  if (stored !== undefined && version <= stored.version)
    throw new ProtocolError("conflict", "grant list: expected a higher version");
  sql.run(
    "INSERT OR REPLACE INTO grant_lists (vehicle, version, digest, grants, changed, sealed) VALUES (?, ?, ?, ?, ?, ?)",
    ...[vehicle, version, digest, grants.join(" "), changed.join(" "), sealed],
  );
  for (const grant of changed)
    sql.run("UPDATE grants SET list_version = ? WHERE id = ?", version, grant);
  announce(sql, nowMs, "vehicle", vehicle);
}

export function readGrantList(sql: Sql, vehicle: VehicleId): GrantListRecord | undefined {
  type ListRow = {
    readonly version: number;
    readonly digest: Uint8Array;
    readonly grants: string;
    readonly changed: string;
    readonly sealed: Uint8Array;
  };
  const row = sql.get<ListRow>(
    "SELECT version, digest, grants, changed, sealed FROM grant_lists WHERE vehicle = ?",
    vehicle,
  );
  if (row === undefined) return undefined;
  const ids = (text: string): readonly string[] => (text === "" ? [] : text.split(" "));
  return { vehicle, ...row, grants: ids(row.grants), changed: ids(row.changed) };
}
