/**
 * The step from rows to chunks that SQL alone cannot take: rows of the track lane are opened and sealed again as chunks,
 * a segment at a time, a few in one transaction. Reading takes both, so a move that is cut off loses nothing and goes on
 * at the next opening. A store whose rows are moved finds that out by one look into an index.
 */
import {
  type CborValue,
  checkColumns,
  decodeCbor,
  encode,
  encodeColumns,
  eventCodec,
  LANES,
  ProtocolError,
  type VehicleId,
} from "@kerbside/protocol";
import { putChunk } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, eventBinding, isPersonal, SEALING } from "./engine.ts";
import type { SubjectKey } from "./subject-keys.ts";

const CHUNKED = LANES.indexOf("track");
/** Segments in one transaction: others wait no longer than that takes. */
const SEGMENTS_AT_ONCE = 32;

type SegmentRow = {
  readonly segment: number;
  readonly lane: number;
  readonly log_id: number;
  readonly vehicle: VehicleId;
  readonly log: Uint8Array;
};
type EventRow = {
  readonly seq: number;
  readonly at_ms: number;
  readonly kind: number;
  readonly sealed: number;
  readonly data: Uint8Array;
};

/** Throws what the store throws; what was moved before stays moved. */
export function moveTrackRows(engine: Engine): void {
  const { store, keys } = engine;
  const logs = store.read((sql) =>
    sql.all<{ id: number }>(
      "SELECT id FROM logs WHERE EXISTS (SELECT 1 FROM events WHERE log_id = logs.id AND lane = ?)",
      CHUNKED,
    ),
  );
  for (const { id } of logs) {
    const key = keyOf(engine, keys, id);
    while (store.write((sql) => moveSome(engine, sql, id, key)) === SEGMENTS_AT_ONCE);
  }
}

function keyOf({ store }: Engine, keys: Engine["keys"], log: number): SubjectKey | undefined {
  const row = store.read((sql) =>
    sql.get<{ vehicle: string }>("SELECT vehicle FROM logs WHERE id = ?", log),
  );
  return row === undefined ? undefined : keys.existing(`vehicle:${row.vehicle}`);
}

/** Answers how many segments it moved. */
function moveSome(engine: Engine, sql: Sql, log: number, key: SubjectKey | undefined): number {
  const segments = sql.all<SegmentRow>(
    "SELECT DISTINCT segment_id AS segment, lane, log_id, vehicle, log FROM events JOIN logs ON logs.id = log_id " +
      "WHERE log_id = ? AND lane = ? LIMIT ?",
    ...[log, CHUNKED, SEGMENTS_AT_ONCE],
  );
  for (const segment of segments) moveOne(engine, sql, segment, key);
  return segments.length;
}

function moveOne(
  engine: Engine,
  sql: Sql,
  { segment, lane, log_id: id, vehicle, log }: SegmentRow,
  key: SubjectKey | undefined,
): void {
  const rows = sql.all<EventRow>(
    "SELECT seq, at_ms, kind, sealed, data FROM events WHERE log_id = ? AND lane = ? AND segment_id = ? ORDER BY seq",
    ...[id, lane, segment],
  );
  const [first] = rows;
  if (first === undefined) return;
  if (rows.some(({ seq }, i) => seq !== first.seq + i))
    throw new ProtocolError("storage_failed", `segment ${segment}: its rows are not contiguous`);
  const times = rows.map((row) => row.at_ms);
  const plain = rows.map((row) => plainEvent(engine, { vehicle, log, lane }, row, key));
  const whole = plain.filter((event) => event !== undefined);
  const isWhole = whole.length === rows.length;
  putChunk(
    engine,
    sql,
    {
      log: { id, vehicle, bytes: log },
      ...{ lane, segment, firstSeq: first.seq },
      // One that arrived after the key was destroyed takes the others along: their key is gone just the same.
      key: isWhole ? key : undefined,
    },
    {
      body: isWhole ? checkColumns(encodeColumns(whole), whole.length).body : new Uint8Array(),
      count: rows.length,
      firstAtMs: Math.min(...times),
      lastAtMs: Math.max(...times),
      kinds: rows.map((row) => row.kind),
      // One without its data is personal, whatever its kind.
      personal: !isWhole || rows.some((row) => isPersonal(row.kind)),
    },
  );
  sql.run(
    "DELETE FROM events WHERE log_id = ? AND lane = ? AND segment_id = ?",
    ...[id, lane, segment],
  );
}

/** The event as a car encodes it, or undefined where its key is gone. A row has kept the moment and no boot clock. */
function plainEvent(
  { tenant }: Engine,
  { vehicle, log, lane }: Pick<SegmentRow, "vehicle" | "log" | "lane">,
  { seq, at_ms, kind, sealed, data }: EventRow,
  key: SubjectKey | undefined,
): Uint8Array | undefined {
  if (sealed === SEALING.erased || (sealed === SEALING.sealed && key === undefined))
    return undefined;
  const bound = eventBinding(tenant, { vehicle, log, lane, seq, kind });
  const plain = sealed === SEALING.sealed && key !== undefined ? key.open(data, bound) : data;
  const value: CborValue = decodeCbor(plain);
  return encode(eventCodec, { bootMs: 0, wallOffsetMs: at_ms, doubtMs: 0, kind, data: value });
}
