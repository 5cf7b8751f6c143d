/** The newest event of each kind of many cars: a fleet's state, read as few large values and not as many small rows. */
import {
  equalBytes,
  ProtocolError,
  type StoredEvent,
  toHex,
  type VehicleId,
} from "@kerbside/protocol";
import { type Engine, SEALING } from "./engine.ts";
import { type KeyOf, type NamedLog, storedEvent } from "./events.ts";

/** The most vehicles whose newest state is read at once; it takes some 15 µs each, in which nothing else is done. */
export const LATEST_VEHICLES_MAX = 10_000;

/** Across logs the later log wins, within one the later moment on its boot clock. Throws `malformed` for too many. */
export function latestOf(
  engine: Engine,
  vehicles: readonly VehicleId[],
): ReadonlyMap<VehicleId, readonly StoredEvent[]> {
  if (vehicles.length > LATEST_VEHICLES_MAX)
    throw new ProtocolError("malformed", `vehicles: expected at most ${LATEST_VEHICLES_MAX}`);
  const columns = readColumns(engine, vehicles);
  const found = new Map<VehicleId, StoredEvent[]>();
  if (columns === undefined) return found;
  const key = keysOf(engine, vehicles);
  let events: StoredEvent[] = [];
  let log: NamedLog | undefined;
  for (const row of rowsOf(columns)) {
    if (row.vehicle !== log?.vehicle) {
      events = [];
      found.set(row.vehicle, events);
    }
    // A car's kinds are mostly of one log.
    if (row.vehicle !== log?.vehicle || !equalBytes(row.log, log.bytes))
      log = { vehicle: row.vehicle, bytes: row.log, log: toHex(row.log) };
    events.push(storedEvent(engine, log, row.lane, row, key));
  }
  return found;
}

function keysOf({ keys }: Engine, vehicles: readonly VehicleId[]): KeyOf {
  const [first, ...others] = vehicles;
  if (first !== undefined && others.length === 0) {
    const only = keys.existing(`vehicle:${first}`);
    return () => only;
  }
  const found = keys.existingOf(vehicles.map((vehicle) => `vehicle:${vehicle}` as const));
  return (vehicle) => found.get(`vehicle:${vehicle}`);
}

/** Each a column of all rows: an array in JSON, or bytes one after another. The driver makes each value dearly. */
type Columns = {
  readonly vehicles: string;
  readonly places: string;
  readonly seqs: string;
  readonly times: string;
  readonly lengths: string;
  readonly logs: Uint8Array;
  readonly data: Uint8Array;
};
const LOG_BYTES = 16;
/** Kind, lane and sealing in one number. */
const LANES_MAX = 4;
const SEALINGS_MAX = Object.keys(SEALING).length;

/** Undefined where there are none. */
function readColumns({ store }: Engine, vehicles: readonly VehicleId[]): Columns | undefined {
  const columns = store.one<Columns | { readonly data: null }>(
    `SELECT json_group_array(vehicle) AS vehicles, json_group_array((kind * ${LANES_MAX} + lane) * ${SEALINGS_MAX} + sealed) AS places, ` +
      "json_group_array(seq) AS seqs, json_group_array(at_ms) AS times, json_group_array(length(data)) AS lengths, " +
      "CAST(group_concat(log, '') AS BLOB) AS logs, CAST(group_concat(data, '') AS BLOB) AS data " +
      "FROM (SELECT e.vehicle, e.kind, e.lane, e.sealed, e.seq, e.at_ms, e.data, l.log FROM latest e JOIN logs l ON l.id = e.log_id " +
      "WHERE e.vehicle IN (SELECT value FROM json_each(?)) AND e.newest = 1 ORDER BY e.vehicle, e.kind)",
    JSON.stringify(vehicles),
  );
  return columns === undefined || columns.data === null ? undefined : columns;
}

function* rowsOf({ vehicles, places, seqs, times, lengths, logs, data }: Columns) {
  const named: readonly VehicleId[] = JSON.parse(vehicles);
  const [place, seq, time, length] = [places, seqs, times, lengths].map(
    (column): readonly number[] => JSON.parse(column),
  );
  let at = 0;
  for (const [i, vehicle] of named.entries()) {
    const number = place?.[i] ?? 0;
    const end = at + (length?.[i] ?? 0);
    yield {
      vehicle,
      kind: Math.floor(number / SEALINGS_MAX / LANES_MAX),
      lane: Math.floor(number / SEALINGS_MAX) % LANES_MAX,
      sealed: number % SEALINGS_MAX,
      seq: seq?.[i] ?? 0,
      at_ms: time?.[i] ?? 0,
      log: logs.subarray(i * LOG_BYTES, (i + 1) * LOG_BYTES),
      data: data.subarray(at, end),
    };
    at = end;
  }
  if (at !== data.length || named.length * LOG_BYTES !== logs.length)
    throw new ProtocolError("storage_failed", "latest: its columns are not of one length");
}
