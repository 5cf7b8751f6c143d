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
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
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

/** In a folder that no event has told of yet: why it was made. */
const UNREPORTED = "unreported";

/** Makes a file durable with its name and the folder's own. */
function note(dir: string, folder: string, text: string): void {
  const handle = openSync(join(dir, folder, UNREPORTED), "w", 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  syncDirectory(join(dir, folder));
  syncDirectory(dir);
}

const foldersIn = (dir: string): string[] =>
  readdirSync(dir).filter((name) => name.startsWith(PREFIX));

/**
 * Moves the database into a folder of its own, that says why and that nobody was told yet, and deletes the oldest such
 * folders beyond `keep`.
 */
export function setAside(dir: string, keep: number, reason: string): void {
  const numbers = foldersIn(dir)
    .map((name) => Number(name.slice(PREFIX.length)))
    .filter(Number.isInteger);
  const name = `${PREFIX}${Math.max(0, ...numbers) + 1}`;
  mkdirSync(join(dir, name), { mode: 0o700 });
  try {
    note(dir, name, reason);
  } catch (error) {
    // On a disk that is full this is tried again and again, and nothing was moved: no folder is left of each try.
    rmSync(join(dir, name), { recursive: true, force: true });
    throw error;
  }
  for (const file of FILES) {
    if (existsSync(join(dir, file))) renameSync(join(dir, file), join(dir, name, file));
  }
  const oldest = numbers.sort((a, b) => a - b).slice(0, Math.max(0, numbers.length + 1 - keep));
  for (const number of oldest) {
    rmSync(join(dir, `${PREFIX}${number}`), { recursive: true, force: true });
  }
  syncDirectory(dir);
}

/** What was set aside and not told of yet, a line each: the folder and why. For the first transaction of a new database. */
export function unreported(dir: string): readonly string[] {
  const waiting = foldersIn(dir).filter((name) => existsSync(join(dir, name, UNREPORTED)));
  return waiting.sort().map((name) => {
    try {
      return `${name}: ${readFileSync(join(dir, name, UNREPORTED), "utf8")}`;
    } catch {
      // That it was set aside matters more than why.
      return name;
    }
  });
}

/**
 * All that was set aside has been told of, by the database that there is: it begins with that. Where this fails, it is
 * done at the next start.
 */
export function reported(dir: string): void {
  try {
    for (const name of foldersIn(dir)) {
      if (!existsSync(join(dir, name, UNREPORTED))) continue;
      rmSync(join(dir, name, UNREPORTED), { force: true });
      syncDirectory(join(dir, name));
    }
  } catch {
    // Only a database that is new tells of it, so nothing is told twice.
  }
}
