/**
 * The file: SQLite in WAL mode, every commit flushed (`synchronous=FULL`, read back on each opening), and the
 * statements over it. It holds sealed rows, signed headers and keys that authenticate acknowledgements; nothing in it
 * opens an event.
 */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { forOwnerOnly } from "./owner-only.ts";

export const DATABASE_FILE = "agent.sqlite";
export type Handle = Database.Database;

/** "KRBB", so that another program's database is not taken for ours. */
const APPLICATION_ID = 0x4b524242;
const PAGE_BYTES = 4096;
/** A WAL of this many pages is copied back into the database: 4 MiB at 4 KiB a page. */
const CHECKPOINT_PAGES = 1000;

/** Only one who looks into the file may be in the way, for a moment; the agent stands still meanwhile. */
const BUSY_MS = 50;

/** Each step takes a database from its place in the list to the next. Steps are only ever appended. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE logs (
     slot INTEGER PRIMARY KEY, log BLOB NOT NULL UNIQUE, opening BLOB NOT NULL, ack_key BLOB NOT NULL,
     opening_known INTEGER NOT NULL, clean INTEGER NOT NULL, started INTEGER NOT NULL UNIQUE) STRICT;
   CREATE TABLE lanes (
     slot INTEGER NOT NULL REFERENCES logs, lane INTEGER NOT NULL, number INTEGER NOT NULL,
     seq INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (slot, lane)) STRICT, WITHOUT ROWID;
   CREATE TABLE segments (
     place INTEGER PRIMARY KEY, first INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
     state INTEGER NOT NULL, hash BLOB NOT NULL, replaced BLOB, header BLOB NOT NULL, body BLOB) STRICT;
   CREATE TABLE rows (place INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;`,
  // All segments of a lane up to a place were there at a time, Unix time in milliseconds.
  "CREATE TABLE marks (place INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;",
];

/** Whether the file is unusable as it is: what is wrong with it, without opening it. */
export function strangeFile(dir: string): string | undefined {
  const file = join(dir, DATABASE_FILE);
  if (existsSync(file)) return statSync(file).size === 0 ? "it is empty" : undefined;
  return existsSync(`${file}-wal`) ? "its write-ahead log is there and it is not" : undefined;
}

/** Whether commits are kept beside the main file. After an orderly close they are in it, and this is false. */
export function walIsThere(dir: string): boolean {
  const wal = join(dir, `${DATABASE_FILE}-wal`);
  return existsSync(wal) && statSync(wal).size > 0;
}

/**
 * Opens (and makes, and migrates) the database in `dir`. Throws ProtocolError `conflict` where the content is not
 * what it should be, and whatever SQLite throws where the disk fails. `made` is told of the handle before anything can
 * fail with it: it is the caller's to close, as closing the last handle of an intact file deletes its write-ahead log.
 */
export function openDatabase(dir: string, made: (db: Handle) => void): Handle {
  const file = join(dir, DATABASE_FILE);
  const fresh = !existsSync(file);
  // Before SQLite opens it: the write-ahead log gets the mode of the file.
  forOwnerOnly(file);
  const db = new Database(file, { timeout: BUSY_MS });
  made(db);
  if (fresh) db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma("journal_mode = WAL");
  setSynchronous(db);
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma("temp_store = MEMORY");
  db.pragma("foreign_keys = OFF");
  migrate(db);
  const problem = db.pragma("quick_check(1)", { simple: true });
  if (problem !== "ok") throw unsound(String(problem));
  return db;
}

/** Of SQLite's result codes, in the lowest byte: the disk failed. */
const IOERR = 10;

/** What the check says; of a page that it cannot read it tells in words only, and then the content may be whole. */
function unsound(problem: string): ProtocolError {
  const [, code] = /error code=(\d+)/.exec(problem) ?? [];
  const disk = code !== undefined && (Number(code) & 255) === IOERR;
  return new ProtocolError(disk ? "storage_failed" : "conflict", `database: ${problem}`);
}

/** For looking only: takes no lock that a running agent would notice. Throws where there is no database. */
export function openForReading(dir: string): Handle {
  const file = join(dir, DATABASE_FILE);
  if (!existsSync(file)) throw new ProtocolError("not_found", `${file}: no buffer there`);
  const db = new Database(file, { readonly: true });
  try {
    // What an older agent's database lacks, it has nothing in.
    for (const step of MIGRATIONS.slice(checkKind(db)))
      db.exec(step.replaceAll("CREATE TABLE", "CREATE TEMP TABLE"));
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function setSynchronous(db: Handle): void {
  db.pragma("synchronous = FULL");
  // better-sqlite3 is built to fall back to NORMAL in WAL mode; 2 is FULL.
  const mode = db.pragma("synchronous", { simple: true });
  const journal = db.pragma("journal_mode", { simple: true });
  if (mode !== 2 || journal !== "wal") {
    throw new ProtocolError("storage_failed", `database: synchronous ${mode}, journal ${journal}`);
  }
}

function checkKind(db: Handle): number {
  const application = db.pragma("application_id", { simple: true });
  const version = db.pragma("user_version", { simple: true });
  if (typeof version !== "number" || version > MIGRATIONS.length) {
    throw new ProtocolError("conflict", `database: version ${version} is newer than this agent`);
  }
  if (version > 0 && application !== APPLICATION_ID) {
    throw new ProtocolError("conflict", "database: of another program");
  }
  return version;
}

function migrate(db: Handle): void {
  const from = checkKind(db);
  if (from === MIGRATIONS.length) return;
  db.transaction(() => {
    for (const step of MIGRATIONS.slice(from)) db.exec(step);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
  // The main file has its tables before anything is promised: a lost WAL is then told from a new database.
  db.pragma("wal_checkpoint(FULL)");
}
