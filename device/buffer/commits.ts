/**
 * Commits that share what they can. What may be done again after a crash (forgetting what the cloud has) waits in an
 * open transaction for the next commit that somebody waits for, so that it costs the flash no flush of its own.
 */
import type { Handle } from "./database.ts";

export type Commits = {
  /** Runs it and makes it durable, with all that waited. Throws what it throws; then nothing of either is done. */
  readonly now: <T>(run: () => T) => T;
  /** Runs it; seen at once by this handle, durable with the next `now` or `flush`. Throws as `now` does. */
  readonly later: <T>(run: () => T) => T;
  /** Makes durable what waits. Does nothing where nothing does. */
  readonly flush: () => void;
  /** Gives up what waits. */
  readonly forget: () => void;
};

export function commits(db: Handle): Commits {
  const begin = db.prepare("BEGIN IMMEDIATE");
  const end = db.prepare("COMMIT");
  const undo = db.prepare("ROLLBACK");
  // Inside an open transaction it is a savepoint.
  const within = db.transaction((run: () => unknown): unknown => run());
  const forget = (): void => {
    if (db.inTransaction) undo.run();
  };
  /** What throws leaves nothing open: an open transaction would keep everybody else from this file for good. */
  const whole = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      try {
        forget();
      } catch {
        // The disk that fails: SQLite has rolled it back, or does so as the file is opened again.
      }
      throw error;
    }
  };
  const flush = (): void => {
    if (db.inTransaction) whole(() => end.run());
  };
  const later = <T>(run: () => T): T =>
    whole(() => {
      if (!db.inTransaction) begin.run();
      return within(run) as T;
    });
  const now = <T>(run: () => T): T =>
    whole(() => {
      if (!db.inTransaction) begin.run();
      const result = run();
      end.run();
      return result;
    });
  return { now, later, flush, forget };
}
