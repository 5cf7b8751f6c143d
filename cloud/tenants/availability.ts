/**
 * Which parts of the platform were there, day by day, and when that changed (P-91), in the platform's store. Time in which
 * nobody looked counts as away: a service that is off cannot say that it is.
 */
import type { Database, Sql } from "./database.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const AVAILABILITY_SQL = `
CREATE TABLE availability /* seconds of each part by day */ (
  part /* of the platform */ TEXT NOT NULL,
  day /* ISO 8601, UTC */ TEXT NOT NULL,
  up_ms /* there */ INTEGER NOT NULL,
  down_ms /* away, or nobody looked */ INTEGER NOT NULL,
  PRIMARY KEY (part, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE availability_changes /* when a part came or went */ (
  id /* rises */ INTEGER PRIMARY KEY AUTOINCREMENT,
  part /* of the platform */ TEXT NOT NULL,
  at_ms /* Unix time */ INTEGER NOT NULL,
  up /* 1: it came, 0: it went */ INTEGER NOT NULL
) STRICT;
CREATE INDEX availability_changes_part ON availability_changes (part, id);
CREATE TABLE availability_seen /* when somebody looked last; one row at most */ (
  id /* 1 */ INTEGER PRIMARY KEY CHECK (id = 1),
  at_ms /* Unix time */ INTEGER NOT NULL
) STRICT;
`;
const internal = ["Internal"] as const;
export const AVAILABILITY_CLASSES: ColumnClasses = {
  availability: { part: internal, day: internal, up_ms: internal, down_ms: internal },
  availability_changes: { id: internal, part: internal, at_ms: internal, up: internal },
  availability_seen: { id: internal, at_ms: internal },
};

const DAY_MS = 86_400_000;
/** Kept so long. */
export const AVAILABILITY_DAYS = 400;
/** The most changes that are kept. */
const CHANGES_MAX = 10_000;

export type PartDay = { readonly day: string; readonly upMs: number; readonly downMs: number };
export type PartChange = { readonly part: string; readonly atMs: number; readonly up: boolean };
export type Availability = {
  /** What was found of each part just now; `freshMs`: how far back a look before it still counts. */
  readonly saw: (parts: ReadonlyMap<string, boolean>, freshMs: number) => void;
  /** Oldest first. */
  readonly days: (part: string, days: number) => readonly PartDay[];
  /** Newest first. */
  readonly changes: (limit: number) => readonly PartChange[];
};

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The time from one moment to another, cut at midnight. */
function* spans(fromMs: number, toMs: number): Generator<{ day: string; ms: number }> {
  for (let at = fromMs; at < toMs; ) {
    const end = Math.min(toMs, (Math.floor(at / DAY_MS) + 1) * DAY_MS);
    yield { day: dayOf(at), ms: end - at };
    at = end;
  }
}

export function availabilityTable(db: Database, nowMs: () => number): Availability {
  return {
    saw: (parts, freshMs) =>
      db.write((sql) => {
        const now = nowMs();
        const seen = sql.get<{ at_ms: number }>("SELECT at_ms FROM availability_seen")?.at_ms;
        // A clock that was set back, or no look before: nothing is known of the time before.
        const since = Math.min(now, Math.max(seen ?? now, now - AVAILABILITY_DAYS * DAY_MS));
        for (const [part, up] of parts) {
          const before = lastOf(sql, part);
          if (before !== up) change(sql, part, now, up);
          const wasUp = now - since <= freshMs && before === true;
          for (const span of spans(since, now)) add(sql, part, span, wasUp);
        }
        sql.run(
          "INSERT INTO availability_seen (id, at_ms) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms",
          now,
        );
        sql.run("DELETE FROM availability WHERE day < ?", dayOf(now - AVAILABILITY_DAYS * DAY_MS));
      }),
    days: (part, days) =>
      db.read((sql) =>
        sql.all<PartDay>(
          "SELECT day, up_ms AS upMs, down_ms AS downMs FROM availability WHERE part = ? AND day > ? ORDER BY day",
          part,
          dayOf(nowMs() - days * DAY_MS),
        ),
      ),
    changes: (limit) =>
      db.read((sql) =>
        sql
          .all<{ part: string; atMs: number; up: number }>(
            "SELECT part, at_ms AS atMs, up FROM availability_changes ORDER BY id DESC LIMIT ?",
            limit,
          )
          .map(({ up, ...rest }) => ({ ...rest, up: up === 1 })),
      ),
  };
}

function lastOf(sql: Sql, part: string): boolean | undefined {
  const row = sql.get<{ up: number }>(
    "SELECT up FROM availability_changes WHERE part = ? ORDER BY id DESC LIMIT 1",
    part,
  );
  return row === undefined ? undefined : row.up === 1;
}

function change(sql: Sql, part: string, atMs: number, up: boolean): void {
  sql.run(
    "INSERT INTO availability_changes (part, at_ms, up) VALUES (?, ?, ?)",
    ...[part, atMs, up ? 1 : 0],
  );
  sql.run(
    "DELETE FROM availability_changes WHERE id <= (SELECT max(id) FROM availability_changes) - ?",
    CHANGES_MAX,
  );
}

function add(sql: Sql, part: string, { day, ms }: { day: string; ms: number }, up: boolean): void {
  sql.run(
    "INSERT INTO availability (part, day, up_ms, down_ms) VALUES (?, ?, ?, ?) ON CONFLICT (part, day) DO UPDATE SET up_ms = up_ms + excluded.up_ms, down_ms = down_ms + excluded.down_ms",
    ...[part, day, up ? ms : 0, up ? 0 : ms],
  );
}
