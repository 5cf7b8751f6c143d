/**
 * One open database with one log under way. Everything here is synchronous and either happens whole or throws; after
 * a throw from `commit` the engine is used no more, and a new one starts a new log, so that no number and no nonce is
 * ever given out twice.
 */
import {
  equalBytes,
  LANES,
  type Lane,
  openHeader,
  ProtocolError,
  sha256,
  verifyKey,
} from "@kerbside/protocol";
import Database from "better-sqlite3";
import { type Commits, commits } from "./commits.ts";
import type { BufferStatus } from "./contract.ts";
import { DamagedError } from "./damaged.ts";
import { type Handle, openDatabase, strangeFile, walIsThere } from "./database.ts";
import {
  type AckOutcome,
  coveredBy,
  forget,
  forgetEmptyLogs,
  type Judged,
  judgeAck,
} from "./forget.ts";
import type { LaneWriter } from "./lane-writer.ts";
import type { BufferLimits } from "./limits.ts";
import { type LogSettings, type LostNumbers, type OpenLog, startLog } from "./log-start.ts";
import { bodyOf, type NextOptions, nextPlace, type OutgoingSegment, outgoing } from "./outgoing.ts";
import { laneRange, NUMBER_MAX, placeKey, placeOf } from "./place.ts";
import { dropSegment, type Room, room } from "./room.ts";
import { reported, setAside, unreported } from "./set-aside.ts";
import { LOG_END, prepare, type Statements } from "./statements.ts";
import { type Upkeep, upkeep } from "./upkeep.ts";
import { walDamage } from "./wal-check.ts";

export type Entry = { readonly lane: Lane; readonly plain: Uint8Array };
/** What became of an entry: its number, or `undefined` where the buffer is full of what may not give way. */
export type Placed = number | undefined;

export type Engine = {
  readonly log: Uint8Array;
  readonly previousEndedCleanly: boolean;
  /** Writes entries and closes the lanes that `closing` names, in one durable commit. */
  readonly commit: (
    entries: readonly Entry[],
    closing: (lane: Lane, openedAtMs: number) => boolean,
    nowMs: number,
  ) => { readonly placed: readonly Placed[]; readonly dropped: number; readonly closed: number };
  /**
   * Goes on for a moment with making columns of a segment that was closed as rows and is not sent before. Returns
   * what is to be done: nothing, more, or to look whether there is something to send.
   */
  readonly pack: () => "idle" | "more" | "ready";
  readonly packs: () => boolean;
  readonly openedAtMs: (lane: Lane) => number | undefined;
  /** The last number given out in each lane, whether or not its commit held. */
  readonly lastNumbers: () => LostNumbers;
  /** Throws DamagedError where what is held no longer matches its own hash and cannot be declared as gone. */
  readonly next: (options: NextOptions) => OutgoingSegment | undefined;
  readonly acknowledge: (message: Uint8Array) => AckOutcome;
  /** Makes durable what was acknowledged since the last commit. */
  readonly flush: () => void;
  readonly depth: () => Readonly<Record<Lane, number>>;
  readonly bytes: () => number;
  /** Since when the oldest is held, at the latest; absent where the time is not known. */
  readonly held: () => Pick<BufferStatus, "heldSinceMs">;
  /** Events given up because their segment was damaged or had to give way, since the last call. */
  readonly takeDropped: () => number;
  /** Segments that the fullest lane of the log has. */
  readonly segmentsInLane: () => number;
  /** Goes on for an engine of the same database: what that one sent may still be acknowledged. */
  readonly tookOver: (from: Engine) => void;
  /** Keys of the segments that were handed over to be sent and are still held. */
  readonly sent: ReadonlySet<number>;
  readonly upkeep: Upkeep;
  /** Ends the log in order. */
  readonly end: () => void;
  /** Marks that the file is closed by SQLite although the log did not end in order. Best effort. */
  readonly settle: () => void;
  /** Overwrites the keys. */
  readonly wipe: () => void;
  /** Overwrites the keys and lets the file go. */
  readonly release: () => void;
};

export type OpenedEngine = {
  readonly engine: Engine;
  /** What was wrong with the database that was set aside, if one was. */
  readonly setAside?: string;
};

/**
 * Opens the database of `dir`, sets it aside where it is damaged, and starts a log. Throws ProtocolError
 * `storage_failed` where the disk does not let it.
 */
export function openEngine(
  dir: string,
  settings: LogSettings,
  lost: LostNumbers = {},
  damage?: string,
): OpenedEngine {
  try {
    const strange = damage ?? strangeFile(dir) ?? walDamage(dir);
    if (strange !== undefined) throw new DamagedError(strange);
    return { engine: begin(dir, settings, lost) };
  } catch (error) {
    const reason = damageOf(error);
    if (reason === undefined) throw storageFailed(error);
    try {
      setAside(dir, settings.limits.setAsideMax, reason);
      return { engine: begin(dir, settings, {}), setAside: reason };
    } catch (second) {
      throw storageFailed(second);
    }
  }
}

