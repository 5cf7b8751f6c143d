/** Tickets and requests for access as rows. The rules are the protocol's; each step and each use is audited with it. */
import {
  ACCESS_KINDS,
  type AccessKind,
  type AccessRequest,
  type AccessState,
  type AccessStore,
  checkAsked,
  checkUse,
  decideAccess,
  ProtocolError,
  type Ticket,
} from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";
import type { Audited } from "./people-store.ts";

const ROWS_MAX = 1000;
const COLUMNS =
  "id, kind, subject, ticket, reason, asked_by, asked_at_ms, life_ms, state, decided_by, until_ms, secret_hash";

type Row = {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly ticket: string | null;
  readonly reason: string;
  readonly asked_by: string;
  readonly asked_at_ms: number;
  readonly life_ms: number;
  readonly state: string;
  readonly decided_by: string | null;
  readonly until_ms: number | null;
  readonly secret_hash: Uint8Array | null;
};
type TicketRow = {
  readonly id: string;
  readonly opened_by: string;
  readonly words: string;
  readonly opened_at_ms: number;
  readonly closed_at_ms: number | null;
};

export function accessStore(store: Database, audited: Audited, nowMs: () => number): AccessStore {
  return {
    openTicket: async ({ id, openedBy, words, openedAtMs }, audit) => {
      audited(audit, (sql) =>
        sql.run(
          "INSERT INTO tickets (id, opened_by, words, opened_at_ms) VALUES (?, ?, ?, ?)",
          ...[id, openedBy, words, openedAtMs],
        ),
      );
    },
    closeTicket: async (id, audit) => {
      audited(audit, (sql) => closeTicket(sql, id, audit.actor, nowMs()));
    },
    tickets: async () =>
      store.read((sql) =>
        sql
          .all<TicketRow>("SELECT * FROM tickets ORDER BY opened_at_ms DESC, id LIMIT ?", ROWS_MAX)
          .map(ticketOf),
      ),
    ask: async (request, audit) => {
      audited(audit, (sql) => {
        checkAsked(request, readTicket(sql, request.ticket));
        insert(sql, request);
      });
    },
    decide: async (id, by, decision, audit, secretHash) =>
      audited(audit, (sql) => {
        const request = mustRead(sql, id);
        const state = decideAccess(request, by, decision, nowMs());
        sql.run(
          "UPDATE access_requests SET state = ?, decided_by = ?, until_ms = ?, secret_hash = ? WHERE id = ?",
          ...[state.at, by, state.at === "approved" ? state.untilMs : null, secretHash ?? null, id],
        );
        return mustRead(sql, id);
      }),
    request: async (id) => store.read((sql) => readRequest(sql, id)),
    requests: async (limit) =>
      store.read((sql) =>
        sql
          .all<Row>(
            `SELECT ${COLUMNS} FROM access_requests ORDER BY place DESC LIMIT ?`,
            Math.min(limit, ROWS_MAX),
          )
          .map(requestOf),
      ),
    use: async (id, by, audit) =>
      audited(audit, (sql) => {
        const request = mustRead(sql, id);
        checkUse(request, readTicket(sql, request.ticket), by, nowMs());
        return request;
      }),
  };
}

function closeTicket(sql: Sql, id: string, by: string, nowMs: number): void {
  const changed = sql.run(
    "UPDATE tickets SET closed_at_ms = ? WHERE id = ? AND closed_at_ms IS NULL",
    ...[nowMs, id],
  );
  if (changed === 0) throw new ProtocolError("not_found", "ticket: is not there, or is closed");
  sql.run(
    "UPDATE access_requests SET state = 'ended', decided_by = ?, until_ms = NULL WHERE ticket = ? AND state IN ('asked', 'approved')",
    ...[by, id],
  );
}

function insert(sql: Sql, request: AccessRequest): void {
  const { id, kind, subject, ticket, reason, askedBy, askedAtMs, lifeMs } = request;
  sql.run(
    "INSERT INTO access_requests (id, place, kind, subject, ticket, reason, asked_by, asked_at_ms, life_ms, state) SELECT ?, coalesce(max(place), 0) + 1, ?, ?, ?, ?, ?, ?, ?, 'asked' FROM access_requests",
    ...[id, kind, subject, ticket ?? null, reason, askedBy, askedAtMs, lifeMs],
  );
}

function readTicket(sql: Sql, id: string | undefined): Ticket | undefined {
  const row =
    id === undefined ? undefined : sql.get<TicketRow>("SELECT * FROM tickets WHERE id = ?", id);
  return row && ticketOf(row);
}

function ticketOf(row: TicketRow): Ticket {
  const { id, opened_by: openedBy, words, opened_at_ms: openedAtMs, closed_at_ms } = row;
  const closed = closed_at_ms === null ? {} : { closedAtMs: closed_at_ms };
  return { id, openedBy, words, openedAtMs, ...closed };
}

function readRequest(sql: Sql, id: string): AccessRequest | undefined {
  const row = sql.get<Row>(`SELECT ${COLUMNS} FROM access_requests WHERE id = ?`, id);
  return row && requestOf(row);
}

function mustRead(sql: Sql, id: string): AccessRequest {
  const request = readRequest(sql, id);
  if (request === undefined)
    throw new ProtocolError("not_found", "access: there is no such request");
  return request;
}

function requestOf(row: Row): AccessRequest {
  return {
    id: row.id,
    kind: kindOf(row.kind),
    subject: row.subject,
    reason: row.reason,
    askedBy: row.asked_by,
    askedAtMs: row.asked_at_ms,
    lifeMs: row.life_ms,
    state: stateOf(row),
    ...(row.ticket === null ? {} : { ticket: row.ticket }),
    ...(row.secret_hash === null ? {} : { secretHash: row.secret_hash }),
  };
}

function kindOf(name: string): AccessKind {
  if (Object.hasOwn(ACCESS_KINDS, name)) return name as AccessKind;
  throw new ProtocolError("storage_failed", "access: its kind is none of the known ones");
}

function stateOf({ state, decided_by, until_ms }: Row): AccessState {
  const by = decided_by ?? "";
  switch (state) {
    case "asked":
      return { at: "asked" };
    case "approved":
      return { at: "approved", by, untilMs: until_ms ?? 0 };
    case "refused":
    case "ended":
      return { at: state, by };
    default:
      throw new ProtocolError("storage_failed", "access: its state is none of the known ones");
  }
}
