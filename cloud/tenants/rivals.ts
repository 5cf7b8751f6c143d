/**
 * Two logs that follow the same log. A disk that was put back to an older state makes a second follower once, and the
 * first falls silent; a copy of the disk in another module makes one too, and both keep talking. So it is a restored
 * disk until they have been heard of in turns. Either is for a person to look at: no car is revoked by this.
 */
import { type LogOpening, toHex, type VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { raiseAlarm } from "./engine.ts";

/**
 * From this turn on it is a clone. The first may be what was under way as the disk was put back, and the second the
 * car's own going on after it.
 */
const CLONE_TURNS = 3;
/** Boots back to where the branches part; beyond it nothing is said. 3 µs each, for each log that is heard of. */
const BRANCH_LOGS_MAX = 200;
/** Of one car: a person looks at it by then, and a thief who makes more of them is told nothing new. */
export const RIVALS_OF_CAR_MAX = 8;

/** A log was opened: says so, once for each predecessor, where that has another follower. */
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
  const made = sql.run(
    "INSERT INTO rivals (vehicle, log, last_branch, turns) SELECT ?, ?, ?, 0 " +
      "WHERE (SELECT count(*) FROM rivals WHERE vehicle = ?) < ? ON CONFLICT DO NOTHING",
    ...[vehicle, previousLog, id, vehicle, RIVALS_OF_CAR_MAX],
  );
  if (made === 0) return;
  const detail = `logs ${toHex(other.log)} and ${toHex(log)} both follow ${toHex(previousLog)}: a disk that was put back, unless both keep talking`;
  raiseAlarm(sql, nowMs, { vehicle, kind: "successors", detail });
}

type Rivals = { readonly log: Uint8Array; readonly last: number; readonly turns: number };

/** A log was heard of: something new of it is stored. Says whether the car has two logs that follow the same one. */
export function heardOf(sql: Sql, nowMs: number, vehicle: VehicleId, id: number): boolean {
  const rivals = sql.all<Rivals>(
    "SELECT log, last_branch AS last, turns FROM rivals WHERE vehicle = ?",
    vehicle,
  );
  const branches = rivals.length === 0 ? NO_BRANCHES : branchesOf(sql, vehicle, id, rivals);
  for (const { log, last, turns } of rivals) {
    const branch = branches.get(toHex(log));
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

const NO_BRANCHES: ReadonlyMap<string, number> = new Map();

/** By each of these logs that this one comes from, which of its followers it is or comes from: one way back for all. */
function branchesOf(
  sql: Sql,
  vehicle: VehicleId,
  id: number,
  rivals: readonly Rivals[],
): ReadonlyMap<string, number> {
  type Row = { readonly id: number; readonly previous: Uint8Array | null };
  const parents = new Set(rivals.map(({ log }) => toHex(log)));
  const found = new Map<string, number>();
  let at = sql.get<Row>("SELECT id, previous_log AS previous FROM logs WHERE id = ?", id);
  for (let steps = 0; steps < BRANCH_LOGS_MAX && found.size < parents.size; steps += 1) {
    if (at === undefined || at.previous === null) break;
    const previous = toHex(at.previous);
    // The nearest: a cycle, which only a hostile car makes, is gone round in vain.
    if (parents.has(previous) && !found.has(previous)) found.set(previous, at.id);
    at = sql.get<Row>(
      "SELECT id, previous_log AS previous FROM logs WHERE vehicle = ? AND log = ?",
      ...[vehicle, at.previous],
    );
  }
  return found;
}
