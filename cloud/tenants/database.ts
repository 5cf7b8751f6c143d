/**
 * One SQLite file as this package uses it: write-ahead log, FULL synchronisation asserted on each open, one writer at
 * a time, statements prepared once, migrations in one transaction, errors as ProtocolError `storage_failed`.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";

import { LockPatience } from "./lock-patience.ts";
import { FlushFailed, LogFlush } from "./log-flush.ts";
import { handleClosed, handleUsed, type OpenHandle } from "./open-handles.ts";

/** How long a writer waits for another process's transaction before it gives up, in milliseconds. */
export const BUSY_MS_MAX = 5000;
/** Files up to this size are checked page by page as they are opened (about 0.1 s), in bytes. */
const CHECKED_BYTES_MAX = 32 * 1024 * 1024;
/** Value that `PRAGMA synchronous` reads back for FULL. */
const SYNCHRONOUS_FULL = 2;

export type SqlValue = string | number | bigint | Uint8Array | null;
/** Runs SQL inside the transaction that handed it out. Rows have the columns that the text selects. */
export type Sql = {
  readonly get: <Row>(text: string, ...values: readonly SqlValue[]) => Row | undefined;
  readonly all: <Row>(text: string, ...values: readonly SqlValue[]) => Row[];
  /** As `all`, with blobs as the driver gives them (Buffers): for many rows whose blobs go no further. */
  readonly raw: <Row>(text: string, ...values: readonly SqlValue[]) => readonly Row[];
  /** Returns how many rows changed. */
  readonly run: (text: string, ...values: readonly SqlValue[]) => number;
  /** As `run`, for the same text many times over, with names for what all of a call share. */
  readonly many: (
    text: string,
  ) => (values: readonly SqlValue[], named: Readonly<Record<string, SqlValue>>) => void;
};

export type Database = {
  readonly file: string;
  /** A consistent view of the file. Throws ProtocolError `storage_failed`, or what `use` throws. */
  readonly read: <T>(use: (sql: Sql) => T) => T;
  /** As `read` of a row by one statement, which is a consistent view by itself and spares the transaction. */
  readonly one: <Row>(text: string, ...values: readonly SqlValue[]) => Row | undefined;
  /**
   * One immediate transaction: durable when it returns, without effect when it throws. Throws ProtocolError
   * `storage_failed` (it may have been committed if the disk failed at the very end), or what `use` throws.
   */
  readonly write: <T>(use: (sql: Sql) => T) => T;
  /**
   * As `write`, but it is durable only when `durable` resolves: others see it before, and another thread flushes it. That
   * rejects with `storage_failed`; then it may have been committed. To be called in no transaction.
   */
  readonly writeLate: <T>(use: (sql: Sql) => T) => LateWrite<T>;
  /** What `writeLate` has written is durable when it returns. Throws ProtocolError `storage_failed`. */
  readonly flush: () => void;
  /** Moves the write-ahead log into the file and empties it, so that overwritten pages are gone from both. */
  readonly scrub: () => void;
  readonly close: () => void;
};

export type LateWrite<T> = { readonly value: T; readonly durable: Promise<void> };

/** A step of the schema; its place in the list, from 1, is its version. Never edited once released. */
export type Migration = { readonly name: string; readonly sql: string };

export type DatabaseOptions = {
  readonly file: string;
  readonly migrations: readonly Migration[];
  /** Makes the file if it is missing; else a missing file is `not_found`. */
  readonly create: boolean;
  /** Overwrites deleted content with zeros. */
  readonly secureDelete?: boolean;
  /** How long a writer waits for another process's transaction, in milliseconds, once: see LockPatience. Else 5 s each time. */
  readonly lockWaitMs?: number | undefined;
  readonly nowMs: () => number;
};