function begin(dir: string, settings: LogSettings, lost: LostNumbers): Engine {
  const walWasThere = walIsThere(dir);
  const made: Handle[] = [];
  try {
    const db = openDatabase(dir, (handle) => made.push(handle));
    const statements = prepare(db);
    const newest = statements.logs.all().at(-1);
    if (newest?.clean === LOG_END.open && !walWasThere)
      throw new DamagedError("its write-ahead log is missing");
    // What the log holds may never have been flushed, where a flush failed. It is made durable before anything is written
    // behind it: of two commits that were not, a power cut may leave the second, and then the first looks damaged.
    if (walWasThere) db.pragma("wal_checkpoint(PASSIVE)");
    // The first transaction of a database tells what was set aside before it: once, however often this is tried.
    const asides = newest === undefined ? unreported(dir) : [];
    const log = startLog(db, statements, settings, lost, asides.map(settings.setAsideEvent));
    reported(dir);
    // So that the main file says by itself that a log is open, should its WAL be lost.
    db.pragma("wal_checkpoint(PASSIVE)");
    const engine = engineOf(db, statements, settings, log);
    kept.get(settings.limits)?.close();
    kept.delete(settings.limits);
    return engine;
  } catch (error) {
    for (const db of made) {
      if (damageOf(error) === undefined && !kept.has(settings.limits))
        kept.set(settings.limits, db);
      else db.close();
    }
    throw error;
  }
}

/**
 * Handles that could not begin a log because the disk failed. Were one closed as the last, SQLite would delete the
 * write-ahead log, and the next attempt would take the database for damaged. By the limits of their buffer, of which
 * each opened one has an object of its own.
 */
const kept = new WeakMap<BufferLimits, Handle>();

/** What is wrong with the content, or undefined where it is the disk that fails. */
function damageOf(error: unknown): string | undefined {
  if (error instanceof DamagedError || error instanceof RangeError) return error.message;
  if (error instanceof ProtocolError && (error.code === "conflict" || error.code === "malformed"))
    return error.message;
  if (!(error instanceof Database.SqliteError)) return undefined;
  const damaged = /^SQLITE_(CORRUPT|NOTADB|SCHEMA|ERROR)/.test(error.code);
  return damaged ? `${error.code}: ${error.message}` : undefined;
}

export function storageFailed(cause: unknown): ProtocolError {
  const own = cause instanceof ProtocolError && /^(storage_failed|conflict)$/.test(cause.code);
  if (own) return cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  return new ProtocolError("storage_failed", `buffer: the disk failed (${code})`, { cause });
}

function engineOf(db: Handle, statements: Statements, settings: LogSettings, log: OpenLog): Engine {
  const space = room(statements, settings, settings.limits);
  const shared = commits(db);
  const sent = new Set<number>();
  let dropped = log.gaveWay;
  const lanes = LANES.map((lane) => [lane, log.lanes[lane]] as const);
  const packsNow = (): LaneWriter | undefined =>
    lanes.find(([, writer]) => writer.packs() !== undefined)?.[1];
  const place = ({ lane, plain }: Entry, nowMs: number): Placed => {
    const made = space.make(lane, plain.length + ROW_OVERHEAD_BYTES);
    dropped += made.dropped;
    if (!made.fits) return undefined;
    space.grew(plain.length + ROW_OVERHEAD_BYTES);
    return log.lanes[lane].add(plain, nowMs);
  };
  const commit: Engine["commit"] = (entries, closing, nowMs) => {
    const before = dropped;
    const placed = shared.now(() => {
      const found = entries.map((entry) => place(entry, nowMs));
      for (const [lane, writer] of lanes) {
        const openedAtMs = writer.openedAtMs();
        if (openedAtMs !== undefined && closing(lane, openedAtMs)) writer.close();
      }
      return found;
    });
    const closed = lanes.map(([, writer]) => writer.takeClosed());
    space.grew(closed.reduce((sum, { bytes }) => sum + bytes, 0));
    const segments = closed.reduce((sum, found) => sum + found.segments, 0);
    return { placed, dropped: dropped - before, closed: segments };
  };
  return {
    log: log.log,
    previousEndedCleanly: log.previousEndedCleanly,
    commit,
    flush: shared.flush,
    packs: () => packsNow() !== undefined,
    pack: () => {
      const writer = packsNow();
      if (writer === undefined) return "idle";
      // Durable before it can be sent: the rows it was closed as have another hash, and both would be a fork.
      const over = shared.now(writer.pack);
      space.grew(writer.takeClosed().bytes);
      return over ? "ready" : "more";
    },
    openedAtMs: (lane) => log.lanes[lane].openedAtMs(),
    lastNumbers: () => Object.fromEntries(lanes.map(([lane, w]) => [lane, w.lastSeq()])),
    next: (options) => {
      const packing = lanes.flatMap(([, writer]) => writer.packs() ?? []);
      const skip = new Set([...options.skip, ...packing]);
      const found = nextWhole(shared, statements, settings, space, { ...options, skip });
      dropped += found.dropped;
      if (found.segment !== undefined) sent.add(found.segment.key);
      return found.segment;
    },
    acknowledge: acknowledging(statements, settings, space, shared, sent, log.slot),
    depth: () => depthOf(statements),
    bytes: space.bytes,
    held: () => heldOf(statements),
    sent,
    segmentsInLane: () => Math.max(...lanes.map(([, writer]) => writer.segments())),
    tookOver: (from) => {
      for (const key of from.sent) sent.add(key);
    },
    takeDropped: () => {
      const count = dropped;
      dropped = 0;
      return count;
    },
    upkeep: upkeep(db, statements, settings.limits, space, shared),
    ...ending(db, statements, shared, log),
  };
}

