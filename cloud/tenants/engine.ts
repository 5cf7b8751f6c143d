/** What the parts of the SQLite engine share: the files of one tenant, its keys, the clock, and how rows are read. */
import {
  EVENT_KINDS,
  type EventKind,
  type FeedEntry,
  isPersonalKind,
  LANES,
  type Lane,
  type PaymentProvider,
  ProtocolError,
  type Quotas,
  type TenantId,
  type VehicleId,
} from "@kerbside/protocol";
import type { Database, Sql } from "./database.ts";
import type { FinderFile } from "./finders.ts";
import type { SubjectKeyFile } from "./subject-keys.ts";

export type Engine = {
  readonly tenant: TenantId;
  readonly store: Database;
  readonly keys: SubjectKeyFile;
  readonly finders: FinderFile;
  readonly nowMs: () => number;
  /** What is agreed with the platform, as of now. */
  readonly quotas: () => Quotas;
  /** Whom its people pay by, as of now. */
  readonly payments: () => PaymentProvider | undefined;
};

/**
 * How an event's data lies in its row. `erased`: the vehicle's key was destroyed before it arrived. `together`: sealed
 * with that of the other rows of its segment.
 */
export const SEALING = { plain: 0, sealed: 1, erased: 2, together: 3 } as const;

const KIND_NAMES: ReadonlyMap<number, EventKind> = new Map(
  Object.keys(EVENT_KINDS)
    .filter((name): name is EventKind => Object.hasOwn(EVENT_KINDS, name))
    .map((name) => [EVENT_KINDS[name].code, name]),
);

const PERSONAL: ReadonlySet<number> = new Set(
  [...KIND_NAMES].filter(([, kind]) => isPersonalKind(kind)).map(([code]) => code),
);

/** By the number of a kind. */
export function isPersonal(code: number): boolean {
  return PERSONAL.has(code);
}

export function kindName(code: number): EventKind {
  const name = KIND_NAMES.get(code);
  if (name === undefined) throw new ProtocolError("storage_failed", `events: no kind ${code}`);
  return name;
}

export function laneName(place: number): Lane {
  const lane = LANES[place];
  if (lane === undefined) throw new ProtocolError("storage_failed", `events: no lane ${place}`);
  return lane;
}

type LanePlace = { readonly vehicle: VehicleId; readonly log: Uint8Array; readonly lane: number };

/**
 * What the sealed data of an event is bound to: nobody moves it to another car, place or kind unseen. The answer holds
 * until the next call.
 */
export function eventBinding(
  tenant: TenantId,
  at: LanePlace & { readonly seq: number; readonly kind: number },
): Uint8Array {
  const { vehicle, log, lane, seq, kind } = at;
  // Ids are ASCII.
  const head = scratch.write(`kerbside/v1/event\n${tenant}\n${vehicle}\n`, "latin1");
  scratch.set(log, head);
  let end = head + log.length;
  for (const value of [lane, seq, kind]) {
    scratch.writeUInt32BE(Math.floor(value / 2 ** 32), end);
    scratch.writeUInt32BE(value % 2 ** 32, end + 4);
    end += 8;
  }
  return scratch.subarray(0, end);
}

/** More than two ids of 40 characters, a log and three numbers take. */
const scratch: Buffer = Buffer.alloc(512);

/**
 * Announces within the caller's transaction. SQLite has one writer at a time and the cursor is taken inside its
 * transaction, so cursors rise in the order of commits, and a reader never sees one before a lower one.
 */
export function announce(sql: Sql, atMs: number, topic: FeedEntry["topic"], id: string): void {
  sql.run("INSERT INTO feed (at_ms, topic, id) VALUES (?, ?, ?)", atMs, topic, id);
}

export function raiseAlarm(
  sql: Sql,
  atMs: number,
  alarm: {
    vehicle: VehicleId;
    kind: "fork" | "chain" | "successors" | "clone" | "quarantine" | "logs";
    detail: string;
  },
): void {
  sql.run(
    "INSERT INTO alarms (at_ms, vehicle, kind, detail) VALUES (?, ?, ?, ?)",
    atMs,
    alarm.vehicle,
    alarm.kind,
    alarm.detail,
  );
  announce(sql, atMs, "vehicle", alarm.vehicle);
}