type Handle = {
  readonly db: BetterSqlite3.Database;
  readonly sql: Sql;
  readonly transaction: BetterSqlite3.Transaction<(run: () => unknown) => unknown>;
  /** Opened with the first transaction that is flushed later. */
  log: LogFlush | undefined;
};
type Mode = "deferred" | "immediate" | "late";

/** Throws ProtocolError `not_found` or `storage_failed`, naming the file. */
export function openDatabase(options: DatabaseOptions): Database {
  let handle: Handle | undefined = openHandle(options);
  let closed = false;
  /** The disk failed since the last handle that was opened in order. */
  let doubted = false;
  let users = 0;
  const { lockWaitMs } = options;
  const patience =
    lockWaitMs === undefined ? undefined : new LockPatience(options.file, lockWaitMs);
  let setMs = lockWaitMs;
  const shut = (): void => {
    const open = handle;
    handle = undefined;
    open?.log?.close();
    open?.db.close();
  };
  /** The next user opens it anew. */
  const failed = (): void => {
    doubted = true;
    shut();
  };
  const place: OpenHandle = { isIdle: () => users === 0, close: shut };
  handleUsed(place);
  const guarded = <T>(run: (handle: Handle) => T): T => {
    if (closed) throw new ProtocolError("storage_failed", `${basename(options.file)}: is closed`);
    // It was closed to make room, or after a failed fsync, when SQLite's view of the file is not to be trusted.
    handle ??= openHandle({ ...options, create: false }, doubted ? "after failure" : "again");
    doubted = false;
    users += 1;
    try {
      handleUsed(place);
      return run(handle);
    } catch (error) {
      if (isDiskError(error)) failed();
      throw storageError(options.file, error);
    } finally {
      users -= 1;
    }
  };
  const use = <T>(mode: Mode, run: (sql: Sql) => T): T =>
    guarded((open) => transact(open, mode, options.file, run));
  const write = <T>(run: (sql: Sql) => T, mode: Mode = "immediate"): T => {
    if (patience === undefined) return use(mode, run);
    const waitMs = patience.waitMs(performance.now());
    if (waitMs !== setMs) guarded(({ db }) => void db.pragma(`busy_timeout = ${waitMs}`));
    setMs = waitMs;
    try {
      const answer = use(mode, run);
      patience.free();
      return answer;
    } catch (error) {
      if (isLocked(error)) patience.locked(performance.now());
      throw error;
    }
  };
  const flushed = async ({ log }: Pick<Handle, "log">): Promise<void> => {
    users += 1;
    try {
      await log?.flush();
    } catch (error) {
      if (handle?.log === log) failed();
      throw error;
    } finally {
      users -= 1;
    }
  };
  return {
    file: options.file,
    read: (run) => use("deferred", run),
    one: <Row>(text: string, ...values: readonly SqlValue[]) =>
      guarded(({ sql }) => sql.get<Row>(text, ...values)),
    write: (run) => write(run),
    writeLate: (run) => {
      const value = write(run, "late");
      return { value, durable: flushed(handle ?? { log: undefined }) };
    },
    flush: () => guarded(({ log }) => log?.flushNow()),
    scrub: () => guarded(({ db }) => void db.pragma("wal_checkpoint(TRUNCATE)")),
    close: () => {
      closed = true;
      handleClosed(place);
      shut();
    },
  };
}

function transact<T>(handle: Handle, mode: Mode, file: string, run: (sql: Sql) => T): T {
  const { db, sql, transaction } = handle;
  let answer = (): T => {
    throw new Error("the transaction did not run");
  };
  const inside = (): void => {
    const value = run(sql);
    answer = () => value;
  };
  if (mode !== "late") transaction[mode](inside);
  else {
    handle.log ??= new LogFlush(file);
    // For this commit only: its flush is another thread's.
    db.exec("PRAGMA synchronous = NORMAL");
    try {
      transaction.immediate(inside);
    } finally {
      db.exec("PRAGMA synchronous = FULL");
    }
  }
  return answer();
}

