/**
 * Stands in for `better-sqlite3` in the packages under test, over SQLite on simulated disks. It has what those packages
 * use, and the traps of the original: WAL mode begins with `synchronous=NORMAL`.
 */
import type { Disk } from "./disk.ts";
import { locate } from "./mounts.ts";
import { loadSqlite, VFS_NAME } from "./vfs.ts";

const sqlite = await loadSqlite();
const { capi, wasm } = sqlite;
const { heap8u } = wasm;
type Row = Record<string, unknown>;

/**
 * SQLite's functions as the module exports them: the library's own wrappers allocate and convert at each call, which is
 * most of the time of a world. Pointers and codes are numbers.
 */
type Call = (...args: (number | bigint)[]) => number;
const api: Readonly<Record<string, Call>> = Object.fromEntries(
  Object.entries(wasm.exports).filter(
    (entry): entry is [string, Call] => typeof entry[1] === "function",
  ),
);
const fn = (name: string): Call => {
  const found = api[`sqlite3_${name}`];
  if (found === undefined) throw new Error(`SQLite exports no ${name}`);
  return found;
};
const bind = {
  double: fn("bind_double"),
  int: fn("bind_int"),
  int64: fn("bind_int64"),
  text: fn("bind_text"),
  blob: fn("bind_blob"),
  null: fn("bind_null"),
  zeroblob: fn("bind_zeroblob"),
};
const column = {
  count: fn("column_count"),
  type: fn("column_type"),
  double: fn("column_double"),
  text: fn("column_text"),
  blob: fn("column_blob"),
  bytes: fn("column_bytes"),
  name: fn("column_name"),
};
const [step, reset, finalize, execute] = [fn("step"), fn("reset"), fn("finalize"), fn("exec")];
const [prepare, errorCode, allocate, release] = [
  fn("prepare_v2"),
  fn("extended_errcode"),
  fn("malloc"),
  fn("free"),
];
const [parameterCount, parameterName, changed, autocommit] = [
  fn("bind_parameter_count"),
  fn("bind_parameter_name"),
  fn("changes"),
  fn("get_autocommit"),
];
/** Of `sqlite3_bind_*`: SQLite makes a copy before it returns. */
const TRANSIENT = -1;
const INT32 = 2 ** 31;

/** One piece of SQLite's memory for what is handed over; grown as need be. */
let scratch = 0;
let scratchBytes = 0;

function lend(bytes: Uint8Array): number {
  if (bytes.length + 1 > scratchBytes) {
    if (scratch !== 0) release(scratch);
    scratchBytes = 2 * bytes.length + 4096;
    scratch = allocate(scratchBytes);
  }
  const heap = heap8u();
  heap.set(bytes, scratch);
  heap[scratch + bytes.length] = 0;
  return scratch;
}

