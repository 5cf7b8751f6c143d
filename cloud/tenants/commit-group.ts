/**
 * Changes that come in at the same moment share their commits: one of the file of keys, one of the store, one of the
 * anchors, in this order, whatever their number. Each change and its audit record still stand or fall together, and
 * apart from the others; and nobody is answered before the head that stands for the record is anchored (P-51).
 */
import { type AuditEntry, type Finder, ProtocolError, type Subject } from "@kerbside/protocol";
import type { HeadToSign } from "./audit-chain.ts";
import { type Database, isConstraint, type Sql, storageError } from "./database.ts";
import type { SubjectKey, SubjectKeyFile } from "./subject-keys.ts";

/** The most changes that share a commit; what came in beyond it is in the next, which follows at once. */
export const GROUP_MAX = 256;

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
  /** In the transaction. Answers what to do once all is durable. */
  readonly run: (sql: Sql, keys: ReadonlyMap<Subject, SubjectKey>) => () => void;
  readonly fail: (error: unknown) => void;
};

export function commitGroup(
  { store, keys }: { readonly store: Database; readonly keys: SubjectKeyFile },
  record: (sql: Sql, entry: AuditEntry) => HeadToSign,
  anchors: {
    readonly now: (head: HeadToSign) => void;
    readonly soon: (head: HeadToSign) => void;
  },
): CommitGroup {
  const waiting: Waiting[] = [];
  let soon: NodeJS.Immediate | undefined;
  let head: HeadToSign | undefined;
  let isUrgent = false;

  const commit = (group: readonly Waiting[]): void => {
    let done: readonly (() => void)[];
    try {
      const wishes = group.flatMap(({ wish }) => wish ?? []);
      const made = keys.makeAll(wishes);
      head = undefined;
      isUrgent = false;
      done = store.write((sql) => group.map((one) => attempt(sql, one, made, group.length > 1)));
      if (head !== undefined) anchors[isUrgent ? "now" : "soon"](head);
    } catch (error) {
      for (const { fail } of group) fail(error);
      return;
    }
    for (const answer of done) answer();
  };
  /** One that fails takes only its own changes with it. */
  const attempt = (
    sql: Sql,
    { run, fail }: Waiting,
    made: ReadonlyMap<Subject, SubjectKey>,
    isShared: boolean,
  ): (() => void) => {
    const before = head;
    if (isShared) sql.run("SAVEPOINT one");
    try {
      const answer = run(sql, made);
      if (isShared) sql.run("RELEASE one");
      return answer;
    } catch (error) {
      // Alone it takes the transaction with it. What is no refusal may be the disk's, which concerns all.
      if (!isShared || !(error instanceof ProtocolError || isConstraint(error))) throw error;
      head = before;
      sql.run("ROLLBACK TO one");
      sql.run("RELEASE one");
      const told = storageError(store.file, error);
      return () => fail(told);
    }
  };
  const drain = (): void => {
    soon = undefined;
    while (waiting.length > 0) commit(waiting.splice(0, GROUP_MAX));
  };
  const enqueue = <T>(
    wish: KeyWish | undefined,
    run: (sql: Sql, keys: ReadonlyMap<Subject, SubjectKey>) => T,
  ): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      waiting.push({
        wish,
        fail: reject,
        run: (sql, made) => {
          const value = run(sql, made);
          return () => resolve(value);
        },
      });
      soon ??= setImmediate(drain);
    });
  return {
    put: (wish, entry, change) =>
      enqueue(wish, (sql, made) => {
        const key = made.get(wish.subject);
        if (key === undefined)
          throw new ProtocolError("not_found", "subject key: was destroyed, or never made");
        const value = change(sql, key);
        head = record(sql, entry);
        isUrgent = true;
        return value;
      }),
    audit: (entry, anchored = "now") =>
      enqueue(undefined, (sql) => {
        head = record(sql, entry);
        isUrgent ||= anchored === "now";
      }),
    settle: () => {
      if (soon !== undefined) clearImmediate(soon);
      drain();
    },
  };
}