/** At `first` its pages are checked, where it is small. */
type Occasion = "first" | "again" | "after failure";

function openHandle(options: DatabaseOptions, occasion: Occasion = "first"): Handle {
  const { file, create } = options;
  if (!create && !existsSync(file))
    throw new ProtocolError("not_found", `${file}: there is no such file`);
  let db: BetterSqlite3.Database | undefined;
  try {
    db = new BetterSqlite3(file, { timeout: options.lockWaitMs ?? BUSY_MS_MAX });
    const sql = statements(db);
    configure(db, options, occasion === "first");
    if (occasion === "after failure") writeLogAgain(db, file);
    // Whoever was here before may have been killed after such a failure. What is in the file needs the log no more.
    if (occasion === "first") db.pragma("wal_checkpoint(PASSIVE)");
    migrate(db, options);
    chmodSync(file, 0o600);
    // Made once: each call of `transaction` builds four functions.
    const transaction = db.transaction((run: () => unknown) => run());
    return { db, sql, transaction, log: undefined };
  } catch (error) {
    db?.close();
    throw storageError(file, error);
  }
}

function configure(
  db: BetterSqlite3.Database,
  { file, secureDelete }: DatabaseOptions,
  isFirst: boolean,
): void {
  const expect = (pragma: string, wanted: string | number): void => {
    const found = db.pragma(pragma, { simple: true });
    if (found !== wanted)
      throw new ProtocolError(
        "storage_failed",
        `${file}: PRAGMA ${pragma} gave ${String(found)}, expected ${wanted}`,
      );
  };
  expect("journal_mode = WAL", "wal");
  db.pragma("synchronous = FULL");
  expect("synchronous", SYNCHRONOUS_FULL);
  db.pragma("foreign_keys = ON");
  db.pragma("trusted_schema = OFF");
  if (secureDelete === true) expect("secure_delete = ON", 1);
  if (isFirst && statSync(file).size <= CHECKED_BYTES_MAX) expect("quick_check(1)", "ok");
}

/**
 * A flush that failed may have lost pages of the write-ahead log for good, although they are still read as if they were
 * there (fsync(2) reports it once, and the next one works). After a power cut SQLite would stop at them, and lose what was
 * committed behind. So all of it is written again, as it is read, while nobody else writes.
 */
function writeLogAgain(db: BetterSqlite3.Database, file: string): void {
  const log = `${file}-wal`;
  db.exec("BEGIN IMMEDIATE");
  try {
    if (!existsSync(log)) return;
    const bytes = readFileSync(log);
    const handle = openSync(log, "r+");
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(handle, bytes.subarray(done));
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (cause) {
    throw new ProtocolError("storage_failed", `${file}: its log cannot be written`, { cause });
  } finally {
    db.exec("ROLLBACK");
  }
}

function migrate(db: BetterSqlite3.Database, { file, migrations, nowMs }: DatabaseOptions): void {
  const run = db.transaction(() => {
    db.exec(
      "CREATE TABLE IF NOT EXISTS migrations /* steps of the schema */ (" +
        "version /* place in the list */ INTEGER PRIMARY KEY, " +
        "name /* what it does */ TEXT NOT NULL, " +
        "applied_at_ms /* Unix time */ INTEGER NOT NULL) STRICT",
    );
    const done = db.prepare("SELECT coalesce(max(version), 0) FROM migrations").pluck().get();
    if (typeof done !== "number" || done > migrations.length)
      throw new ProtocolError(
        "storage_failed",
        `${file}: has schema version ${String(done)}, expected at most ${migrations.length}; it was written by a newer release`,
      );
    for (const [i, { name, sql }] of migrations.entries()) {
      if (i < done) continue;
      db.exec(sql);
      db.prepare("INSERT INTO migrations VALUES (?, ?, ?)").run(i + 1, name, nowMs());
    }
  });
  const latest = (): unknown =>
    db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'migrations'").pluck().get() === 1
      ? db.prepare("SELECT max(version) FROM migrations").pluck().get()
      : 0;
  // A file that is up to date is opened without taking the writer's place from another process.
  if (latest() !== migrations.length) run.immediate();
}

function statements(db: BetterSqlite3.Database): Sql {
  const prepared = new Map<string, BetterSqlite3.Statement<SqlValue[], unknown>>();
  type Many = [values: readonly SqlValue[], named: Readonly<Record<string, SqlValue>>];
  const preparedMany = new Map<string, BetterSqlite3.Statement<Many>>();
  const prepare = <Row>(text: string): BetterSqlite3.Statement<SqlValue[], Row> => {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = db.prepare<SqlValue[], unknown>(text);
      prepared.set(text, statement);
    }
    return statement as BetterSqlite3.Statement<SqlValue[], Row>;
  };
  return {
    get: <Row>(text: string, ...values: readonly SqlValue[]) => {
      const row = prepare<Row>(text).get(...values);
      return row === undefined ? undefined : plain(row);
    },
    all: <Row>(text: string, ...values: readonly SqlValue[]) =>
      prepare<Row>(text)
        .all(...values)
        .map(plain),
    raw: <Row>(text: string, ...values: readonly SqlValue[]) => prepare<Row>(text).all(...values),
    run: (text, ...values) => prepare(text).run(...values).changes,
    many: (text) => {
      const statement = preparedMany.get(text) ?? db.prepare<Many>(text);
      preparedMany.set(text, statement);
      return (values, named) => void statement.run(values, named);
    },
  };
}