function heldOf(statements: Statements): Pick<BufferStatus, "heldSinceMs"> {
  const marks = statements.logs.all().flatMap(({ slot }) =>
    LANES.flatMap((lane) => {
      const last = placeKey(lane, slot, NUMBER_MAX);
      const oldest = statements.heldPlaces.get(placeKey(lane, slot, 0), last);
      // The first mark that speaks of it; those before spoke of what is gone.
      return (oldest && statements.firstMark.get(oldest.place, last)?.at_ms) ?? [];
    }),
  );
  return marks.length === 0 ? {} : { heldSinceMs: Math.min(...marks) };
}

export const NO_SEGMENTS: Readonly<Record<Lane, number>> = { critical: 0, state: 0, track: 0 };

function depthOf(statements: Statements): Readonly<Record<Lane, number>> {
  const of = (lane: Lane): number => statements.heldCount.get(...laneRange(lane))?.count ?? 0;
  return { critical: of("critical"), state: of("state"), track: of("track") };
}

function acknowledging(
  statements: Statements,
  { address }: LogSettings,
  space: Room,
  shared: Commits,
  sent: Set<number>,
  slot: number,
): Engine["acknowledge"] {
  return (message) => {
    const judged = judgeAck(statements, address, message);
    if (judged.kind === "ignored") return judged;
    if (judged.kind === "asked") {
      shared.later(() => statements.setOpeningUnknown.run(judged.log.slot));
      return { kind: "taken", forgotten: [], bytes: 0 };
    }
    const outcome = shared.later(() => take(statements, judged, sent, slot));
    space.shrank(outcome.bytes);
    for (const key of outcome.forgotten) sent.delete(key);
    return outcome;
  };
}

function take(
  statements: Statements,
  judged: Extract<Judged, { readonly kind: "believed" }>,
  sent: ReadonlySet<number>,
  slot: number,
): Extract<AckOutcome, { readonly kind: "taken" }> {
  const forgotten = coveredBy(statements, judged, sent);
  if (judged.log.opening_known === 0) statements.setOpeningKnown.run(judged.log.slot);
  const bytes = forget(statements, forgotten);
  if (forgotten.length > 0) forgetEmptyLogs(statements, slot);
  return { kind: "taken", forgotten, bytes };
}

function ending(
  db: Handle,
  statements: Statements,
  shared: Commits,
  { lanes, slot }: OpenLog,
): Pick<Engine, "end" | "settle" | "wipe" | "release"> {
  const writers = Object.values(lanes);
  const wipe = (): void => {
    for (const writer of writers) writer.wipe();
  };
  return {
    end: () => {
      shared.now(() => {
        for (const writer of writers) {
          while (!writer.pack());
          writer.close();
          while (!writer.pack());
        }
        statements.setEnd.run(LOG_END.clean, slot);
      });
    },
    settle: () => {
      shared.forget();
      statements.setEnd.run(LOG_END.settled, slot);
    },
    wipe,
    release: () => {
      wipe();
      db.close();
    },
  };
}

/** What a row takes besides the event. */
const ROW_OVERHEAD_BYTES = 16;

/**
 * The next segment whose body matches its header. One that does not is given up: its numbers are declared as gone,
 * and the declaration is what goes out.
 */
function nextWhole(
  shared: Commits,
  statements: Statements,
  settings: LogSettings,
  space: Room,
  options: NextOptions,
): { readonly segment: OutgoingSegment | undefined; readonly dropped: number } {
  const place = nextPlace(statements, options);
  const record = place === undefined ? undefined : statements.segment.get(place);
  if (record === undefined) return { segment: undefined, dropped: 0 };
  const header = readHeader(settings, record.header);
  if (header === undefined) {
    const { lane, number } = placeOf(record.place);
    throw new DamagedError(`the header of ${lane} ${number} is damaged`);
  }
  if (equalBytes(sha256(bodyOf(statements, record)), header.bodyHash))
    return { segment: outgoing(statements, record), dropped: 0 };
  shared.now(() => dropSegment(statements, settings, record));
  space.recount();
  const gap = statements.segment.get(record.place);
  return {
    segment: gap === undefined ? undefined : outgoing(statements, gap),
    dropped: record.count,
  };
}

function readHeader(
  settings: LogSettings,
  envelope: Uint8Array,
): ReturnType<typeof openHeader> | undefined {
  try {
    return openHeader(verifyKey(settings.signingKey.publicKey), envelope);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
