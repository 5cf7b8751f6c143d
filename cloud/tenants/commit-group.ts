/**
 * Changes that come in at the same moment share their commits: one of the file of keys, one of the store, one of the
 * anchors, in this order, whatever their number. Each change and its audit record still stand or fall together, and
 * apart from the others; and nobody is answered before the head that stands for the record is anchored (P-51). Records
 * whose head may be anchored a moment later are flushed by another thread, while the next ones gather.
 */
import { type AuditEntry, type Finder, ProtocolError, type Subject } from "@kerbside/protocol";
import type { AuditHead, HeadToSign } from "./audit-chain.ts";
import { type Database, isConstraint, type Sql, storageError } from "./database.ts";
import { FLUSHES_MAX } from "./log-flush.ts";
import type { SubjectKey, SubjectKeyFile } from "./subject-keys.ts";

/** The most changes that share a commit; what came in beyond it is in the next, which follows at once. */
export const GROUP_MAX = 256;
/** The most records that gather while others are flushed; then this thread flushes them, and whoever asks waits. */
const GATHERED_MAX = 1024;
/** So many records do not wait for another turn to bring more: sharing hardly makes them cheaper. */
const GATHER_UP_TO = 32;
/** So many do not wait for those that are being flushed, as far as several may be. */
const BESIDE_FROM = 8;

/** A key that a change seals under, made if it is not there yet, and by what its subject is to be found. */
export type KeyWish = {
  readonly subject: Subject;
  readonly finder?: { readonly kind: Finder; readonly value: string };
};

export type CommitGroup = {
  /** Throws what the change throws, or `not_found` where the key was destroyed; then nothing of it has happened. */
  readonly put: <T>(
    wish: KeyWish,
    entry: AuditEntry,
    change: (sql: Sql, key: SubjectKey) => T,
  ) => Promise<T>;
  /** `soon`: its head is anchored a moment after it is answered, or with one that must not wait. */
  readonly audit: (entry: AuditEntry, anchored?: "now" | "soon") => Promise<void>;
  /** Commits what waits, before a close. */
  readonly settle: () => void;
};

type Waiting = {
  readonly wish: KeyWish | undefined;
  /** Its head is to be anchored before it is answered. */
  readonly isUrgent: boolean;
  /** In the transaction. Answers what to do once all is durable. */
  readonly run: (sql: Sql, keys: ReadonlyMap<Subject, SubjectKey>) => () => void;
  readonly fail: (error: unknown) => void;
};

/** What to do once a transaction is durable, and the head that stands for all of it. */
type Done = { readonly answers: readonly (() => void)[]; readonly head: HeadToSign | undefined };
/** Records that are committed and not flushed yet. */
type Flight = Done & { readonly group: readonly Waiting[] };

export type Records = {
  /** Within the transaction. `last`: the head before, where this transaction wrote it. */
  readonly record: (sql: Sql, entry: AuditEntry, last: AuditHead | undefined) => AuditHead;
  /** Of the last head of a transaction, within it. */
  readonly toSign: (sql: Sql, head: AuditHead) => HeadToSign;
  readonly now: (head: HeadToSign) => void;
  readonly soon: (head: HeadToSign) => void;
};

export function commitGroup(
  files: { readonly store: Database; readonly keys: SubjectKeyFile },
  records: Records,
): CommitGroup {
  const group = new Group(files.store, files.keys, records);
  return {
    put: (wish, entry, change) =>
      group.enqueue(wish, true, (sql, made) => {
        const key = made.get(wish.subject);
        if (key === undefined)
          throw new ProtocolError("not_found", "subject key: was destroyed, or never made");
        const value = change(sql, key);
        group.record(sql, entry);
        return value;
      }),
    audit: (entry, anchored = "now") =>
      group.enqueue(undefined, anchored === "now", (sql) => group.record(sql, entry)),
    settle: () => group.settle(),
  };
}

class Group {
  readonly #store: Database;
  readonly #keys: SubjectKeyFile;
  readonly #records: Records;
  readonly #waiting: Waiting[] = [];
  #urgent = 0;
  #soon: NodeJS.Immediate | undefined;
  readonly #flights = new Set<Flight>();
  /** How many waited when the turn before ended. */
  #gathered = 0;
  /** Of the transaction that is run. */
  #head: AuditHead | undefined;

  constructor(store: Database, keys: SubjectKeyFile, records: Records) {
    this.#store = store;
    this.#keys = keys;
    this.#records = records;
  }

