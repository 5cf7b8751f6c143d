/** Looking at what is held without a key: lane by lane and log by log, whether numbers, hashes and signatures agree. */
import {
  equalBytes,
  headerHash,
  LANES,
  type Lane,
  openHeader,
  ProtocolError,
  sha256,
  toHex,
  type VerifyKey,
  ZERO_HASH,
} from "@kerbside/protocol";
import { openForReading } from "./database.ts";
import { bodyOf } from "./outgoing.ts";
import { NUMBER_MAX, placeKey, placeOf } from "./place.ts";
import {
  type LogRecord,
  prepare,
  SEGMENT_STATE,
  type SegmentRecord,
  type Statements,
} from "./statements.ts";

/** What is held of a lane of a log. `first` and `last` are sequence numbers; both 0 where only gaps are held. */
export type LaneReport = {
  readonly lane: Lane;
  /** Hexadecimal. */
  readonly log: string;
  readonly first: number;
  readonly last: number;
  /** Events held. */
  readonly count: number;
  /** Numbers that are declared as gone, inclusive. */
  readonly gaps: readonly (readonly [from: number, to: number])[];
  readonly chain: "ok" | "broken";
  /** What is wrong, for people. */
  readonly problem?: string;
  readonly segments: number;
  readonly bytes: number;
  /** By trusted time, in Unix milliseconds: since then at the latest the oldest of it is held. Absent where not known. */
  readonly heldSinceMs?: number;
};

/**
 * Reads the buffer in `dir` as it is now, also beside a running agent. Throws ProtocolError `not_found` where there is
 * none, `conflict` where it cannot be read as one.
 */
export function inspectBuffer(dir: string, vehicleKey: VerifyKey): readonly LaneReport[] {
  const db = openForReading(dir);
  try {
    const statements = prepare(db);
    // One transaction: a running agent goes on meanwhile, and is seen at one moment.
    return db.transaction(() =>
      statements.logs
        .all()
        .flatMap((log) => LANES.map((lane) => inspectLane(statements, vehicleKey, log, lane)))
        .filter(({ count, gaps, segments }) => count > 0 || gaps.length > 0 || segments > 0),
    )();
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ProtocolError("conflict", `buffer: cannot be read (${reason})`, { cause: error });
  } finally {
    db.close();
  }
}

type Walk = {
  first: number;
  last: number;
  count: number;
  segments: number;
  bytes: number;
  readonly gaps: [number, number][];
  problem: string | undefined;
};

function inspectLane(
  statements: Statements,
  vehicleKey: VerifyKey,
  { slot, log }: LogRecord,
  lane: Lane,
): LaneReport {
  const walk: Walk = {
    first: 0,
    last: 0,
    count: 0,
    segments: 0,
    bytes: 0,
    gaps: [],
    problem: undefined,
  };
  const records = statements.segments.all(
    placeKey(lane, slot, 0),
    placeKey(lane, slot, NUMBER_MAX),
  );
  let before: SegmentRecord | undefined;
  for (const record of records) {
    walk.problem ??= linkProblem(record, before) ?? contentProblem(statements, vehicleKey, record);
    countSegment(walk, record);
    before = record;
  }
  const end = statements.lane.get(slot, LANES.indexOf(lane));
  walk.problem ??= endProblem(before, end?.hash);
  countOpen(statements, walk, lane, slot, end?.seq ?? 0);
  const { problem, ...rest } = walk;
  const chain = problem === undefined ? "ok" : "broken";
  const range = [placeKey(lane, slot, 0), placeKey(lane, slot, NUMBER_MAX)] as const;
  const since = statements.firstMark.get(...range)?.at_ms;
  return {
    ...{ lane, log: toHex(log), ...rest, chain },
    ...(problem === undefined ? {} : { problem }),
    ...(since === undefined ? {} : { heldSinceMs: since }),
  };
}

function linkProblem(record: SegmentRecord, before: SegmentRecord | undefined): string | undefined {
  const { number } = placeOf(record.place);
  if (before === undefined) return undefined;
  if (placeOf(before.place).number !== number - 1) return `segment ${number - 1} is missing`;
  if (before.first + before.count !== record.first) return `segment ${number} begins elsewhere`;
  return undefined;
}

/** What is wrong with a segment itself, including that it does not name the one before. */
function contentProblem(
  statements: Statements,
  vehicleKey: VerifyKey,
  record: SegmentRecord,
): string | undefined {
  if (record.state === SEGMENT_STATE.stored) return undefined;
  const { number } = placeOf(record.place);
  try {
    const header = openHeader(vehicleKey, record.header);
    const same = header.number === number && header.count === record.count;
    if (!same || header.firstSeq !== record.first) return `segment ${number}: another's header`;
    if (!equalBytes(headerHash(record.header), record.hash)) return `segment ${number}: hash`;
    if (!equalBytes(sha256(bodyOf(statements, record)), header.bodyHash))
      return `segment ${number}: its events do not match its header`;
    const before = statements.segment.get(record.place - 1);
    const named = header.previousHash;
    if (number === 1 && !equalBytes(named, ZERO_HASH)) return "segment 1: follows something";
    if (before === undefined || number === 1) return undefined;
    const follows =
      equalBytes(before.hash, named) || equalBytes(before.replaced ?? ZERO_HASH, named);
    return follows ? undefined : `segment ${number}: does not follow the one before`;
  } catch (error) {
    if (error instanceof ProtocolError) return `segment ${number}: ${error.message}`;
    throw error;
  }
}

function endProblem(
  last: SegmentRecord | undefined,
  endHash: Uint8Array | undefined,
): string | undefined {
  if (last === undefined) return undefined;
  if (endHash === undefined) return "the end of the lane is missing";
  const fits = equalBytes(last.hash, endHash) || equalBytes(last.replaced ?? ZERO_HASH, endHash);
  return fits ? undefined : "the last segments are missing";
}

function countSegment(walk: Walk, record: SegmentRecord): void {
  walk.segments += 1;
  walk.bytes += record.bytes;
  if (record.state === SEGMENT_STATE.stored) return;
  const last = record.first + record.count - 1;
  const gap = record.replaced !== null || record.body?.length === 0;
  if (gap) {
    const open = walk.gaps.at(-1);
    if (open !== undefined && open[1] === record.first - 1) open[1] = last;
    else walk.gaps.push([record.first, last]);
    return;
  }
  if (walk.count === 0) walk.first = record.first;
  walk.count += record.count;
  walk.last = last;
}

/** Rows that no segment speaks of yet. */
function countOpen(
  statements: Statements,
  walk: Walk,
  lane: Lane,
  slot: number,
  endSeq: number,
): void {
  const rows = statements.rows.iterate(
    placeKey(lane, slot, endSeq + 1),
    placeKey(lane, slot, NUMBER_MAX),
  );
  let next = endSeq + 1;
  for (const { place, sealed } of rows) {
    const seq = placeOf(place).number;
    if (seq !== next) walk.problem ??= `event ${next} is missing`;
    next = seq + 1;
    if (walk.count === 0) walk.first = seq;
    walk.count += 1;
    walk.last = seq;
    walk.bytes += sealed.length;
  }
}