export class SqliteError extends Error {
  override readonly name = "SqliteError";
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

function failure(db: number, code: number = errorCode(db)): SqliteError {
  const name = capi.sqlite3_js_rc_str(code) ?? capi.sqlite3_js_rc_str(code & 0xff);
  const words = db === 0 ? "" : capi.sqlite3_errmsg(db);
  return new SqliteError(words, name ?? `SQLITE_${code}`);
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

const words = (pointer: number): string => wasm.cstrToJs(pointer) ?? "";

/** Compiled when it is used first: a program prepares all it may need, and few worlds need it all. */
class Statement {
  readonly #db: number;
  readonly #text: string;
  #statement = 0;
  #names: readonly (string | undefined)[] = [];
  #hasNames = false;
  #columns: readonly string[] = [];
  #pluck = false;

  constructor(db: number, text: string) {
    this.#db = db;
    this.#text = text;
  }

  #compile(): void {
    const out = allocate(8);
    const code = prepare(this.#db, lend(Buffer.from(this.#text)), -1, out, 0);
    this.#statement = wasm.peekPtr(out);
    release(out);
    if (code !== capi.SQLITE_OK) throw failure(this.#db);
    this.#names = Array.from({ length: parameterCount(this.#statement) }, (_, i) => {
      const name = parameterName(this.#statement, i + 1);
      return name === 0 ? undefined : words(name).slice(1);
    });
    this.#hasNames = this.#names.some((name) => name !== undefined);
    this.#columns = Array.from({ length: column.count(this.#statement) }, (_, i) =>
      words(column.name(this.#statement, i)),
    );
  }

  pluck(): this {
    this.#pluck = true;
    return this;
  }

  #bind(values: readonly unknown[]): void {
    if (this.#statement === 0) this.#compile();
    if (!this.#hasNames) {
      for (const [i, value] of values.flat().entries())
        if (this.#put(i + 1, value) !== capi.SQLITE_OK) throw failure(this.#db);
      return;
    }
    const named = values.find(isNamed) ?? {};
    const placed = values.filter((value) => !isNamed(value)).flat();
    let next = 0;
    for (const [i, name] of this.#names.entries()) {
      const value = name === undefined ? placed[next++] : Reflect.get(named, name);
      if (this.#put(i + 1, value) !== capi.SQLITE_OK) throw failure(this.#db);
    }
  }

  /** Numbers as better-sqlite3 binds them. */
  #put(place: number, value: unknown): number {
    const statement = this.#statement;
    if (typeof value === "number") {
      const small = Number.isInteger(value) && value >= -INT32 && value < INT32;
      return small ? bind.int(statement, place, value) : bind.double(statement, place, value);
    }
    if (value === null) return bind.null(statement, place);
    if (typeof value === "bigint") return bind.int64(statement, place, value);
    if (typeof value === "string") {
      const bytes = Buffer.from(value);
      return bind.text(statement, place, lend(bytes), bytes.length, TRANSIENT);
    }
    if (!(value instanceof Uint8Array)) throw new TypeError("SQLite cannot take this value");
    if (value.length === 0) return bind.zeroblob(statement, place, 0);
    return bind.blob(statement, place, lend(value), value.length, TRANSIENT);
  }

  #value(at: number): unknown {
    const statement = this.#statement;
    const type = column.type(statement, at);
    if (type === capi.SQLITE_INTEGER || type === capi.SQLITE_FLOAT)
      return column.double(statement, at);
    if (type === capi.SQLITE_NULL) return null;
    const isText = type === capi.SQLITE_TEXT;
    const from = isText ? column.text(statement, at) : column.blob(statement, at);
    const bytes = heap8u().slice(from, from + column.bytes(statement, at));
    const own = Buffer.from(bytes.buffer);
    return isText ? own.toString() : own;
  }

  #row(): unknown {
    if (this.#pluck) return this.#value(0);
    const row: Row = {};
    for (let i = 0; i < this.#columns.length; i += 1) row[this.#columns[i] ?? ""] = this.#value(i);
    return row;
  }

  #step(): boolean {
    const code = step(this.#statement);
    if (code === capi.SQLITE_ROW) return true;
    if (code === capi.SQLITE_DONE) return false;
    throw failure(this.#db);
  }

  get(...values: unknown[]): unknown {
    try {
      this.#bind(values);
      return this.#step() ? this.#row() : undefined;
    } finally {
      this.#reset();
    }
  }

  all(...values: unknown[]): unknown[] {
    return [...this.iterate(...values)];
  }

  *iterate(...values: unknown[]): Generator<unknown> {
    try {
      this.#bind(values);
      while (this.#step()) yield this.#row();
    } finally {
      this.#reset();
    }
  }

  run(...values: unknown[]): { readonly changes: number } {
    try {
      this.#bind(values);
      while (this.#step());
    } finally {
      this.#reset();
    }
    return { changes: changed(this.#db) };
  }

  /** The error of a step is thrown by the step; resetting repeats it. */
  #reset(): void {
    if (this.#statement !== 0) reset(this.#statement);
  }

  finalize(): void {
    if (this.#statement !== 0) finalize(this.#statement);
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
  readonly #db: number;
  readonly #prepared: Statement[] = [];
  readonly #disk: Disk | undefined;
  readonly #generation: number | undefined;
  #closed = false;

  constructor(
    file: string,
    options: { readonly readonly?: boolean; readonly timeout?: number } = {},
  ) {
    const flags =
      options.readonly === true
        ? capi.SQLITE_OPEN_READONLY
        : capi.SQLITE_OPEN_READWRITE | capi.SQLITE_OPEN_CREATE;
    const out = allocate(8);
    const code = capi.sqlite3_open_v2(file, out, flags, VFS_NAME);
    this.#db = wasm.peekPtr(out);
    release(out);
    if (code !== capi.SQLITE_OK) {
      const error = failure(this.#db, code);
      capi.sqlite3_close_v2(this.#db);
      throw error;
    }
    this.#disk = locate(file)?.disk;
    this.#generation = this.#disk?.generation;
    open.add(this);
    capi.sqlite3_extended_result_codes(this.#db, 1);
    if (options.readonly !== true) this.#quietly("PRAGMA synchronous = NORMAL");
  }

  /** better-sqlite3 does this at compile time, so it cannot fail. */
  #quietly(text: string): void {
    // A file that cannot be read yet has nothing to set.
    this.#execute(text);
  }

  #execute(text: string): number {
    return execute(this.#db, lend(Buffer.from(text)), 0, 0, 0);
  }

  /** Whether the machine that opened it is down. */
  orphaned(): boolean {
    return this.#disk?.dead === true || this.#disk?.generation !== this.#generation;
  }

  prepare(text: string): Statement {
    const statement = new Statement(this.#db, text);
    this.#prepared.push(statement);
    return statement;
  }

  exec(text: string): this {
    if (this.#execute(text) !== capi.SQLITE_OK) throw failure(this.#db);
    return this;
  }

  pragma(text: string, options: { readonly simple?: boolean } = {}): unknown {
    const statement = new Statement(this.#db, `PRAGMA ${text}`);
    try {
      const rows = statement.all();
      return options.simple === true ? Object.values(rows[0] ?? {})[0] : rows;
    } finally {
      statement.finalize();
    }
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
    return autocommit(this.#db) === 0;
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
    capi.sqlite3_close_v2(this.#db);
    return this;
  }
}
