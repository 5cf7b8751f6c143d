/**
 * What a tenant does not keep for ever of its cars' events. Segments are numbered in the order in which they came in, so
 * a sweep goes on where the last one ended and stops at the first that is too young; no index is needed, and no car's clock
 * believed. What was sealed together goes together, at the shortest term of what is in it: numbers, kinds and times stay, as
 * where a key was destroyed.
 */
import {
  kindsOfClass,
  ProtocolError,
  RETENTION_NAMES,
  type RetentionClass,
  type RetentionStore,
  retentionTermsOf,
} from "@kerbside/protocol";
import { chunkKinds } from "./chunks.ts";
import type { Sql } from "./database.ts";
import { type Engine, SEALING } from "./engine.ts";
import { heldSubjects } from "./held-subjects.ts";
import { removeEnded } from "./owned-files.ts";
import type { Audited } from "./people-store.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const RETENTION_SQL = `
CREATE TABLE retention /* how long what cars report is kept; a class without a row is kept */ (
  class /* positions or personal */ TEXT PRIMARY KEY,
  days /* since it came in */ INTEGER NOT NULL,
  next_segment /* where the next sweep goes on */ INTEGER NOT NULL,
  held /* cars that a hold kept in the last one, as JSON */ TEXT NOT NULL
) STRICT;
`;
const internal = ["Internal"] as const;
export const RETENTION_TABLE_CLASSES: ColumnClasses = {
  retention: { class: internal, days: internal, next_segment: internal, held: internal },
};

const DAY_MS = 86_400_000;
/** In one transaction: others wait no longer than that takes. */
const SEGMENTS_AT_ONCE = 64;
const NONE_HELD = "[]";
const KINDS = { positions: kindsOfClass("positions"), personal: kindsOfClass("personal") } as const;

type Row = {
  readonly class: RetentionClass;
  readonly days: number;
  readonly next: number;
  readonly held: string;
};
type Segment = {
  readonly id: number;
  readonly log: number;
  readonly lane: number;
  readonly first: number;
  readonly last: number;
  readonly vehicle: string;
};

export function retentionStore(engine: Engine, audited: Audited): RetentionStore {
  const { store } = engine;
  return {
    terms: async () =>
      Object.fromEntries(store.read(readRows).map(({ class: name, days }) => [name, days])),
    setTerms: async (terms, audit) => {
      const { positions, personal } = retentionTermsOf(terms);
      const entry = { ...audit, reason: words({ positions, personal }) };
      audited(entry, (sql) => putTerms(sql, { positions, personal }));
    },
    due: async () => store.read((sql) => countDue(engine, sql)),
    sweep: async () => {
      removeEnded(engine, audited);
      let count = 0;
      for (const name of RETENTION_NAMES) {
        for (;;) {
          const step = store.read((sql) => nextStep(engine, sql, name));
          if (step === undefined) break;
          count += take(engine, audited, name, step);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      return count;
    },
  };
}

function words(terms: Readonly<Record<RetentionClass, number | undefined>>): string {
  return RETENTION_NAMES.map((name) => `${name} ${terms[name] ?? "for ever"}`).join(", ");
}

function putTerms(sql: Sql, terms: Readonly<Record<RetentionClass, number | undefined>>): void {
  for (const name of RETENTION_NAMES) {
    const days = terms[name];
    if (days === undefined) sql.run("DELETE FROM retention WHERE class = ?", name);
    else
      sql.run(
        "INSERT INTO retention (class, days, next_segment, held) VALUES (?, ?, 1, ?) ON CONFLICT (class) DO UPDATE SET days = excluded.days",
        ...[name, days, NONE_HELD],
      );
  }
}

function readRows(sql: Sql): readonly Row[] {
  return sql.all<Row>("SELECT class, days, next_segment AS next, held FROM retention");
}

/** Cars that an open hold names, as text that changes with them. */
function heldCars(engine: Engine, sql: Sql): string {
  const cars = [...heldSubjects(engine, sql)].filter((subject) => subject.startsWith("vehicle:"));
  return JSON.stringify(cars.sort());
}

type Step = {
  readonly held: string;
  /** Old enough, at most `SEGMENTS_AT_ONCE`, in order. */
  readonly segments: readonly Segment[];
  /** Those of which something is to go. */
  readonly due: readonly Segment[];
};

/** Undefined where there is nothing more to look at. */
function nextStep(engine: Engine, sql: Sql, name: RetentionClass): Step | undefined {
  const row = readRows(sql).find((each) => each.class === name);
  if (row === undefined) return undefined;
  const held = heldCars(engine, sql);
  // Where a hold ended, what it kept is behind: it is looked at once more from the beginning.
  const from = held === row.held ? row.next : 1;
  const segments = oldSegments(engine, sql, from, row.days);
  if (segments.length === 0) return held === row.held ? undefined : { held, segments, due: [] };
  return { held, segments, due: segments.filter((one) => isDue(sql, name, held, one)) };
}

function oldSegments({ nowMs }: Engine, sql: Sql, from: number, days: number): readonly Segment[] {
  const rows = sql.all<Segment & { readonly storedAtMs: number }>(
    "SELECT s.id, s.log_id AS log, s.lane, s.first_seq AS first, s.first_seq + s.count - 1 AS last, s.stored_at_ms AS storedAtMs, l.vehicle " +
      "FROM segments s JOIN logs l ON l.id = s.log_id WHERE s.id >= ? ORDER BY s.id LIMIT ?",
    ...[from, SEGMENTS_AT_ONCE],
  );
  const young = rows.findIndex(({ storedAtMs }) => storedAtMs > nowMs() - days * DAY_MS);
  return young < 0 ? rows : rows.slice(0, young);
}

const PLACE = "log_id = ? AND lane = ? AND seq BETWEEN ? AND ?";
const placeOf = ({ log, lane, first, last }: Segment) => [log, lane, first, last] as const;

/** Whether it still holds something of this class that is sealed, and no hold keeps it. */
function isDue(sql: Sql, name: RetentionClass, held: string, segment: Segment): boolean {
  if (held !== NONE_HELD && JSON.parse(held).includes(`vehicle:${segment.vehicle}`)) return false;
  const chunk = sql.get<{ readonly kinds: Uint8Array; readonly count: number }>(
    "SELECT kinds, count FROM chunks WHERE segment_id = ? AND sealed = ?",
    ...[segment.id, SEALING.sealed],
  );
  if (chunk !== undefined)
    return chunkKinds(chunk.kinds, chunk.count).some((kind) => KINDS[name].has(kind));
  return sql
    .all<{ readonly kind: number }>(
      `SELECT DISTINCT kind FROM events WHERE ${PLACE} AND segment_id = ? AND sealed IN (?, ?)`,
      ...placeOf(segment),
      ...[segment.id, SEALING.sealed, SEALING.together],
    )
    .some(({ kind }) => KINDS[name].has(kind));
}

/** Answers how many segments lost something. What another process did meanwhile is done already, and does no harm. */
function take(
  engine: Engine,
  audited: Audited,
  name: RetentionClass,
  { held, segments, due }: Step,
): number {
  const next = (segments.at(-1)?.id ?? 0) + 1;
  const goOn = (sql: Sql): void =>
    void sql.run(
      "UPDATE retention SET next_segment = ?, held = ? WHERE class = ?",
      ...[next, held, name],
    );
  const [first, last] = [due[0], due.at(-1)];
  if (first === undefined || last === undefined) {
    engine.store.write(goOn);
    return 0;
  }
  const subject = `tenant:${engine.tenant}`;
  const reason = `${name}: ${due.length} segments from ${first.id} to ${last.id}`;
  audited(
    { actor: "kerbside", action: "retention.sweep", subject, outcome: "done", reason },
    (sql) => {
      if (heldCars(engine, sql) !== held)
        throw new ProtocolError("conflict", "retention: a hold came in between");
      for (const segment of due) letGo(sql, segment);
      goOn(sql);
    },
  );
  return due.length;
}

/** All of a segment that is sealed, and what was made of it. */
function letGo(sql: Sql, segment: Segment): void {
  const place = placeOf(segment);
  const gone = `SET sealed = ${SEALING.erased}, data = x''`;
  sql.run(
    `UPDATE chunks ${gone} WHERE segment_id = ? AND sealed = ?`,
    ...[segment.id, SEALING.sealed],
  );
  sql.run(
    `UPDATE events ${gone} WHERE ${PLACE} AND segment_id = ? AND sealed IN (?, ?)`,
    ...place,
    ...[segment.id, SEALING.sealed, SEALING.together],
  );
  sql.run("DELETE FROM row_seals WHERE segment_id = ?", segment.id);
  sql.run(
    `UPDATE trips ${gone} WHERE ${PLACE} AND sealed IN (?, ?)`,
    ...place,
    ...[SEALING.sealed, SEALING.together],
  );
  // What is a car's newest of its kind is no history: the next rental finds the car by it.
  sql.run(
    `UPDATE latest ${gone} WHERE vehicle = ? AND ${PLACE} AND sealed = ? AND newest = 0`,
    ...[segment.vehicle, ...place, SEALING.sealed],
  );
}

/** By steps of the sweep, without taking any. */
function countDue(engine: Engine, sql: Sql): number {
  const held = heldCars(engine, sql);
  const due = new Set<number>();
  for (const row of readRows(sql)) {
    let from = held === row.held ? row.next : 1;
    for (;;) {
      const segments = oldSegments(engine, sql, from, row.days);
      const last = segments.at(-1);
      if (last === undefined) break;
      for (const one of segments) if (isDue(sql, row.class, held, one)) due.add(one.id);
      from = last.id + 1;
    }
  }
  return due.size;
}
