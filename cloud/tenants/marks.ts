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
/** A segment as its neighbours know it. */
export type Link = Pick<SegmentHeader, "number" | "previousHash"> & {
  readonly hash: Uint8Array;
  /** Of a gap: the header it took the place of. */
  readonly replaces: Uint8Array | null;
};
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

/** Takes a segment with a number that was not stored before into the marks of its lane. */
export function advance(sql: Sql, logId: number, lane: number, link: Link): void {
  const { number, hash } = link;
  const range = rangesOf(sql, logId, lane);
  const mark = markOf(sql, logId, lane) ?? NO_MARK;
  const before = range("last", number - 1);
  const after = range("first", number + 1);
  const follows = (end: Uint8Array): boolean => followsEnd(sql, logId, lane, link, end);
  const { drop, put } = place(number, hash, {
    mark: number === mark.upTo + 1 && (number === 1 || follows(mark.hash)) ? mark : undefined,
    before: before !== undefined && follows(before.hash) ? before : undefined,
    after: after !== undefined && isNamedBy(sql, logId, lane, link, after) ? after : undefined,
  });
  change(sql, logId, lane, { drop, put });
}

/**
 * Another segment of a number that is stored, which the one after it names: now that one belongs to what is before,
 * where that is what this one follows too.
 */
export function rejoin(sql: Sql, logId: number, lane: number, link: Link): void {
  const { number } = link;
  const range = rangesOf(sql, logId, lane);
  const after = range("first", number + 1);
  if (after === undefined || !isNamedBy(sql, logId, lane, link, after)) return;
  const before = range("last", number);
  const mark = markOf(sql, logId, lane);
  const beside = (end: Uint8Array): boolean =>
    number === 1 || isHash(link.previousHash, rowOf(sql, logId, lane, number, end)?.previous);
  const { to, hash } = after;
  if (mark?.upTo === number && beside(mark.hash)) {
    change(sql, logId, lane, { drop: [after], put: { what: "mark", mark: { upTo: to, hash } } });
  } else if (before !== undefined && (before.from === number || beside(before.hash))) {
    const joined = { from: before.from, to, hash };
    change(sql, logId, lane, { drop: [before, after], put: { what: "range", range: joined } });
  }
}

type Row = {
  readonly hash: Uint8Array;
  readonly previous: Uint8Array;
  readonly replaces: Uint8Array | null;
};
const ROW =
  "SELECT hash, previous_hash AS previous, replaces FROM segments WHERE log_id = ? AND lane = ? AND number = ?";

const isHash = (hash: Uint8Array | null, other: Uint8Array | undefined): boolean =>
  hash !== null && other !== undefined && equalBytes(hash, other);

function rowOf(
  sql: Sql,
  logId: number,
  lane: number,
  number: number,
  hash: Uint8Array,
): Row | undefined {
  return sql.all<Row>(ROW, logId, lane, number).find((row) => equalBytes(row.hash, hash));
}

/** Whether it follows just the segment that a mark or a range before it ends with, and not another of that number. */
function followsEnd(
  sql: Sql,
  logId: number,
  lane: number,
  { number, previousHash }: Link,
  end: Uint8Array,
): boolean {
  if (equalBytes(end, previousHash)) return true;
  return isHash(rowOf(sql, logId, lane, number - 1, end)?.replaces ?? null, previousHash);
}

/** Whether just the segment that this range begins with follows it, and not another of that number. */
function isNamedBy(
  sql: Sql,
  logId: number,
  lane: number,
  { hash, replaces }: Link,
  { from, to, hash: end }: SegmentRange,
): boolean {
  const firsts = sql.all<Row>(ROW, logId, lane, from);
  const previous =
    firsts.length === 1 ? firsts[0]?.previous : firstOf(sql, logId, lane, from, to, end);
  return isHash(hash, previous) || isHash(replaces, previous);
}

/**
 * The most headers that are followed from the end of a range to its start, 2 µs each. A longer range stays by itself: it
 * is acknowledged as it is, and no one message of a car takes longer than a few segments do.
 */
export const CHAIN_STEPS_MAX = 256;

/** From the end of a chain, by index: with the tables the other way round each step would look at the whole lane. */
export const FIRST_OF_SQL: string = `WITH RECURSIVE chain (number, previous) AS (
  SELECT number, previous_hash FROM segments WHERE log_id = ? AND lane = ? AND number = ? AND hash = ?
  UNION
  SELECT s.number, s.previous_hash FROM chain CROSS JOIN segments AS s
  ON s.log_id = ? AND s.lane = ? AND s.number = chain.number - 1 AND chain.previous IN (s.hash, s.replaces)
  WHERE chain.number > ? LIMIT ${CHAIN_STEPS_MAX})
SELECT previous FROM chain WHERE number = ?`;

/**
 * What the first of a range names, where several have its number: found from the range's end, header by header. Those that
 * name the same one are followed once: else a car that declares each gap twice would double the steps with each number.
 * Undefined where that takes too many steps.
 */
function firstOf(
  sql: Sql,
  logId: number,
  lane: number,
  from: number,
  to: number,
  end: Uint8Array,
): Uint8Array | undefined {
  if (to - from >= CHAIN_STEPS_MAX) return undefined;
  const found = sql.get<{ previous: Uint8Array }>(
    FIRST_OF_SQL,
    ...[logId, lane, to, end, logId, lane, from, from],
  );
  return found?.previous;
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
