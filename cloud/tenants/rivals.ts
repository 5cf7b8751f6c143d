/**
 * Two logs that follow the same log. A disk that was put back to an older state makes a second follower once, and the
 * first falls silent; a copy of the disk in another module makes one too, and both keep talking. So it is a restored
 * disk until they have been heard of in turns. Either is for a person to look at: no car is revoked by this.
 */
import { equalBytes, type LogOpening, toHex, type VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { raiseAlarm } from "./engine.ts";

/**
 * From this turn on it is a clone. The first may be what was under way as the disk was put back, and the second the
 * car's own going on after it.
 */
const CLONE_TURNS = 3;
/** Boots back to where the branches part; beyond it nothing is said. */
const BRANCH_LOGS_MAX = 1000;

/** A log was opened: says so where its predecessor has another follower. */
export function openedBeside(
  sql: Sql,
  nowMs: number,
  { vehicle, log, previousLog }: LogOpening,
  id: number,
): void {
  if (previousLog === undefined) return;
  const other = sql.get<{ log: Uint8Array }>(
    "SELECT log FROM logs WHERE vehicle = ? AND previous_log = ? AND id <> ? LIMIT 1",
    ...[vehicle, previousLog, id],
  );
  if (other === undefined) return;
  const detail = `logs ${toHex(other.log)} and ${toHex(log)} both follow ${toHex(previousLog)}: a disk that was put back, unless both keep talking`;
  raiseAlarm(sql, nowMs, { vehicle, kind: "successors", detail });
  sql.run(
    "INSERT INTO rivals (vehicle, log, last_branch, turns) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
    ...[vehicle, previousLog, id],
  );
}

type Rivals = { readonly log: Uint8Array; readonly last: number; readonly turns: number };

/** A log was heard of: something new of it is stored. Says whether the car has two logs that follow the same one. */
export function heardOf(sql: Sql, nowMs: number, vehicle: VehicleId, id: number): boolean {
  const rivals = sql.all<Rivals>(
    "SELECT log, last_branch AS last, turns FROM rivals WHERE vehicle = ?",
    vehicle,
  );
  for (const { log, last, turns } of rivals) {
    const branch = branchOf(sql, vehicle, id, log);
    if (branch === undefined || branch === last) continue;
    sql.run(
      "UPDATE rivals SET last_branch = ?, turns = turns + 1 WHERE vehicle = ? AND log = ?",
      ...[branch, vehicle, log],
    );
    if (turns + 1 !== CLONE_TURNS) continue;
    const detail = `two modules go on from log ${toHex(log)}, and both keep talking`;
    raiseAlarm(sql, nowMs, { vehicle, kind: "clone", detail });
  }
  return rivals.length > 0;
}

/** The follower of `parent` that this log is or comes from. */
function branchOf(
  sql: Sql,
  vehicle: VehicleId,
  id: number,
  parent: Uint8Array,
): number | undefined {
  type Row = { readonly id: number; readonly previous: Uint8Array | null };
  let at = sql.get<Row>("SELECT id, previous_log AS previous FROM logs WHERE id = ?", id);
  for (let steps = 0; steps < BRANCH_LOGS_MAX; steps += 1) {
    if (at === undefined || at.previous === null) return undefined;
    if (equalBytes(at.previous, parent)) return at.id;
    at = sql.get<Row>(
      "SELECT id, previous_log AS previous FROM logs WHERE vehicle = ? AND log = ?",
      ...[vehicle, at.previous],
    );
  }
  return undefined;
}
