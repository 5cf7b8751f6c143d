/**
 * What the segments of one transaction have in common, so that it is looked up or written once for all of them: logs,
 * marks, the newest event of each kind, the span of each log, and who is to hear of it.
 */
import { EVENT_KINDS, ProtocolError, toHex, type VehicleId } from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce, type Engine, SEALING } from "./engine.ts";
import { Tips } from "./marks.ts";
import { tellNewest } from "./newest.ts";
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
  /** Its data, sealed where it is personal; asked for once the transaction has no newer one. */
  readonly sealed: () => SealedData;
};
/** As a row has it: how it is sealed, and the bytes. */
export type SealedData = { readonly sealing: number; readonly data: Uint8Array };

const SAMPLED = EVENT_KINDS["position.sampled"].code;
const WITHHELD = EVENT_KINDS["position.withheld"].code;

type Span = { readonly firstAtMs: number; readonly lastAtMs: number };
type LogSpan = Span & { readonly vehicle: VehicleId };

/** The newest within one log: its boot clock never goes back. The same order as in the statement below. */
function isNewer(one: NewestEvent, other: NewestEvent): boolean {
  return (one.bootMs - other.bootMs || one.lane - other.lane || one.seq - other.seq) > 0;
}

/** The row of a log, made where there is none. */
export function logId(sql: Sql, vehicle: VehicleId, log: Uint8Array): number {
  const known = sql.get<{ id: number }>(
    "SELECT id FROM logs WHERE vehicle = ? AND log = ?",
    ...[vehicle, log],
  );
  if (known !== undefined) return known.id;
  const row = sql.get<{ id: number }>(
    "INSERT INTO logs (vehicle, log) VALUES (?, ?) RETURNING id",
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
  readonly #spans = new Map<number, LogSpan>();
  readonly #reordered = new Set<VehicleId>();
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

  spans(vehicle: VehicleId, log: number, { firstAtMs, lastAtMs }: Span): void {
    const known = this.#spans.get(log);
    this.#spans.set(log, {
      vehicle,
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
    for (const [log, span] of this.#spans) this.#putSpan(log, span);
    for (const event of this.#newest.values()) this.#putNewest(event);
    for (const event of this.#newest.values()) if (event.kind === WITHHELD) this.#withhold(event);
    for (const vehicle of this.#reordered) tellNewest(sql, vehicle);
    for (const vehicle of this.#touched) announce(sql, this.engine.nowMs(), "events", vehicle);
  }

  #putSpan(log: number, { vehicle, firstAtMs, lastAtMs }: LogSpan): void {
    const earlier = this.sql.run(
      "UPDATE logs SET first_at_ms = ? WHERE id = ? AND (first_at_ms IS NULL OR first_at_ms > ?)",
      ...[firstAtMs, log, firstAtMs],
    );
    // By its start a log has its place among the others.
    if (earlier > 0) this.#reordered.add(vehicle);
    this.sql.run(
      "UPDATE logs SET last_at_ms = ? WHERE id = ? AND (last_at_ms IS NULL OR last_at_ms < ?)",
      ...[lastAtMs, log, lastAtMs],
    );
  }

  /** A car whose positions are kept no more is not shown where it last was when they were. */
  #withhold({ vehicle, atMs }: NewestEvent): void {
    this.sql.run(
      "UPDATE latest SET sealed = ?, data = x'' WHERE vehicle = ? AND kind = ? AND sealed = ? AND at_ms <= ?",
      ...[SEALING.erased, vehicle, SAMPLED, SEALING.sealed, atMs],
    );
  }

  #putNewest(event: NewestEvent): void {
    const { vehicle, kind, log, bootMs, lane, seq, atMs } = event;
    const { sealing, data } = event.sealed();
    const newer = this.sql.run(
      "UPDATE latest SET boot_ms = ?, lane = ?, seq = ?, at_ms = ?, sealed = ?, data = ? " +
        "WHERE vehicle = ? AND kind = ? AND log_id = ? AND (boot_ms, lane, seq) < (?, ?, ?)",
      ...[bootMs, lane, seq, atMs, sealing, data],
      ...[vehicle, kind, log, bootMs, lane, seq],
    );
    if (newer > 0) return;
    const added = this.sql.run(
      "INSERT INTO latest (vehicle, kind, log_id, boot_ms, lane, seq, at_ms, sealed, data, newest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
      ...[vehicle, kind, log, bootMs, lane, seq, atMs, sealing, data],
    );
    if (added > 0) this.#reordered.add(vehicle);
  }
}