/** Blobs come as Buffers, which slice, print and compare otherwise than the Uint8Array that the contracts promise. */
function plain<Row>(row: Row): Row {
  const columns = row as Record<string, unknown>;
  for (const name in columns) {
    const value = columns[name];
    if (typeof value === "object" && value instanceof Buffer)
      columns[name] = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return row;
}

/** What went wrong in words for an operator; errors that are no fault of the storage pass as they are. */
export function storageError(file: string, error: unknown): unknown {
  if (!(error instanceof BetterSqlite3.SqliteError)) {
    return error instanceof TypeError && error.message.startsWith("Cannot open database")
      ? new ProtocolError("storage_failed", `${file}: its directory does not exist`)
      : error;
  }
  const damaged = error.code.startsWith("SQLITE_CORRUPT") || error.code === "SQLITE_NOTADB";
  const words = damaged ? "is damaged or no SQLite database" : WORDS[error.code];
  const detail = words === undefined ? `${error.code}: ${error.message}` : words;
  return new ProtocolError("storage_failed", `${file}: ${detail}`, { cause: error });
}

function isDiskError(error: unknown): boolean {
  if (error instanceof FlushFailed) return true;
  return error instanceof BetterSqlite3.SqliteError && error.code.startsWith("SQLITE_IOERR");
}

/** Another process was writing for longer than was waited for. */
function isLocked(error: unknown): boolean {
  const cause = error instanceof ProtocolError ? error.cause : error;
  return cause instanceof BetterSqlite3.SqliteError && cause.code.startsWith("SQLITE_BUSY");
}

/** The row's own fault: the transaction goes on without it, where it was run within a savepoint. */
export function isConstraint(error: unknown): boolean {
  return error instanceof BetterSqlite3.SqliteError && error.code.startsWith("SQLITE_CONSTRAINT");
}

const WORDS: Readonly<Record<string, string>> = {
  SQLITE_CANTOPEN: "cannot be opened; expected a writable directory and file",
  SQLITE_READONLY: "cannot be written; expected a writable directory and file",
  SQLITE_READONLY_DIRECTORY: "cannot be written; expected a writable directory",
  SQLITE_READONLY_DBMOVED: "was moved or removed while it was open",
  SQLITE_FULL: "the disk is full",
  SQLITE_BUSY: "another process holds it, and for longer than is waited for",
};
