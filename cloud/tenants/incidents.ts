/**
 * What went wrong and what was done when (P-91, P-93), in the platform's store. An incident is told of again when its
 * state changes, within an hour of that, and daily as long as it lasts; it ends with a post-mortem. A breach of personal
 * data is one with deadlines that the law sets and a list of what has to be done.
 */
import { randomUUID } from "node:crypto";
import { type AuditEntry, ProtocolError } from "@kerbside/protocol";
import type { PlatformAudited } from "./anchors.ts";
import type { Database, Sql } from "./database.ts";
import type { ColumnClasses } from "./schema-check.ts";

export const INCIDENTS_SQL = `
CREATE TABLE incidents /* what went wrong */ (
  id /* UUIDv4 */ TEXT PRIMARY KEY,
  kind /* incident or breach */ TEXT NOT NULL,
  title /* in words without personal data */ TEXT NOT NULL,
  opened_at_ms /* Unix time */ INTEGER NOT NULL,
  closed_at_ms /* Unix time */ INTEGER,
  post_mortem /* what was learnt */ TEXT
) STRICT;
CREATE TABLE incident_updates /* what was said and done when, never changed */ (
  incident /* of incidents */ TEXT NOT NULL REFERENCES incidents (id),
  place /* order */ INTEGER NOT NULL,
  at_ms /* Unix time */ INTEGER NOT NULL,
  state /* investigating, identified, monitoring or resolved */ TEXT NOT NULL,
  words /* without personal data */ TEXT NOT NULL,
  PRIMARY KEY (incident, place)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER incident_updates_no_update BEFORE UPDATE ON incident_updates
BEGIN SELECT RAISE(ABORT, 'incident_updates is append-only'); END;
CREATE TRIGGER incident_updates_no_delete BEFORE DELETE ON incident_updates
BEGIN SELECT RAISE(ABORT, 'incident_updates is append-only'); END;
`;
const internal = ["Internal"] as const;
export const INCIDENT_CLASSES: ColumnClasses = {
  incidents: {
    id: internal,
    kind: internal,
    title: internal,
    opened_at_ms: internal,
    closed_at_ms: internal,
    post_mortem: internal,
  },
  incident_updates: {
    incident: internal,
    place: internal,
    at_ms: internal,
    state: internal,
    words: internal,
  },
};

const HOUR_MS = 3_600_000;
/** P-91: when it is told of again after its state changed, and after that. */
export const UPDATE_MS = { first: 3_600_000, later: 86_400_000 } as const;
/** GDPR article 33 (1): the authority within 72 hours; article 34: those concerned without undue delay, here 96. */
export const BREACH_STEPS = [
  { step: "hold", words: "place legal holds on what shows what happened", hours: 4 },
  { step: "contain", words: "revoke, rotate and close what let it happen", hours: 24 },
  { step: "authority", words: "notify the supervisory authority", hours: 72 },
  { step: "tenants", words: "notify the tenants concerned", hours: 72 },
  { step: "people", words: "notify the people concerned, where the risk is high", hours: 96 },
] as const;

export const INCIDENT_STATES = ["investigating", "identified", "monitoring", "resolved"] as const;
export type IncidentState = (typeof INCIDENT_STATES)[number];
export type IncidentUpdate = {
  readonly atMs: number;
  readonly state: IncidentState;
  readonly words: string;
};
export type Incident = {
  readonly id: string;
  readonly kind: "incident" | "breach";
  readonly title: string;
  readonly openedAtMs: number;
  readonly closedAtMs?: number;
  readonly postMortem?: string;
  readonly updates: readonly IncidentUpdate[];
};

/** When it must be told of again; undefined where it is over. Unix time. */
export function updateDueMs({ closedAtMs, updates, openedAtMs }: Incident): number | undefined {
  if (closedAtMs !== undefined) return undefined;
  const last = updates.at(-1);
  if (last === undefined) return openedAtMs + UPDATE_MS.first;
  const changed = updates.at(-2)?.state !== last.state;
  return last.atMs + (changed ? UPDATE_MS.first : UPDATE_MS.later);
}

