/**
 * A database that cannot be trusted is set aside whole, for whoever looks into it later, and a new one begins: the
 * agent never refuses to work because of it.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DATABASE_FILE } from "./database.ts";

const PREFIX = "set-aside-";
const FILES = ["", "-wal", "-shm", "-journal"].map((suffix) => `${DATABASE_FILE}${suffix}`);

/** Makes a directory's entries durable: a rename is not, before that. */
export function syncDirectory(dir: string): void {
  const handle = openSync(dir, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a directory durable that was just made, with those above it from `first` on: each name lies in the one above. */
export function syncMade(dir: string, first: string): void {
  for (let made = dir; ; made = dirname(made)) {
    syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** Moves the database into a folder of its own and deletes the oldest such folders beyond `keep`. Returns its name. */
export function setAside(dir: string, keep: number): string {
  const before = readdirSync(dir).filter((name) => name.startsWith(PREFIX));
  const numbers = before.map((name) => Number(name.slice(PREFIX.length))).filter(Number.isInteger);
  const name = `${PREFIX}${Math.max(0, ...numbers) + 1}`;
  mkdirSync(join(dir, name), { mode: 0o700 });
  for (const file of FILES) {
    if (existsSync(join(dir, file))) renameSync(join(dir, file), join(dir, name, file));
  }
  const oldest = numbers.sort((a, b) => a - b).slice(0, Math.max(0, numbers.length + 1 - keep));
  for (const number of oldest) {
    rmSync(join(dir, `${PREFIX}${number}`), { recursive: true, force: true });
  }
  syncDirectory(dir);
  return name;
}
