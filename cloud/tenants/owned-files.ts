/**
 * Files of people, bookings and cars (P-32): each in one row with a random name, sealed under its owner's key, so that
 * it is copied, replicated, restored and erased with all else that is known of them. A link to one is a MAC under a key
 * that only the tenant's vault yields: good in every process, for its time, and kept nowhere.
 */
import { randomUUID } from "node:crypto";
import {
  type AuditEntry,
  checkFile,
  concatBytes,
  deriveKey,
  encodeCbor,
  FILE_TYPES,
  FILES_OF_OWNER_MAX,
  type FileLink,
  type FileOwner,
  type FileRecord,
  type FileStore,
  type FileType,
  fileLifeMs,
  fileOwner,
  fromHex,
  hmac,
  isFileKind,
  ProtocolError,
  randomBytes,
  type Subject,
  sameMac,
  toHex,
  utf8,
} from "@kerbside/protocol";
import type { Sql } from "./database.ts";
import type { Engine } from "./engine.ts";
import { heldSubjects } from "./held-subjects.ts";
import type { Audited } from "./people-store.ts";
import type { TransitKeys } from "./subject-keys.ts";
import { readVersion, versionBytes } from "./transit.ts";

const LINK_BYTES = 8;
const COLUMNS = "file, kind, owner, type, bytes, added_at_ms, until_ms";

type Row = {
  readonly file: string;
  readonly kind: string;
  readonly owner: string;
  readonly type: string;
  readonly bytes: number;
  readonly added_at_ms: number;
  readonly until_ms: number | null;
};

function noFile(): ProtocolError {
  return new ProtocolError("not_found", "file: there is none such");
}

function recordOf(row: Row): FileRecord {
  const { file, kind, type, bytes } = row;
  if (!isFileKind(kind) || !Object.hasOwn(FILE_TYPES, type))
    throw new ProtocolError("storage_failed", "file: its kind or type is none of the known ones");
  return {
    file,
    kind,
    owner: fileOwner(row.owner),
    // Checked just above.
    type: type as FileType,
    bytes,
    addedAtMs: row.added_at_ms,
    ...(row.until_ms === null ? {} : { untilMs: row.until_ms }),
  };
}

/** Nobody moves content to another file, kind or owner unseen. */
function binding(
  { tenant }: Engine,
  { file, kind, owner }: Omit<FilePlace, "content">,
): Uint8Array {
  return utf8(`kerbside/v1/file\n${tenant}\n${file}\n${kind}\n${owner}`);
}
type FilePlace = Pick<FileRecord, "file" | "kind" | "owner">;

function find(engine: Engine, sql: Sql, file: string): FileRecord | undefined {
  const row = sql.get<Row>(
    `SELECT ${COLUMNS} FROM owned_files WHERE file = ? AND (until_ms IS NULL OR until_ms > ?)`,
    file,
    engine.nowMs(),
  );
  return row === undefined ? undefined : recordOf(row);
}

const ENDED = "until_ms <= ? AND owner NOT IN (SELECT value FROM json_each(?))";

function deleteEnded({ nowMs }: Engine, sql: Sql, held: ReadonlySet<Subject>): number {
  return sql.run(`DELETE FROM owned_files WHERE ${ENDED}`, nowMs(), JSON.stringify([...held]));
}

/** Files whose time is over, where nobody adds another. Returns how many; none is no entry in the trail. */
export function removeEnded(engine: Engine, audited: Audited): number {
  const { store, nowMs, tenant } = engine;
  const found = store.read((sql) =>
    sql.get<{ n: number }>(
      `SELECT count(*) AS n FROM owned_files WHERE ${ENDED}`,
      ...[nowMs(), JSON.stringify([...heldSubjects(engine, sql)])],
    ),
  );
  const n = found?.n ?? 0;
  if (n === 0) return 0;
  const subject = `tenant:${tenant}`;
  const entry = { actor: "kerbside", action: "file.end", subject, reason: `${n} files` } as const;
  return audited({ ...entry, outcome: "done" }, (sql) =>
    deleteEnded(engine, sql, heldSubjects(engine, sql)),
  );
}

/**
 * Within the caller's transaction: what is over goes, an avatar takes the place of the one before, but for what a hold
 * keeps.
 */
