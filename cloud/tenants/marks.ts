/**
 * What is stored of a lane: everything up to a mark, and ranges beyond it. Each new segment touches at most the mark
 * and its two neighbours, so the cost of one does not grow with the log, and the order of arrival does not matter.
 */
import {
  ACK_RANGES_MAX,
  LANES,
  type LaneMark,
  type SegmentRange,
  ZERO_HASH,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";

type Mark = { readonly upTo: number; readonly hash: Uint8Array };
/** What the store knows around a number. */
export type Neighbours = {
  readonly mark: Mark;
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
  if (number === mark.upTo + 1)
    return { drop, put: { what: "mark", mark: { upTo: end.to, hash: end.hash } } };
  const range = { from: before?.from ?? number, to: end.to, hash: end.hash };
  return { drop, put: { what: "range", range } };
}

type RangeRow = { readonly first: number; readonly last: number; readonly hash: Uint8Array };

const rangeOf = (row: RangeRow | undefined): SegmentRange | undefined =>
  row === undefined ? undefined : { from: row.first, to: row.last, hash: row.hash };

/** Takes a newly stored segment into the marks of its lane. */
export function advance(
  sql: Sql,
  logId: number,
  lane: number,
  number: number,
  hash: Uint8Array,
): void {
  const select = "SELECT first, last, hash FROM ranges WHERE log_id = ? AND lane = ? AND";
  const before = sql.get<RangeRow>(`${select} last = ?`, logId, lane, number - 1);
  const after = sql.get<RangeRow>(`${select} first = ?`, logId, lane, number + 1);
  const mark = markOf(sql, logId, lane) ?? { upTo: 0, hash: ZERO_HASH };
  const { drop, put } = place(number, hash, {
    mark,
    before: rangeOf(before),
    after: rangeOf(after),
  });
  for (const range of drop)
    sql.run(
      "DELETE FROM ranges WHERE log_id = ? AND lane = ? AND first = ?",
      logId,
      lane,
      range.from,
    );
  if (put.what === "mark") {
    sql.run(
      "INSERT INTO marks (log_id, lane, up_to, hash) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET up_to = excluded.up_to, hash = excluded.hash",
      logId,
      lane,
      put.mark.upTo,
      put.mark.hash,
    );
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

/**
 * The marks of all lanes of a log that hold anything. At most 32 ranges a lane, lowest first; the newest forked
 * segments come as ranges of their own, so that each of two cars with one log learns that its own copy is stored.
 */
export function readMarks(sql: Sql, logId: number): readonly LaneMark[] {
  return LANES.flatMap((name, lane) => {
    const mark = markOf(sql, logId, lane);
    const forks = sql
      .all<RangeRow>(
        "SELECT number AS first, number AS last, hash FROM segments WHERE log_id = ? AND lane = ? AND fork = 1 ORDER BY id DESC LIMIT ?",
        logId,
        lane,
        ACK_RANGES_MAX / 2,
      )
      .reverse();
    const ranges = sql.all<RangeRow>(
      "SELECT first, last, hash FROM ranges WHERE log_id = ? AND lane = ? ORDER BY first LIMIT ?",
      logId,
      lane,
      ACK_RANGES_MAX - forks.length,
    );
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
