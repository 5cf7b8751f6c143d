/**
 * Backups of a data directory, encrypted under a key that is kept apart from both (P-90). Each run makes two sets: the
 * stores, kept for as long as their keeper likes, and the subject keys, which live a bounded time (P-31), after which an
 * erasure reaches every backup there is. A set is there when its manifest is, which is written last.
 */
import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { decryptFile, encryptFile } from "./backup-stream.ts";
import { type DataFile, dataFiles } from "./data-files.ts";
import { makeDirectory, readIfThere, syncDirectory } from "./files.ts";
import { checkStage, type Stage, stageOf } from "./stage.ts";

const DAY_MS = 86_400_000;
const MANIFEST = "manifest.sealed";
export const BACKUP_SETS = ["stores", "keys"] as const;
export type BackupSet = (typeof BACKUP_SETS)[number];
/** A set's name sorts by its time. */
const NAME = /^(\d{8}T\d{9}Z)-[0-9a-f]{8}$/;

type Manifest = {
  readonly atMs: number;
  readonly paths: readonly string[];
  /** Missing in sets from before there was staging: those are of production. */
  readonly stage?: Stage;
};
export type Progress = (done: {
  readonly path: string;
  readonly bytes: number;
  readonly of: number;
}) => void;

export type BackupOptions = {
  readonly dir: string;
  /** Where the sets go; off this site. */
  readonly to: string;
  readonly backupKey: Uint8Array;
  readonly nowMs: number;
  /** Sets of subject keys that are older are removed. */
  readonly keysDays: number;
  /** Only the subject keys, which change more often than anybody wants to copy the stores. */
  readonly keysOnly?: boolean;
  readonly told?: Progress;
};
export type BackupMade = {
  readonly stores: string | undefined;
  readonly keys: string;
  readonly bytes: number;
  readonly keysRemoved: number;
};

/** While the cloud runs. Throws ProtocolError `not_found` or `storage_failed`; then no set was added. */
export async function makeBackup(options: BackupOptions): Promise<BackupMade> {
  const files = dataFiles(options.dir);
  if (!files.some(({ path }) => path === "platform.sqlite"))
    throw new ProtocolError("not_found", `${options.dir}: is no data directory of a cloud`);
  const of = files.reduce((sum, { path }) => sum + statSync(join(options.dir, path)).size, 0);
  let bytes = 0;
  const told = (path: string, more: number): void => {
    bytes += more;
    options.told?.({ path, bytes, of });
  };
  const kindOf = ({ kind }: DataFile): BackupSet => (kind === "keys" ? "keys" : "stores");
  const make = (set: BackupSet): Promise<string> =>
    makeSet(
      options,
      set,
      files.filter((file) => kindOf(file) === set),
      told,
    );
  removeCutShort(options);
  // Keys last: a set of keys has the key of all that the stores before it hold.
  const stores = options.keysOnly === true ? undefined : await make("stores");
  const keys = await make("keys");
  return { stores, keys, bytes, keysRemoved: removeOldKeys(options) };
}

async function makeSet(
  { dir, to, backupKey, nowMs }: BackupOptions,
  set: BackupSet,
  files: readonly DataFile[],
  told: (path: string, bytes: number) => void,
): Promise<string> {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:.]/g, "");
  const name = `${stamp}-${randomUUID().slice(0, 8)}`;
  const target = join(to, set, `.${name}`);
  makeDirectory(target);
  const work = mkdtempSync(join(tmpdir(), "kerbside-backup-"));
  try {
    for (const [i, { path, kind }] of files.entries()) {
      const copy = join(work, String(i));
      if (kind === "sealed") writeFileSync(copy, readIfThere(join(dir, path)) ?? "");
      else await snapshot(join(dir, path), copy);
      const bound = `${set}/${name}/${path}`;
      encryptFile(backupKey, bound, copy, join(target, `${i}.sealed`), (n) => told(path, n));
      rmSync(copy);
    }
    const paths = files.map(({ path }) => path);
    const manifest: Manifest = { atMs: nowMs, paths, stage: stageOf(dir) };
    const plain = join(work, "manifest");
    writeFileSync(plain, JSON.stringify(manifest), { mode: 0o600 });
    encryptFile(
      backupKey,
      `${set}/${name}/manifest`,
      plain,
      join(target, MANIFEST),
      () => undefined,
    );
    syncDirectory(target);
    renameSync(target, join(to, set, name));
    syncDirectory(join(to, set));
    return name;
  } catch (error) {
    rmSync(target, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** One consistent file of a database that others are writing to. */
async function snapshot(from: string, to: string): Promise<void> {
  const db = new BetterSqlite3(from, { fileMustExist: true });
  try {
    await db.backup(to);
  } catch (cause) {
    throw new ProtocolError("storage_failed", `${from}: cannot be copied`, { cause });
  } finally {
    db.close();
  }
}

function removeOldKeys({ to, nowMs, keysDays }: BackupOptions): number {
  const old = listBackups(to, "keys").filter(({ atMs }) => atMs < nowMs - keysDays * DAY_MS);
  for (const { name } of old) rmSync(join(to, "keys", name), { recursive: true, force: true });
  return old.length;
}

/** Copies that a crash left behind, which no list shows: those of keys would outlive their term. */
function removeCutShort({ to, nowMs }: BackupOptions): void {
  for (const set of BACKUP_SETS) {
    const directory = join(to, set);
    for (const name of existsSync(directory) ? readdirSync(directory) : []) {
      const atMs = name.startsWith(".") ? madeMs(name.slice(1)) : undefined;
      if (atMs !== undefined && atMs < nowMs - DAY_MS)
        rmSync(join(directory, name), { recursive: true, force: true });
    }
  }
}

/** Undefined where it is no name of a set. */
function madeMs(name: string): number | undefined {
  const stamp = NAME.exec(name)?.[1];
  const iso = stamp?.replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/,
    "$1-$2-$3T$4:$5:$6.$7Z",
  );
  return iso === undefined ? undefined : Date.parse(iso);
}

/** Those that are whole, oldest first. */
export function listBackups(
  from: string,
  set: BackupSet,
): readonly { readonly name: string; readonly atMs: number }[] {
  const directory = join(from, set);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const atMs = madeMs(name);
      if (atMs === undefined || !existsSync(join(directory, name, MANIFEST))) return [];
      return [{ name, atMs }];
    });
}

/**
 * Brings a set back into `dir`. Throws ProtocolError `unauthenticated` where anything of it was changed, and `conflict`
 * where it is of another stage; then nothing was written.
 */
export function restoreSet(
  from: string,
  set: BackupSet,
  name: string,
  dir: string,
  backupKey: Uint8Array,
  told: (path: string, bytes: number) => void,
  stage: Stage = "production",
): Manifest {
  const source = join(from, set, name);
  const work = mkdtempSync(join(tmpdir(), "kerbside-restore-"));
  try {
    const plain = join(work, "manifest");
    decryptFile(
      backupKey,
      `${set}/${name}/manifest`,
      join(source, MANIFEST),
      plain,
      () => undefined,
    );
    const text = Buffer.from(readIfThere(plain) ?? []).toString("utf8");
    const manifest = JSON.parse(text) as Manifest;
    checkStage(source, manifest.stage ?? "production", stage);
    for (const [i, path] of manifest.paths.entries()) {
      const to = join(dir, path);
      mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
      const bound = `${set}/${name}/${path}`;
      decryptFile(backupKey, bound, join(source, `${i}.sealed`), to, (n) => told(path, n));
    }
    return manifest;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
