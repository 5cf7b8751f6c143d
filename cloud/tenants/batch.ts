/**
 * What the segments of one transaction have in common, so that it is looked up or written once for all of them: logs,
 * marks, the newest event of each kind, the span of each log, and who is to hear of it.
 */
import { ProtocolError, toHex, type VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce, type Engine } from "./engine.ts";
import { Tips } from "./marks.ts";
import { heardOf } from "./rivals.ts";

/** As a row of `latest` has it. */
export type NewestEvent = {
  readonly vehicle: VehicleId;
  readonly log: number;
  readonly lane: number;
  readonly kind: number;
  readonly bootMs: number;
  readonly seq: number;
  readonly atMs: number;
  readonly sealing: number;
  readonly data: Uint8Array;
};

type Span = { readonly firstAtMs: number; readonly lastAtMs: number };

/** The newest within one log: its boot clock never goes back. The same order as in the statement below. */
function isNewer(one: NewestEvent, other: NewestEvent): boolean {
  return (one.bootMs - other.bootMs || one.lane - other.lane || one.seq - other.seq) > 0;
}

/** The row of a log, made where there is none. */
export function logId(sql: Sql, vehicle: VehicleId, log: Uint8Array): number {
  sql.run("INSERT INTO logs (vehicle, log) VALUES (?, ?) ON CONFLICT DO NOTHING", vehicle, log);
  const row = sql.get<{ id: number }>(
    "SELECT id FROM logs WHERE vehicle = ? AND log = ?",
    ...[vehicle, log],
  );
  if (row === undefined) throw new ProtocolError("storage_failed", "log: was not kept");
  return row.id;
}

export class Batch {
  readonly engine: Engine;
  readonly sql: Sql;
  readonly tips: Tips;
  readonly #logs = new Map<string, number>();
  readonly #newest = new Map<string, NewestEvent>();
  readonly #spans = new Map<number, Span>();
  readonly #touched = new Set<VehicleId>();
  readonly #single = new Set<VehicleId>();

  constructor(engine: Engine, sql: Sql) {
    this.engine = engine;
    this.sql = sql;
    this.tips = new Tips(sql);
  }

  logId(vehicle: VehicleId, log: Uint8Array): number {
    const name = `${vehicle}/${toHex(log)}`;
    const id = this.#logs.get(name) ?? logId(this.sql, vehicle, log);
    this.#logs.set(name, id);
    return id;
  }

  /** Something of this car is stored that was not before. */
  touch(vehicle: VehicleId): void {
    this.#touched.add(vehicle);
  }

  /** A log was heard of. A car of which no two logs follow the same one is not looked at twice. */
  heard(vehicle: VehicleId, log: number): void {
    if (this.#single.has(vehicle)) return;
    if (!heardOf(this.sql, this.engine.nowMs(), vehicle, log)) this.#single.add(vehicle);
  }

  spans(log: number, { firstAtMs, lastAtMs }: Span): void {
    const known = this.#spans.get(log);
    this.#spans.set(log, {
      firstAtMs: Math.min(firstAtMs, known?.firstAtMs ?? firstAtMs),
      lastAtMs: Math.max(lastAtMs, known?.lastAtMs ?? lastAtMs),
    });
  }

  newest(event: NewestEvent): void {
    const name = `${event.vehicle}/${event.kind}/${event.log}`;
    const known = this.#newest.get(name);
    if (known === undefined || isNewer(event, known)) this.#newest.set(name, event);
  }

  /** Writes what was gathered; the last thing in the transaction. */
  end(): void {
    const { sql } = this;
    this.tips.settleAll();
    for (const [log, { firstAtMs, lastAtMs }] of this.#spans)
      sql.run(
        "UPDATE logs SET first_at_ms = min(coalesce(first_at_ms, ?), ?), last_at_ms = max(coalesce(last_at_ms, ?), ?) WHERE id = ?",
        ...[firstAtMs, firstAtMs, lastAtMs, lastAtMs, log],
      );
    for (const {
      vehicle,
      kind,
      log,
      bootMs,
      lane,
      seq,
      atMs,
      sealing,
      data,
    } of this.#newest.values())
      sql.run(
        "INSERT INTO latest (vehicle, kind, log_id, boot_ms, lane, seq, at_ms, sealed, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) " +
          "ON CONFLICT DO UPDATE SET boot_ms = excluded.boot_ms, lane = excluded.lane, seq = excluded.seq, " +
          "at_ms = excluded.at_ms, sealed = excluded.sealed, data = excluded.data " +
          "WHERE (excluded.boot_ms, excluded.lane, excluded.seq) > (latest.boot_ms, latest.lane, latest.seq)",
        ...[vehicle, kind, log, bootMs, lane, seq, atMs, sealing, data],
      );
    for (const vehicle of this.#touched) announce(sql, this.engine.nowMs(), "events", vehicle);
  }
}
