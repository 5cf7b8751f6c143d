/** Commands: one row each, with every step it took. */
import {
  ACTIONS,
  type Action,
  COMMAND_STATES,
  type CommandChange,
  type CommandQuery,
  type CommandRecord,
  type CommandState,
  decode,
  encode,
  type Page,
  ProtocolError,
  resultCodec,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import { announce } from "./engine.ts";

type Row = {
  readonly id: string;
  readonly vehicle: string;
  readonly action: string;
  readonly booking: string | null;
  readonly requested_by: string;
  readonly idempotency_key: string;
  readonly request_digest: string;
  readonly state: string;
  readonly steps: string;
  readonly deadline_ms: number;
  readonly request_hash: Uint8Array | null;
  readonly request_seal: Uint8Array | null;
  readonly result: Uint8Array | null;
  readonly error: string | null;
};

/** How far along a state is. All of rank 5 are final. */
const RANK: Readonly<Record<CommandState, number>> = {
  accepted: 0,
  waking: 0.5,
  signed: 1,
  sent: 2,
  received: 3,
  armed: 4,
  executed: 5,
  refused: 5,
  expired: 5,
  unknown: 5,
  failed: 5,
  cancelled: 5,
};
const FINAL = 5;

/**
 * Whether a command may take this step. A final state is never left, except `unknown`, and `failed` where it was
 * thought to have reached nobody, by a result that the car signed. On the way a state only follows a lower one, unless the command was signed anew for a newer session. Pure.
 */
export function mayStep(from: CommandState, change: CommandChange): boolean {
  const ends = RANK[change.state] === FINAL;
  if (from === "unknown" || from === "failed") {
    return ends && change.result !== undefined && change.state !== from;
  }
  if (RANK[from] === FINAL) return false;
  const anew = change.state === "signed" && change.requestHash !== undefined;
  return anew || RANK[change.state] > RANK[from];
}

/** Returns the record and whether it is new; an idempotency key that is taken gives the command that has it. */
export function createCommand(
  sql: Sql,
  record: CommandRecord,
  nowMs: number,
): { readonly record: CommandRecord; readonly created: boolean } {
  const taken = sql.get<Row>(
    "SELECT * FROM commands WHERE requested_by = ? AND idempotency_key = ?",
    record.requestedBy,
    record.idempotencyKey,
  );
  if (taken !== undefined) return { record: commandOf(taken), created: false };
  if (readCommand(sql, record.id) !== undefined)
    throw new ProtocolError("conflict", `command ${record.id}: is there already`);
  const place = sql.get<{ next: number }>(
    "SELECT coalesce(max(place), 0) + 1 AS next FROM commands",
  );
  sql.run(
    "INSERT INTO commands (id, place, vehicle, action, booking, requested_by, idempotency_key, request_digest, " +
      "state, steps, deadline_ms, request_hash, result, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ...[record.id, place?.next ?? 1, record.vehicle, record.action, record.booking ?? null],
    ...[record.requestedBy, record.idempotencyKey, record.requestDigest, record.state],
    ...[JSON.stringify(record.steps), record.deadlineMs, record.requestHash ?? null],
    record.result === undefined ? null : encode(resultCodec, record.result),
    record.error ?? null,
  );
  announce(sql, nowMs, "command", record.id);
  return { record, created: true };
}

/** Returns the record as it then is, and whether the step was taken. Throws `not_found`. */
export function stepCommand(
  sql: Sql,
  id: string,
  change: CommandChange,
  nowMs: number,
): { readonly record: CommandRecord; readonly changed: boolean } {
  const before = readCommand(sql, id);
  if (before === undefined) throw new ProtocolError("not_found", `command ${id}: is not there`);
  if (!mayStep(before.state, change)) return { record: before, changed: false };
  const record: CommandRecord = {
    ...before,
    ...change,
    steps: [...before.steps, { state: change.state, atMs: nowMs }],
  };
  sql.run(
    "UPDATE commands SET state = ?, steps = ?, deadline_ms = ?, request_hash = ?, request_seal = ?, " +
      "result = ?, error = ? WHERE id = ?",
    record.state,
    JSON.stringify(record.steps),
    record.deadlineMs,
    record.requestHash ?? null,
    record.requestSeal ?? null,
    record.result === undefined ? null : encode(resultCodec, record.result),
    record.error ?? null,
    id,
  );
  announce(sql, nowMs, "command", id);
  return { record, changed: true };
}

export function readCommand(sql: Pick<Sql, "get">, id: string): CommandRecord | undefined {
  const row = sql.get<Row>("SELECT * FROM commands WHERE id = ?", id);
  return row === undefined ? undefined : commandOf(row);
}

/** The newest first. */
export function readCommands(
  sql: Sql,
  vehicle: VehicleId,
  limit: number,
): readonly CommandRecord[] {
  return sql
    .all<Row>(
      "SELECT * FROM commands WHERE vehicle = ? ORDER BY place DESC LIMIT ?",
      vehicle,
      limit,
    )
    .map(commandOf);
}

/** The most commands of one page, whatever is asked for. */
const PAGE_MAX = 1000;

/**
 * A command has no column of its time: its place says what came before it, so where a time begins is found by halving.
 * Where the clock was put back meanwhile, commands of that while may be missed or told too many.
 */
export function commandsWithin(
  sql: Sql,
  { fromMs, toMs, after, limit }: CommandQuery,
): Page<CommandRecord> {
  if (after !== undefined && !/^[0-9]{1,15}$/.test(after))
    throw new ProtocolError("malformed", "cursor: expected the `next` of a page");
  const size = Math.min(Math.max(1, Math.floor(limit)), PAGE_MAX);
  const first = after === undefined ? placeAt(sql, fromMs) : Number(after) + 1;
  const rows = sql.all<Row & { readonly place: number }>(
    "SELECT * FROM commands WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",
    ...[first, placeAt(sql, toMs + 1), size + 1],
  );
  const page = rows.slice(0, size);
  const last = page.at(-1);
  const items = page.map(commandOf);
  return rows.length > size && last !== undefined ? { items, next: String(last.place) } : { items };
}

/** The first place from which on commands were asked for at this time or later. */
function placeAt(sql: Sql, atMs: number): number {
  const top = sql.get<{ top: number }>("SELECT coalesce(max(place), 0) AS top FROM commands")?.top;
  let [low, high] = [1, (top ?? 0) + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const next = sql.get<{ place: number; at: number }>(
      "SELECT place, json_extract(steps, '$[0].atMs') AS at FROM commands WHERE place >= ? ORDER BY place LIMIT 1",
      middle,
    );
    if (next === undefined || next.at >= atMs) high = middle;
    else low = next.place + 1;
  }
  return low;
}

function commandOf(row: Row): CommandRecord {
  return {
    id: row.id,
    vehicle: vehicleId(row.vehicle),
    action: oneOf<Action>(ACTIONS, row.action),
    ...(row.booking === null ? {} : { booking: row.booking }),
    requestedBy: row.requested_by,
    idempotencyKey: row.idempotency_key,
    requestDigest: row.request_digest,
    state: oneOf<CommandState>(COMMAND_STATES, row.state),
    steps: stepsOf(row.steps),
    deadlineMs: row.deadline_ms,
    ...(row.request_hash === null ? {} : { requestHash: row.request_hash }),
    ...(row.request_seal === null ? {} : { requestSeal: row.request_seal }),
    ...(row.result === null ? {} : { result: decode(resultCodec, row.result) }),
    ...(row.error === null ? {} : { error: row.error }),
  };
}

function stepsOf(json: string): CommandRecord["steps"] {
  const steps: unknown = JSON.parse(json);
  if (!Array.isArray(steps)) throw new ProtocolError("storage_failed", "command: has no steps");
  return steps.map((step: { state: string; atMs: number }) => ({
    state: oneOf<CommandState>(COMMAND_STATES, step.state),
    atMs: Number(step.atMs),
  }));
}

function oneOf<T extends string>(names: readonly T[], value: string): T {
  const found = names.find((name) => name === value);
  if (found === undefined)
    throw new ProtocolError("storage_failed", `command: ${value} is none of ${names.join(", ")}`);
  return found;
}
