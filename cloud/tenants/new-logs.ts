/**
 * How many logs a car may open. Each boot opens one, so a car that opens one each few seconds is broken, or a thief's: what
 * is above the bound is not taken now, and a person is told. A car that was away for long is done an hour later.
 */
import type { VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { raiseAlarm } from "./engine.ts";

export const NEW_LOGS_SQL = `
ALTER TABLE logs ADD COLUMN opened_at_ms /* Unix time of its opening here #SPI */ INTEGER;
CREATE INDEX logs_opened ON logs (vehicle, opened_at_ms) WHERE opened_at_ms IS NOT NULL;
CREATE INDEX alarms_logs ON alarms (vehicle, at_ms) WHERE kind = 'logs';
`;

export const LOGS_AN_HOUR_MAX = 500;
const HOUR_MS = 3_600_000;

/** Within the caller's transaction. Says whether the car may open one more now; raises an alarm, once an hour, where not. */
export function mayOpen(sql: Sql, nowMs: number, vehicle: VehicleId): boolean {
  const since = nowMs - HOUR_MS;
  const opened = sql.get<{ n: number }>(
    "SELECT count(*) AS n FROM logs WHERE vehicle = ? AND opened_at_ms > ?",
    ...[vehicle, since],
  );
  if ((opened?.n ?? 0) < LOGS_AN_HOUR_MAX) return true;
  const told = sql.get(
    "SELECT 1 FROM alarms WHERE kind = 'logs' AND vehicle = ? AND at_ms > ? LIMIT 1",
    ...[vehicle, since],
  );
  const detail = `${LOGS_AN_HOUR_MAX} logs were opened within an hour: more are not taken for now`;
  if (told === undefined) raiseAlarm(sql, nowMs, { vehicle, kind: "logs", detail });
  return false;
}
