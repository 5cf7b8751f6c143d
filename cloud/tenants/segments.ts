/** Logs and their segments: the part of the store that ingest writes. */
import {
  decode,
  encode,
  equalBytes,
  LANES,
  type LaneMark,
  type LogOpening,
  type OpenedSegment,
  openingCodec,
  ProtocolError,
  type SegmentHeader,
  type SegmentOutcome,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import { Batch, logId } from "./batch.ts";
import type { Sql } from "./database.ts";
import { type Engine, raiseAlarm } from "./engine.ts";
import { advance, readMarks, rejoin } from "./marks.ts";
import { mayOpen } from "./new-logs.ts";
import { tellNewest } from "./newest.ts";
import { pruneLatest } from "./prune-latest.ts";
import { hasContent, putEvents } from "./put-events.ts";
import { openedBeside } from "./rivals.ts";
import type { SubjectKey } from "./subject-keys.ts";

export function putOpening({ store, nowMs }: Engine, opening: LogOpening): void {
  const encoded = encode(openingCodec, opening);
  const { vehicle, log, previousLog } = opening;
  const isTaken = store.write((sql) => {
    const known = sql.get<{ opening: Uint8Array | null }>(
      "SELECT opening FROM logs WHERE vehicle = ? AND log = ?",
      ...[vehicle, log],
    );
    if (known?.opening) {
      if (equalBytes(known.opening, encoded)) return true;
      throw new ProtocolError("conflict", `opening of log ${toHex(log)}: another one is stored`);
    }
    if (!mayOpen(sql, nowMs(), vehicle)) return false;
    const id = logId(sql, vehicle, log);
    sql.run(
      "UPDATE logs SET opening = ?, previous_log = ?, opened_at_ms = ? WHERE id = ?",
      ...[encoded, previousLog ?? null, nowMs(), id],
    );
    pruneLatest(sql, vehicle);
    tellNewest(sql, vehicle);
    openedBeside(sql, nowMs(), opening, id);
    return true;
  });
  if (!isTaken)
    throw new ProtocolError("limit_reached", "opening: too many logs of this car within an hour");
}

export function readOpening(
  { store }: Engine,
  vehicle: VehicleId,
  log: Uint8Array,
): LogOpening | undefined {
  const row = store.read((sql) =>
    sql.get<{ opening: Uint8Array | null }>(
      "SELECT opening FROM logs WHERE vehicle = ? AND log = ?",
      vehicle,
      log,
    ),
  );
  return row?.opening ? decode(openingCodec, row.opening) : undefined;
}

export function marks({ store }: Engine, vehicle: VehicleId, log: Uint8Array): readonly LaneMark[] {
  return store.read((sql) => {
    const row = sql.get<{ id: number }>(
      "SELECT id FROM logs WHERE vehicle = ? AND log = ?",
      vehicle,
      log,
    );
    return row === undefined ? [] : readMarks(sql, row.id);
  });
}

/** One transaction for all of them: either every outcome holds, or nothing was stored. */
export function commitSegments(
  engine: Engine,
  segments: readonly OpenedSegment[],
): readonly SegmentOutcome[] {
  for (const segment of segments) check(engine, segment);
  const vehicles = new Set(segments.map(({ header }) => header.vehicle));
  const keys = new Map([...vehicles].map((vehicle) => [vehicle, vehicleKey(engine, vehicle)]));
  return engine.store.write((sql) => {
    const batch = new Batch(engine, sql);
    const outcomes = segments.map((segment) => {
      const outcome = commitOne(batch, segment, keys.get(segment.header.vehicle));
      if (outcome !== "duplicate") batch.touch(segment.header.vehicle);
      return outcome;
    });
    batch.end();
    return outcomes;
  });
}

/** Undefined where the key was destroyed: what still comes from that car is kept without its data. */
function vehicleKey({ keys }: Engine, vehicle: VehicleId): SubjectKey | undefined {
  try {
    return keys.key(`vehicle:${vehicle}`);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === "not_found") return undefined;
    throw error;
  }
}

function check({ tenant }: Engine, { header, events, columns }: OpenedSegment): void {
  const whole =
    columns === undefined
      ? events.length === header.count || events.length === 0
      : events.length === 0 && columns.count === header.count;
  if (header.tenant !== tenant || !whole || header.number < 1 || header.firstSeq < 1)
    throw new ProtocolError(
      "malformed",
      `segment ${header.number} of ${header.lane}: expected one of ${tenant} with all its ${header.count} events or none, numbered from 1`,
    );
}

type Known = {
  readonly id: number;
  readonly hash: Uint8Array;
  readonly gone: number;
  /** Of a gap: the header it took the place of, which may arrive all the same. */
  readonly replaces: Uint8Array | null;
};

function isHash(hash: Uint8Array | null | undefined, other: Uint8Array): boolean {
  return hash !== null && hash !== undefined && equalBytes(hash, other);
}

