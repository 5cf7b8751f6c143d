/**
 * The write-ahead log of an open database, flushed by another thread: what may be answered a moment later need not keep
 * this one standing still while the disk works.
 */
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { ProtocolError } from "@kerbside/protocol";

/** Pages of the log may be lost, although they are still read: the database is not to be trusted as it is open. */
export class FlushFailed extends ProtocolError {
  constructor(file: string, cause: unknown) {
    super("storage_failed", `${file}: its log cannot be flushed`, { cause });
  }
}

export class LogFlush {
  readonly #file: string;
  readonly #log: number;
  #underWay = 0;
  #closed = false;

  /**
   * Of a database that is open, before what is to be flushed is written: Linux tells a flush that failed to each
   * descriptor that was open then, once (fsync(2)).
   */
  constructor(file: string) {
    this.#file = file;
    this.#log = openSync(`${file}-wal`, "r+");
  }

  /** What was written before the call is durable when it resolves. Rejects with `FlushFailed`. */
  flush(): Promise<void> {
    this.#underWay += 1;
    return new Promise<void>((done, fail) => {
      fdatasync(this.#log, (error) => {
        this.#underWay -= 1;
        this.#end();
        if (error === null) done();
        else fail(new FlushFailed(this.#file, error));
      });
    });
  }

  /** As `flush`, while this thread waits. */
  flushNow(): void {
    try {
      fdatasyncSync(this.#log);
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
    if (this.#closed && this.#underWay === 0) closeSync(this.#log);
  }
}
