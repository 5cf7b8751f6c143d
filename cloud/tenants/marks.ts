/**
 * What is stored of a lane: everything up to a mark, and ranges beyond it. A mark and a range stand for a chain: two
 * neighbours belong together only where the second names the first, because of two cars that claim one log the one would
 * else be told that its own is stored where it was the other's. Each new segment touches at most the mark
 * and its two neighbours, so the cost of one does not grow with the log, and the order of arrival does not matter.
 */
import {
  ACK_RANGES_MAX,
  equalBytes,
  LANES,
  type LaneMark,
  type SegmentHeader,
  type SegmentRange,
  ZERO_HASH,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";

type Mark = { readonly upTo: number; readonly hash: Uint8Array };
/** Whether a segment follows one that is stored, and whether one that is stored follows it. */
export type Links = { readonly follows: boolean; readonly followed: boolean };
/** What the store knows around a number, as far as it belongs together with it. */
export type Neighbours = {
  /** Undefined where the number does not go on from it. */
  readonly mark: Mark | undefined;
  /** The range that ends just before the number. */
  readonly before: SegmentRange | undefined;
  /** The range that begins just after it. */
  readonly after: SegmentRange | undefined;
};
/** Which ranges go, and what takes their place: a new mark, or a new range. */
export type Placement = {
  readonly drop: readonly SegmentRange[];
  readonly put:
    | { readonly what: "mark"; readonly mark: Mark }
    | { readonly what: "range"; readonly range: SegmentRange };
};

/** Where a segment goes that is stored for the first time. Pure. */
export function place(
  number: number,
  hash: Uint8Array,
  { mark, before, after }: Neighbours,
): Placement {
  const end = after ?? { from: number, to: number, hash };
  const drop = [before, after].filter((range) => range !== undefined);
  if (number === (mark?.upTo ?? number) + 1)
    return { drop, put: { what: "mark", mark: { upTo: end.to, hash: end.hash } } };
  const range = { from: before?.from ?? number, to: end.to, hash: end.hash };
  return { drop, put: { what: "range", range } };
}

const NO_MARK: Mark = { upTo: 0, hash: ZERO_HASH };

type RangeRow = { readonly first: number; readonly last: number; readonly hash: Uint8Array };

const rangeOf = (row: RangeRow | undefined): SegmentRange | undefined =>
  row === undefined ? undefined : { from: row.first, to: row.last, hash: row.hash };

type Tip = { readonly logId: number; readonly lane: number; mark: Mark; changed: boolean };

/**
 * Marks that move on within one transaction. Most segments are the very next of their lane, with nothing stored beyond:
 * then nothing need be looked up, and the mark is written once, when the transaction ends.
 */
export class Tips {
  readonly #sql: Sql;
  /** By log and lane; undefined where something is stored beyond the mark. */
  readonly #tips = new Map<string, Tip | undefined>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Takes in a segment that is the very next and follows the one before. Says whether it is; else nothing is changed. */
  takeNext(
    logId: number,
    lane: number,
    { number, previousHash }: Pick<SegmentHeader, "number" | "previousHash">,
    hash: Uint8Array,
  ): boolean {
    const id = `${logId}/${lane}`;
    const tip = this.#tips.has(id) ? this.#tips.get(id) : this.#look(logId, lane);
    this.#tips.set(id, tip);
    const isNext =
      tip !== undefined && number === tip.mark.upTo + 1 && equalBytes(previousHash, tip.mark.hash);
    if (!isNext) return false;
    tip.mark = { upTo: number, hash };
    tip.changed = true;
    return true;
  }

  #look(logId: number, lane: number): Tip | undefined {
    const beyond = this.#sql.get(
      "SELECT 1 FROM ranges WHERE log_id = ? AND lane = ? LIMIT 1",
      ...[logId, lane],
    );
    if (beyond !== undefined) return undefined;
    const mark = markOf(this.#sql, logId, lane) ?? NO_MARK;
    return { logId, lane, mark, changed: false };
  }

  /** Writes what is known here of a lane, so that it may be changed elsewhere. */
  settle(logId: number, lane: number): void {
    const id = `${logId}/${lane}`;
    this.#write(this.#tips.get(id));
    this.#tips.delete(id);
  }

  settleAll(): void {
    for (const tip of this.#tips.values()) this.#write(tip);
    this.#tips.clear();
  }

  #write(tip: Tip | undefined): void {
    if (tip?.changed === true) putMark(this.#sql, tip.logId, tip.lane, tip.mark);
  }
}

function putMark(sql: Sql, logId: number, lane: number, { upTo, hash }: Mark): void {
  sql.run(
    "INSERT INTO marks (log_id, lane, up_to, hash) VALUES (?, ?, ?, ?) " +
      "ON CONFLICT DO UPDATE SET up_to = excluded.up_to, hash = excluded.hash",
    ...[logId, lane, upTo, hash],
  );
}

/** Takes a newly stored segment into the marks of its lane. */
export function advance(
  sql: Sql,
  logId: number,
  lane: number,
  { number, hash }: { readonly number: number; readonly hash: Uint8Array },
  { follows, followed }: Links,
): void {
  const range = rangesOf(sql, logId, lane);
  const { drop, put } = place(number, hash, {
    mark: follows ? (markOf(sql, logId, lane) ?? NO_MARK) : undefined,
    before: follows ? range("last", number - 1) : undefined,
    after: followed ? range("first", number + 1) : undefined,
  });
  change(sql, logId, lane, { drop, put });
}

/** Another segment of a number that is stored, which the one after it names: now that one belongs to what is before. */
export function rejoin(sql: Sql, logId: number, lane: number, number: number): void {
  const range = rangesOf(sql, logId, lane);
  const after = range("first", number + 1);
  const before = range("last", number);
  const mark = markOf(sql, logId, lane);
  if (after === undefined) return;
  const { to, hash } = after;
  if (mark?.upTo === number) {
    change(sql, logId, lane, { drop: [after], put: { what: "mark", mark: { upTo: to, hash } } });
  } else if (before !== undefined) {
    const joined = { from: before.from, to, hash };
    change(sql, logId, lane, { drop: [before, after], put: { what: "range", range: joined } });
  }
}

function rangesOf(
  sql: Sql,
  logId: number,
  lane: number,
): (end: "first" | "last", number: number) => SegmentRange | undefined {
  return (end, number) =>
    rangeOf(
      sql.get<RangeRow>(
        `SELECT first, last, hash FROM ranges WHERE log_id = ? AND lane = ? AND ${end} = ?`,
        ...[logId, lane, number],
      ),
    );
}

function change(sql: Sql, logId: number, lane: number, { drop, put }: Placement): void {
  for (const range of drop)
    sql.run(
      "DELETE FROM ranges WHERE log_id = ? AND lane = ? AND first = ?",
      logId,
      lane,
      range.from,
    );
  if (put.what === "mark") {
    putMark(sql, logId, lane, put.mark);
  } else {
    const { from, to, hash: end } = put.range;
    sql.run("INSERT INTO ranges VALUES (?, ?, ?, ?, ?)", logId, lane, from, to, end);
  }
}

function markOf(sql: Sql, logId: number, lane: number): Mark | undefined {
  return sql.get<{ upTo: number; hash: Uint8Array }>(
    "SELECT up_to AS upTo, hash FROM marks WHERE log_id = ? AND lane = ?",
    logId,
    lane,
  );
}

type MarkRow = Mark & { readonly lane: number };
type LaneRange = RangeRow & { readonly lane: number };

const MARKS = "SELECT lane, up_to AS upTo, hash FROM marks WHERE log_id = ?";
const FORKS: string = ofEachLane(
  (lane) =>
    `SELECT ${lane} AS lane, number AS first, number AS last, hash FROM segments ` +
    `WHERE log_id = ? AND lane = ${lane} AND fork = 1 ORDER BY id DESC LIMIT ${ACK_RANGES_MAX / 2}`,
);
const RANGES: string = ofEachLane(
  (lane) =>
    `SELECT ${lane} AS lane, first, last, hash FROM ranges ` +
    `WHERE log_id = ? AND lane = ${lane} ORDER BY first LIMIT ${ACK_RANGES_MAX}`,
);

/** One statement that asks the same of each lane, with a bound for each. */
function ofEachLane(select: (lane: number) => string): string {
  return LANES.map((_, lane) => `SELECT * FROM (${select(lane)})`).join(" UNION ALL ");
}

/**
 * The marks of all lanes of a log that hold anything. At most 32 ranges a lane, lowest first; the newest forked
 * segments come as ranges of their own, so that each of two cars with one log learns that its own copy is stored.
 */
export function readMarks(sql: Sql, logId: number): readonly LaneMark[] {
  const marks = sql.all<MarkRow>(MARKS, logId);
  const allForks = sql.all<LaneRange>(FORKS, ...LANES.map(() => logId));
  const allRanges = sql.all<LaneRange>(RANGES, ...LANES.map(() => logId));
  return LANES.flatMap((name, lane) => {
    const mark = marks.find((row) => row.lane === lane);
    const forks = allForks.filter((row) => row.lane === lane).reverse();
    const ranges = allRanges
      .filter((row) => row.lane === lane)
      .slice(0, ACK_RANGES_MAX - forks.length);
    if (mark === undefined && ranges.length === 0 && forks.length === 0) return [];
    return {
      lane: name,
      upTo: mark?.upTo ?? 0,
      hash: mark?.hash ?? ZERO_HASH,
      ranges: [...ranges, ...forks].map((row) => ({
        from: row.first,
        to: row.last,
        hash: row.hash,
      })),
    };
  });
}
