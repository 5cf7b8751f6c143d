/**
 * One writer at a time: a lock that the kernel gives back when its holder dies, however it dies. Two writers would
 * each take the other's open segment for the remains of a crash.
 */
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { forOwnerOnly } from "./owner-only.ts";

const LOCK_FILE = "agent.lock";

export type WriterLock = { readonly release: () => void };

/** Throws ProtocolError `conflict` while another process holds it. */
export function lockForWriting(dir: string): WriterLock {
  const file = join(dir, LOCK_FILE);
  forOwnerOnly(file);
  const db = new Database(file, { timeout: 0 });
  try {
    db.pragma("journal_mode = MEMORY");
    db.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    db.close();
    const busy = cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY");
    if (!busy) throw cause;
    throw new ProtocolError("conflict", `${file}: another process writes this buffer`, { cause });
  }
  return { release: () => db.close() };
}