function commitOne(
  batch: Batch,
  segment: OpenedSegment,
  key: SubjectKey | undefined,
): SegmentOutcome {
  const { header, headerHash } = segment;
  const log = batch.logId(header.vehicle, header.log);
  const lane = LANES.indexOf(header.lane);
  if (batch.tips.takeNext(log, lane, header, headerHash)) {
    // All that is stored of a lane is up to its mark or beyond it: this number is new, and follows the one before.
    const id = putSegment(batch, segment, log, lane, false);
    batch.heard(header.vehicle, log);
    putEvents(batch, { segment, log, lane, id, key, current: true });
    return "stored";
  }
  batch.tips.settle(log, lane);
  return commitOutOfOrder(batch, segment, { log, lane, key });
}

type Lane = { readonly log: number; readonly lane: number; readonly key: SubjectKey | undefined };

function commitOutOfOrder(
  batch: Batch,
  segment: OpenedSegment,
  { log, lane, key }: Lane,
): SegmentOutcome {
  const { engine, sql } = batch;
  const { header, headerHash } = segment;
  const known = sql.all<Known>(
    "SELECT id, hash, gone, replaces FROM segments WHERE log_id = ? AND lane = ? AND number = ?",
    log,
    lane,
    header.number,
  );
  // A gap in the place of a segment that is here already: nothing is missing.
  if (known.some((row) => isHash(header.replaces, row.hash))) return "duplicate";
  const same = known.find(
    (row) => equalBytes(row.hash, headerHash) || isHash(row.replaces, headerHash),
  );
  if (same !== undefined) {
    if (same.gone === 0 || !hasContent(segment)) return "duplicate";
    // The car had declared these as gone, and a copy that was under way arrives after all.
    sql.run("UPDATE segments SET gone = 0 WHERE id = ?", same.id);
    putEvents(batch, { segment, log, lane, id: same.id, key, current: known.length === 1 });
    return "stored";
  }
  const fork = known.length > 0;
  const id = putSegment(batch, segment, log, lane, fork);
  batch.heard(header.vehicle, log);
  const { number, previousHash, replaces = null } = header;
  const link = { number, previousHash, hash: headerHash, replaces };
  if (fork) {
    alarm(engine, sql, header, "fork", "has two different headers");
    rejoin(sql, log, lane, link);
  } else {
    const broken = brokenChain(sql, segment, log, lane);
    if (broken !== undefined) alarm(engine, sql, header, "chain", broken);
    advance(sql, log, lane, link);
  }
  putEvents(batch, { segment, log, lane, id, key, current: !fork });
  return fork ? "fork" : "stored";
}

function putSegment(
  { engine: { nowMs }, sql }: Batch,
  segment: OpenedSegment,
  log: number,
  lane: number,
  fork: boolean,
): number {
  const { header, headerHash } = segment;
  const row = sql.get<{ id: number }>(
    "INSERT INTO segments (log_id, lane, number, hash, previous_hash, first_seq, count, gone, fork, stored_at_ms, replaces) " +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    log,
    lane,
    header.number,
    headerHash,
    header.previousHash,
    header.firstSeq,
    header.count,
    hasContent(segment) ? 0 : 1,
    fork ? 1 : 0,
    nowMs(),
    header.replaces ?? null,
  );
  if (row === undefined) throw new ProtocolError("storage_failed", "segment: was not kept");
  return row.id;
}

/** The chain over headers, checked as neighbours meet: until then a segment's place in it is pending. */
function brokenChain(
  sql: Sql,
  { header, headerHash }: OpenedSegment,
  log: number,
  lane: number,
): string | undefined {
  const at = (
    number: number,
  ): readonly Pick<Known & { previous: Uint8Array }, "hash" | "previous" | "replaces">[] =>
    sql.all(
      "SELECT hash, previous_hash AS previous, replaces FROM segments WHERE log_id = ? AND lane = ? AND number = ?",
      log,
      lane,
      number,
    );
  const before = at(header.number - 1);
  const after = at(header.number + 1);
  const follows = (row: Pick<Known, "hash" | "replaces">, previous: Uint8Array): boolean =>
    equalBytes(row.hash, previous) || isHash(row.replaces, previous);
  const here = { hash: headerHash, replaces: header.replaces ?? null };
  if (before.length > 0 && !before.some((row) => follows(row, header.previousHash)))
    return "does not follow the one before it";
  return after.length > 0 && !after.some((row) => follows(here, row.previous))
    ? "is not the one that the next follows"
    : undefined;
}

function alarm(
  { nowMs }: Engine,
  sql: Sql,
  { vehicle, log, lane, number }: SegmentHeader,
  kind: "fork" | "chain",
  words: string,
): void {
  const detail = `log ${toHex(log)}, lane ${lane}, segment ${number}: ${words}`;
  raiseAlarm(sql, nowMs(), { vehicle, kind, detail });
}
