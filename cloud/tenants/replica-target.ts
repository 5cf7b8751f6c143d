/**
 * Where a replica lies: a directory of this machine, or one of another that is spoken to (`replica-link.ts`). What is done
 * to it is done in order; each is durable when `settled` resolves.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import { makeDirectory, replaceFile, syncDirectory } from "./files.ts";
import { checkStage, markStage, type Stage, stageOf } from "./stage.ts";
import { takeInLog } from "./wal-shipper.ts";

/** The copy of one database. */
export type LogTarget = {
  /** The file as a whole, without a log. It may be torn: the log that follows has what is missing. */
  readonly copy: (source: string) => void | Promise<void>;
  /** A log that begins: this header, in the place of any log before. */
  readonly begin: (header: Uint8Array) => void;
  /** From this place on the log goes on with these; what was there is cut off. */
  readonly append: (at: number, pieces: readonly Uint8Array[]) => void;
  /** The log is taken into the file. */
  readonly takeIn: () => void;
};

export type ReplicaTarget = {
  readonly database: (path: string) => LogTarget;
  /** A file that is replaced as a whole. */
  readonly put: (path: string, content: Uint8Array) => void;
  /** Directories of tenants that are not among these go (P-83). */
  readonly keepTenants: (names: readonly string[]) => void;
  /** Waits until there is room for more to be sent. */
  readonly room: () => Promise<void>;
  readonly settled: () => Promise<void>;
  readonly close: () => void;
};

export type DirectoryTarget = ReplicaTarget & {
  /** What comes is of this stage; before all else. Throws ProtocolError `conflict` where the directory is of the other. */
  readonly stage: (stage: Stage) => void;
};

/** A directory of this machine. Throws ProtocolError `storage_failed`. */
export function directoryTarget(directory: string): DirectoryTarget {
  makeDirectory(directory);
  return {
    stage: (stage) => {
      if (existsSync(join(directory, "platform.sqlite")))
        checkStage(directory, stageOf(directory), stage);
      else markStage(directory, stage);
    },
    database: (path) => {
      const file = join(directory, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      return logTarget(file);
    },
    put: (path, content) => {
      const file = join(directory, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      replaceFile(file, content);
    },
    keepTenants: (names) => {
      const tenants = join(directory, "tenants");
      const keep = new Set(names);
      for (const name of existsSync(tenants) ? readdirSync(tenants) : [])
        if (!keep.has(name)) rmSync(join(tenants, name), { recursive: true, force: true });
    },
    room: async () => undefined,
    settled: async () => undefined,
    close: () => undefined,
  };
}

/** Where a whole copy is put together before it takes its place. */
export const nextOf = (file: string): string => `${file}.next`;

/** What was put together takes the place of file and log. */
export function placeWhole(file: string): void {
  const next = nextOf(file);
  const handle = openSync(next, "r+");
  fsyncSync(handle);
  closeSync(handle);
  for (const name of [`${file}-wal`, `${file}-shm`]) rmSync(name, { force: true });
  renameSync(next, file);
  syncDirectory(dirname(file));
}

function logTarget(file: string): LogTarget {
  const log = `${file}-wal`;
  const write = (flags: "w" | "r+", use: (to: number) => void): void => {
    let to: number | undefined;
    try {
      to = openSync(log, flags, 0o600);
      use(to);
      fsyncSync(to);
    } catch (cause) {
      throw new ProtocolError("storage_failed", `${log}: cannot be written`, { cause });
    } finally {
      if (to !== undefined) closeSync(to);
    }
  };
  return {
    copy: (source) => {
      rmSync(nextOf(file), { force: true });
      copyFileSync(source, nextOf(file));
      placeWhole(file);
    },
    begin: (header) => write("w", (to) => void writeSync(to, header, 0, header.length, 0)),
    append: (from, pieces) =>
      write("r+", (to) => {
        let at = from;
        ftruncateSync(to, at);
        for (const piece of pieces)
          for (let done = 0; done < piece.length; ) {
            const wrote = writeSync(to, piece, done, piece.length - done, at);
            done += wrote;
            at += wrote;
          }
      }),
    takeIn: () => void takeInLog(file),
  };
}
