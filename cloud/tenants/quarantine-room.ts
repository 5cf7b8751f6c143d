/**
 * How much room the quarantine has. What the car still has, or nobody signed, gives way to what comes later. What the car
 * was told to forget gives way to nothing: where there is no room for one more the car keeps it, and a person is told.
 */
import type { VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { raiseAlarm } from "./engine.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const QUARANTINE_ROOM_SQL = `
ALTER TABLE quarantine ADD COLUMN only_copy /* 1: the car was told to forget it, so it never gives way */ INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN digest /* of what it is: the same is kept once */ BLOB;
UPDATE quarantine SET only_copy = 1 WHERE topic LIKE 'kb/v1/%/up/%';
CREATE UNIQUE INDEX quarantine_digest ON quarantine (vehicle, digest) WHERE digest IS NOT NULL;
CREATE INDEX quarantine_only ON quarantine (vehicle) WHERE only_copy = 1;
CREATE INDEX quarantine_others ON quarantine (id) WHERE only_copy = 0;
CREATE INDEX alarms_quarantine ON alarms (at_ms) WHERE kind = 'quarantine';
`;
const internal = ["Internal"] as const;
export const QUARANTINE_ROOM_CLASSES: ColumnClasses[string] = {
  only_copy: internal,
  digest: internal,
};

/** The most messages of which cars have copies, or nobody; the oldest give way. */
export const QUARANTINE_MAX = 1000;
/** The most of which no car has a copy: 2.6 GB of the longest, of usual ones some 100 MB. And of one car. */
export const ONLY_COPIES_MAX = 10_000;
export const ONLY_COPIES_OF_CAR_MAX = 1000;
const ALARM_EVERY_MS = 3_600_000;

/** Says whether there is room for one more of which the car will have no copy; raises an alarm, once an hour, where not. */
export function hasRoom(sql: Sql, nowMs: number, vehicle: VehicleId): boolean {
  const count = (where: string, ...values: readonly string[]): number =>
    sql.get<{ n: number }>(
      `SELECT count(*) AS n FROM quarantine WHERE only_copy = 1${where}`,
      ...values,
    )?.n ?? 0;
  const isFull = count("") >= ONLY_COPIES_MAX;
  if (!isFull && count(" AND vehicle = ?", vehicle) < ONLY_COPIES_OF_CAR_MAX) return true;
  const told = sql.get(
    "SELECT 1 FROM alarms WHERE kind = 'quarantine' AND at_ms > ? LIMIT 1",
    nowMs - ALARM_EVERY_MS,
  );
  const whose = isFull ? "the tenant's" : "this car's";
  const detail = `${whose} segments that cannot be read have no more room: cars keep what comes`;
  if (told === undefined) raiseAlarm(sql, nowMs, { vehicle, kind: "quarantine", detail });
  return false;
}

/** Says how many gave way. */
export function makeRoom(sql: Sql): number {
  return sql.run(
    "DELETE FROM quarantine WHERE only_copy = 0 AND id <= " +
      "(SELECT id FROM quarantine WHERE only_copy = 0 ORDER BY id DESC LIMIT 1 OFFSET ?)",
    QUARANTINE_MAX,
  );
}
