/**
 * The write-ahead log of an open database, flushed by another thread: what may be answered a moment later need not keep
 * this one standing still while the disk works.
 */
import assert from "node:assert";
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { ProtocolError } from "@kerbside/protocol";

/** Pages of the log may be lost, although they are still read: the database is not to be trusted as it is open. */
export class FlushFailed extends ProtocolError {
  constructor(file: string, cause: unknown) {
    super("storage_failed", `${file}: its log cannot be flushed`, { cause });
  }
}

/** Flushes that may be under way at once: the kernel takes the second along, and each takes half as long. */
export const FLUSHES_MAX = 2;

export class LogFlush {
  readonly #file: string;
  /**
   * One for each that may be under way, and one for this thread: Linux tells a flush that failed to each of them, but to
   * each only once (fsync(2)), so two that shared one could take the other's failure for their success.
   */
  readonly #free: number[];
  readonly #own: number;
  #underWay = 0;
  #closed = false;

  /** Of a database that is open, before what is to be flushed is written: a later descriptor is not told. */
  constructor(file: string) {
    this.#file = file;
    this.#own = openSync(`${file}-wal`, "r+");
    this.#free = Array.from({ length: FLUSHES_MAX }, () => openSync(`${file}-wal`, "r+"));
  }

  /** What was written before the call is durable when it resolves. Rejects with `FlushFailed`. At most `FLUSHES_MAX` at once. */
  flush(): Promise<void> {
    const log = this.#free.pop();
    assert.ok(log !== undefined, "more flushes at once than there may be");
    this.#underWay += 1;
    return new Promise<void>((done, fail) => {
      fdatasync(log, (error) => {
        this.#underWay -= 1;
        this.#free.push(log);
        this.#end();
        if (error === null) done();
        else fail(new FlushFailed(this.#file, error));
      });
    });
  }

  /** As `flush`, while this thread waits. */
  flushNow(): void {
    try {
      fdatasyncSync(this.#own);
    } catch (error) {
      throw new FlushFailed(this.#file, error);
    }
  }

  /** What is under way goes on. */
  close(): void {
    this.#closed = true;
    this.#end();
  }

  #end(): void {
    if (!this.#closed || this.#underWay > 0) return;
    for (const log of [this.#own, ...this.#free]) closeSync(log);
  }
}
