/**
 * Stands in for `better-sqlite3` in the packages under test, over SQLite on simulated disks. It has what those packages
 * use, and the traps of the original: WAL mode begins with `synchronous=NORMAL`.
 */
import { loadSqlite, VFS_NAME } from "./vfs.ts";

const sqlite = await loadSqlite();
const { capi, oo1 } = sqlite;
type Db = InstanceType<typeof oo1.DB>;
type Prepared = ReturnType<Db["prepare"]>;
type Row = Record<string, unknown>;

export class SqliteError extends Error {
  override readonly name = "SqliteError";
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof sqlite.SQLite3Error)) return error;
  const { resultCode } = error;
  const name = capi.sqlite3_js_rc_str(resultCode) ?? capi.sqlite3_js_rc_str(resultCode & 0xff);
  return new SqliteError(error.message, name ?? `SQLITE_${resultCode}`);
}

function guarded<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw translated(error);
  }
}

/** Databases that are open, so that those of a machine that went down can be let go. */
const open = new Set<Database>();

/** Frees what programs that were killed had open. Their disks must have been restarted. */
export function reap(): void {
  for (const database of [...open]) if (database.orphaned()) database.close();
}

/** Values by name, as better-sqlite3 takes them beside those by place. */
function isNamed(value: unknown): value is object {
  const plain = typeof value === "object" && value !== null && !Array.isArray(value);
  return plain && !(value instanceof Uint8Array);
}

class Statement {
  readonly #statement: Prepared;
  readonly #database: Database;
  #pluck = false;

  constructor(database: Database, statement: Prepared) {
    this.#database = database;
    this.#statement = statement;
  }

  pluck(): this {
    this.#pluck = true;
    return this;
  }

  #bind(values: readonly unknown[]): void {
    const statement = this.#statement;
    statement.reset();
    const named = values.find(isNamed) ?? {};
    const placed = values.filter((value) => !isNamed(value)).flat();
    for (let i = 1; i <= statement.parameterCount; i += 1) {
      const name = capi.sqlite3_bind_parameter_name(statement.pointer ?? 0, i)?.slice(1);
      const value = name === undefined ? placed.shift() : Reflect.get(named, name);
      statement.bind(i, value as never);
    }
  }

  #row(): unknown {
    const statement = this.#statement;
    const row: Row = {};
    for (let i = 0; i < statement.columnCount; i += 1) {
      const value: unknown = statement.get(i);
      const own = value instanceof Uint8Array ? Buffer.from(value) : value;
      if (this.#pluck) return own;
      row[statement.getColumnName(i) ?? String(i)] = own;
    }
    return row;
  }

  #done(): void {
    // The error of a step is thrown by the step; resetting repeats it.
    capi.sqlite3_reset(this.#statement.pointer ?? 0);
  }

  get(...values: unknown[]): unknown {
    return guarded(() => {
      try {
        this.#bind(values);
        return this.#statement.step() ? this.#row() : undefined;
      } finally {
        this.#done();
      }
    });
  }

  all(...values: unknown[]): unknown[] {
    return [...this.iterate(...values)];
  }

  *iterate(...values: unknown[]): Generator<unknown> {
    try {
      this.#bind(values);
      while (this.#statement.step()) yield this.#row();
    } catch (error) {
      throw translated(error);
    } finally {
      this.#done();
    }
  }

  run(...values: unknown[]): { readonly changes: number } {
    return guarded(() => {
      try {
        this.#bind(values);
        while (this.#statement.step());
      } finally {
        this.#done();
      }
      return { changes: this.#database.changes() };
    });
  }
}

type Transaction<A extends unknown[], R> = ((...args: A) => R) & {
  deferred: (...args: A) => R;
  immediate: (...args: A) => R;
  exclusive: (...args: A) => R;
};

// biome-ignore lint/style/noDefaultExport: the package that it stands in for has one.
export default class Database {
  static readonly SqliteError = SqliteError;
  readonly #db: Db;
  readonly #prepared: Prepared[] = [];
  #closed = false;

  constructor(
    file: string,
    options: { readonly readonly?: boolean; readonly timeout?: number } = {},
  ) {
    const flags = options.readonly === true ? "r" : "c";
    this.#db = guarded(() => new oo1.DB({ filename: file, flags, vfs: VFS_NAME }));
    open.add(this);
    capi.sqlite3_extended_result_codes(this.#pointer(), 1);
    if (options.readonly !== true) this.#quietly("PRAGMA synchronous = NORMAL");
  }

  #pointer(): number {
    return this.#db.pointer ?? 0;
  }

  /** better-sqlite3 does this at compile time, so it cannot fail. */
  #quietly(text: string): void {
    try {
      this.#db.exec(text);
    } catch {
      // A file that cannot be read yet has nothing to set.
    }
  }

  /** Whether the machine that opened it is down. */
  orphaned(): boolean {
    try {
      this.#db.exec("PRAGMA schema_version");
      return false;
    } catch {
      return true;
    }
  }

  changes(): number {
    return Number(this.#db.changes());
  }

  prepare(text: string): Statement {
    const statement = guarded(() => this.#db.prepare(text));
    this.#prepared.push(statement);
    return new Statement(this, statement);
  }

  exec(text: string): this {
    guarded(() => this.#db.exec(text));
    return this;
  }

  pragma(text: string, options: { readonly simple?: boolean } = {}): unknown {
    const rows = guarded(() => this.#db.selectObjects(`PRAGMA ${text}`));
    return options.simple === true ? Object.values(rows[0] ?? {})[0] : rows;
  }

  transaction<A extends unknown[], R>(run: (...args: A) => R): Transaction<A, R> {
    const as =
      (begin: string) =>
      (...args: A): R =>
        this.#transact(begin, () => run(...args));
    return Object.assign(as("BEGIN"), {
      deferred: as("BEGIN DEFERRED"),
      immediate: as("BEGIN IMMEDIATE"),
      exclusive: as("BEGIN EXCLUSIVE"),
    });
  }

  get inTransaction(): boolean {
    return capi.sqlite3_get_autocommit(this.#pointer()) === 0;
  }

  #transact<R>(begin: string, run: () => R): R {
    const nested = this.inTransaction;
    this.exec(nested ? "SAVEPOINT nested" : begin);
    try {
      const result = run();
      this.exec(nested ? "RELEASE nested" : "COMMIT");
      return result;
    } catch (error) {
      if (this.inTransaction) {
        this.exec(nested ? "ROLLBACK TO nested" : "ROLLBACK");
        if (nested) this.exec("RELEASE nested");
      }
      throw error;
    }
  }

  close(): this {
    if (this.#closed) return this;
    this.#closed = true;
    open.delete(this);
    for (const statement of this.#prepared) statement.finalize();
    this.#db.close();
    return this;
  }
}