function insert(engine: Engine, sql: Sql, record: FileRecord, sealed: Uint8Array): void {
  const { file, kind, owner, type, bytes, addedAtMs, untilMs } = record;
  const held = heldSubjects(engine, sql);
  deleteEnded(engine, sql, held);
  if (kind === "avatar" && !held.has(owner))
    sql.run("DELETE FROM owned_files WHERE owner = ? AND kind = ?", owner, kind);
  const there = sql.get<{ n: number }>(
    "SELECT count(*) AS n FROM owned_files WHERE owner = ?",
    owner,
  );
  if ((there?.n ?? 0) >= FILES_OF_OWNER_MAX)
    throw new ProtocolError("limit_reached", `files: expected at most ${FILES_OF_OWNER_MAX}`);
  sql.run(
    `INSERT INTO owned_files (${COLUMNS}, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[file, kind, owner, type, bytes, addedAtMs, untilMs ?? null, sealed],
  );
}

function openContent(engine: Engine, sql: Sql, record: FileRecord): Uint8Array {
  const row = sql.get<{ content: Uint8Array }>(
    "SELECT content FROM owned_files WHERE file = ?",
    record.file,
  );
  const key = engine.keys.existing(record.owner);
  if (row === undefined || key === undefined) throw noFile();
  return key.open(row.content, binding(engine, record));
}

/** Files whose owner is no more; to be called in the transaction that marks the end. */
export function removeFilesOf(sql: Sql, owner: FileOwner): void {
  sql.run("DELETE FROM owned_files WHERE owner = ?", owner);
}

export function fileStore(engine: Engine, audited: Audited, transit: TransitKeys): FileStore {
  const { store, nowMs } = engine;
  const must = (file: string): FileRecord => {
    const record = store.read((sql) => find(engine, sql, file));
    if (record === undefined) throw noFile();
    return record;
  };
  return {
    putFile: async ({ kind, owner, content }, audit) => {
      const type = checkFile(kind, owner, content);
      const lifeMs = fileLifeMs(kind);
      const [file, addedAtMs] = [randomUUID(), nowMs()];
      const until = lifeMs === undefined ? {} : { untilMs: addedAtMs + lifeMs };
      const record = { file, kind, owner, type, bytes: content.length, addedAtMs, ...until };
      const sealed = engine.keys.key(owner).seal(content, binding(engine, record));
      const entry = { ...audit, reason: [audit.reason, `${kind} ${file}`].join(" ").trim() };
      audited(entry, (sql) => insert(engine, sql, record, sealed));
      return record;
    },
    file: async (file) => store.read((sql) => find(engine, sql, file)),
    files: async (owner) =>
      store.read((sql) =>
        sql
          .all<Row>(
            `SELECT ${COLUMNS} FROM owned_files WHERE owner = ? AND (until_ms IS NULL OR until_ms > ?) ORDER BY added_at_ms DESC, file`,
            owner,
            nowMs(),
          )
          .map(recordOf),
      ),
    readFile: async (file, audit) => {
      const record = must(file);
      audited(audit, () => undefined);
      return store.read((sql) => openContent(engine, sql, record));
    },
    removeFile: async (file, audit) =>
      audited(audit, (sql) => {
        const owner = sql.get<{ owner: Subject }>(
          "SELECT owner FROM owned_files WHERE file = ?",
          file,
        )?.owner;
        if (owner !== undefined && heldSubjects(engine, sql).has(owner))
          throw new ProtocolError("conflict", "file: a legal hold names it");
        return sql.run("DELETE FROM owned_files WHERE file = ?", file) > 0;
      }),
    ...links(engine, audited, transit, must),
  };
}

function links(
  engine: Engine,
  audited: Audited,
  transit: TransitKeys,
  must: (file: string) => FileRecord,
): Pick<FileStore, "linkFile" | "openLink"> {
  const { store, nowMs, tenant } = engine;
  const macOf = (version: number, file: string, link: string, untilMs: number): Uint8Array => {
    const key = transit.get(version);
    if (key === undefined) throw noFile();
    const of = encodeCbor(["kerbside/v1/file-link", tenant, file, link, untilMs]);
    return hmac(deriveKey(key, "kerbside/v1/file-links"), of);
  };
  const isGood = (file: string, { link, untilMs, mac }: FileLink): boolean => {
    // 32 bytes of it, and the version of its key.
    if (!/^(?:[0-9a-f]{66}|00[0-9a-f]{68})$/.test(mac) || untilMs <= nowMs()) return false;
    const { version, rest } = readVersion(fromHex(mac));
    return sameMac(rest, macOf(version, file, link, untilMs));
  };
  return {
    linkFile: async (file, lifeMs, audit) => {
      must(file);
      const link = toHex(randomBytes(LINK_BYTES));
      const untilMs = nowMs() + lifeMs;
      const version = Math.max(...transit.keys());
      const mac = toHex(concatBytes(versionBytes(version), macOf(version, file, link, untilMs)));
      // What is done with the link is found again by its name.
      audited(
        { ...audit, reason: [audit.reason, `link ${link}`].join(" ").trim() },
        () => undefined,
      );
      return { link, untilMs, mac };
    },
    openLink: async (file, link, from) => {
      if (!isGood(file, link)) throw noFile();
      const record = must(file);
      const entry: AuditEntry = {
        ...{ actor: `link:${link.link}`, action: "file.fetch", subject: `file:${file}`, from },
        outcome: "done",
      };
      audited(entry, () => undefined);
      return { record, content: store.read((sql) => openContent(engine, sql, record)) };
    },
  };
}