  enqueue<T>(
    wish: KeyWish | undefined,
    isUrgent: boolean,
    run: (sql: Sql, keys: ReadonlyMap<Subject, SubjectKey>) => T,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        wish,
        isUrgent,
        fail: reject,
        run: (sql, made) => {
          const value = run(sql, made);
          return () => resolve(value);
        },
      });
      if (isUrgent) this.#urgent += 1;
      this.#soon ??= setImmediate(() => this.#drain());
    });
  }

  /** Within a change that is run. */
  record(sql: Sql, entry: AuditEntry): void {
    this.#head = this.#records.record(sql, entry, this.#head);
  }

  settle(): void {
    for (const flight of this.#flights) {
      try {
        this.#store.flush();
        this.#land(flight);
      } catch (error) {
        this.#land(flight, { error });
      }
    }
    while (this.#waiting.length > 0) this.#commit(this.#next());
  }

  #drain(): void {
    if (this.#soon !== undefined) clearImmediate(this.#soon);
    this.#soon = undefined;
    while (this.#waiting.length > 0) {
      const isFull = this.#waiting.length > GATHERED_MAX;
      if (this.#urgent > 0 || isFull) this.#commit(this.#next());
      // They go together when one has landed.
      else if (!this.#mayLaunch()) return;
      else if (this.#isGathering()) {
        this.#soon = setImmediate(() => this.#drain());
        return;
      } else this.#launch(this.#next());
    }
  }

  /** Few wait for the one that is under way, so that more share the next. */
  #mayLaunch(): boolean {
    const { size } = this.#flights;
    return size === 0 || (size < FLUSHES_MAX && this.#waiting.length >= BESIDE_FROM);
  }

  /** More came in since it was asked last, and they may share a commit with what comes in the next turn. */
  #isGathering(): boolean {
    const count = this.#waiting.length;
    const grows = count > this.#gathered && count < GATHER_UP_TO;
    this.#gathered = grows ? count : 0;
    return grows;
  }

  #next(): readonly Waiting[] {
    const group = this.#waiting.splice(0, GROUP_MAX);
    for (const { isUrgent } of group) if (isUrgent) this.#urgent -= 1;
    return group;
  }

  #commit(group: readonly Waiting[]): void {
    let done: Done;
    try {
      const made = this.#keys.makeAll(group.flatMap(({ wish }) => wish ?? []));
      done = this.#store.write((sql) => this.#runAll(sql, group, made));
      const anchor = group.some(({ isUrgent }) => isUrgent) ? "now" : "soon";
      if (done.head !== undefined) this.#records[anchor](done.head);
    } catch (error) {
      for (const { fail } of group) fail(error);
      return;
    }
    for (const answer of done.answers) answer();
  }

  /** Of records only, which need no keys. */
  #launch(group: readonly Waiting[]): void {
    try {
      const late = this.#store.writeLate((sql) => this.#runAll(sql, group, new Map()));
      const flight = { ...late.value, group };
      this.#flights.add(flight);
      late.durable
        .then(
          () => this.#land(flight),
          (error: unknown) => this.#land(flight, { error }),
        )
        .finally(() => this.#drain());
    } catch (error) {
      for (const { fail } of group) fail(error);
    }
  }

  #land(flight: Flight, failed?: { readonly error: unknown }): void {
    // Else it was settled meanwhile.
    if (!this.#flights.delete(flight)) return;
    if (failed !== undefined) {
      for (const { fail } of flight.group) fail(failed.error);
      return;
    }
    if (flight.head !== undefined) this.#records.soon(flight.head);
    for (const answer of flight.answers) answer();
  }

  #runAll(sql: Sql, group: readonly Waiting[], made: ReadonlyMap<Subject, SubjectKey>): Done {
    this.#head = undefined;
    const answers = group.map((one) => this.#attempt(sql, one, made, group.length > 1));
    const head = this.#head as AuditHead | undefined;
    return { answers, head: head && this.#records.toSign(sql, head) };
  }

  /** One that fails takes only its own changes with it. */
  #attempt(
    sql: Sql,
    { wish, run, fail }: Waiting,
    made: ReadonlyMap<Subject, SubjectKey>,
    isShared: boolean,
  ): () => void {
    const before = this.#head;
    // A record alone is one statement, which SQLite undoes by itself.
    const isApart = isShared && wish !== undefined;
    if (isApart) sql.run("SAVEPOINT one");
    try {
      const answer = run(sql, made);
      if (isApart) sql.run("RELEASE one");
      return answer;
    } catch (error) {
      // Alone it takes the transaction with it. What is no refusal may be the disk's, which concerns all.
      if (!isShared || !(error instanceof ProtocolError || isConstraint(error))) throw error;
      this.#head = before;
      if (isApart) {
        sql.run("ROLLBACK TO one");
        sql.run("RELEASE one");
      }
      const told = storageError(this.#store.file, error);
      return () => fail(told);
    }
  }
}