/** What a breach still asks for: steps that no update begins with, each with its deadline. Unix time. */
export function breachSteps(
  incident: Incident,
): readonly { readonly step: string; readonly words: string; readonly dueMs: number }[] {
  if (incident.kind !== "breach") return [];
  return BREACH_STEPS.filter(
    ({ step }) => !incident.updates.some(({ words }) => words.startsWith(`${step}:`)),
  ).map(({ step, words, hours }) => ({
    step,
    words,
    dueMs: incident.openedAtMs + hours * HOUR_MS,
  }));
}

export type Incidents = {
  readonly open: (kind: Incident["kind"], title: string, audit: AuditEntry) => Incident;
  /** Throws `not_found`, or `conflict` where it is closed. */
  readonly update: (id: string, state: IncidentState, words: string, audit: AuditEntry) => Incident;
  /** Throws `conflict` where it is not resolved, or a breach has steps left. */
  readonly close: (id: string, postMortem: string, audit: AuditEntry) => Incident;
  /** Newest first. */
  readonly list: () => readonly Incident[];
};

type Row = {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly opened_at_ms: number;
  readonly closed_at_ms: number | null;
  readonly post_mortem: string | null;
};

export function incidentTable(
  db: Database,
  audited: PlatformAudited,
  nowMs: () => number,
): Incidents {
  const must = (sql: Sql, id: string): Incident => {
    const row = sql.get<Row>("SELECT * FROM incidents WHERE id = ?", id);
    if (row === undefined) throw new ProtocolError("not_found", "incident: there is none such");
    return incidentOf(sql, row);
  };
  const append = (sql: Sql, id: string, state: IncidentState, words: string): Incident => {
    const { closedAtMs, updates } = must(sql, id);
    if (closedAtMs !== undefined) throw new ProtocolError("conflict", "incident: is closed");
    sql.run(
      "INSERT INTO incident_updates (incident, place, at_ms, state, words) VALUES (?, ?, ?, ?, ?)",
      ...[id, updates.length + 1, nowMs(), state, words],
    );
    return must(sql, id);
  };
  return {
    open: (kind, title, audit) => {
      const id = randomUUID();
      return audited({ ...audit, subject: `incident:${id}` }, (sql) => {
        sql.run(
          "INSERT INTO incidents (id, kind, title, opened_at_ms) VALUES (?, ?, ?, ?)",
          ...[id, kind, title, nowMs()],
        );
        return append(sql, id, "investigating", "it was opened");
      });
    },
    update: (id, state, words, audit) => audited(audit, (sql) => append(sql, id, state, words)),
    close: (id, postMortem, audit) =>
      audited(audit, (sql) => {
        const incident = must(sql, id);
        const left = breachSteps(incident).map(({ step }) => step);
        if (left.length > 0 || incident.updates.at(-1)?.state !== "resolved")
          throw new ProtocolError(
            "conflict",
            `incident: expected it to be resolved${left.length === 0 ? "" : `, and ${left.join(", ")} done`}`,
          );
        sql.run(
          "UPDATE incidents SET closed_at_ms = ?, post_mortem = ? WHERE id = ?",
          ...[nowMs(), postMortem, id],
        );
        return must(sql, id);
      }),
    list: () =>
      db.read((sql) =>
        sql
          .all<Row>("SELECT * FROM incidents ORDER BY opened_at_ms DESC, id")
          .map((row) => incidentOf(sql, row)),
      ),
  };
}

function incidentOf(sql: Sql, row: Row): Incident {
  const { id, title, opened_at_ms: openedAtMs, closed_at_ms, post_mortem } = row;
  return {
    id,
    kind: row.kind === "breach" ? "breach" : "incident",
    title,
    openedAtMs,
    ...(closed_at_ms === null ? {} : { closedAtMs: closed_at_ms }),
    ...(post_mortem === null ? {} : { postMortem: post_mortem }),
    updates: sql.all<IncidentUpdate>(
      "SELECT at_ms AS atMs, state, words FROM incident_updates WHERE incident = ? ORDER BY place",
      id,
    ),
  };
}
