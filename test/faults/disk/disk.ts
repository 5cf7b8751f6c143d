/**
 * A disk as a power cut sees it. Writes go into a cache that everybody reads; only a flush makes them last. When the
 * power goes, each sector (512 bytes) of what was not flushed is there or not, whatever order it was written in.
 * Names (making, renaming, removing) last in the order they were made, up to the last flush of a directory or of a
 * file in it, as on a journalling file system. A flush that fails loses its writes for good even if a later one works
 * (the kernel marks the pages clean), while everybody still reads them.
 */
import { basename, dirname } from "node:path";
import { Bytes, PAGE_BYTES, zeros } from "./pages.ts";

export const SECTOR_BYTES = 512;
export type DiskOperation = "write" | "truncate" | "flush" | "create" | "remove" | "rename";
/** What an operation comes to. `die`: it happens in part, and nothing after it does. */
export type DiskFault = "die" | "EIO" | "ENOSPC";
type Change =
  | {
      readonly kind: "write";
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly lost: boolean;
    }
  | { readonly kind: "truncate"; readonly size: number; readonly lost: boolean };
type NameChange =
  | { readonly kind: "put"; readonly path: string; readonly node: Node }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };
/** Chance, as numbers in [0, 1). */
type Chance = () => number;

export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: "EIO" | "ENOSPC" | "ENOENT" | "EEXIST";
  constructor(code: DiskError["code"], path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

/** A file or a directory. */
export class Node {
  readonly directory: boolean;
  cache: Bytes;
  durable: Bytes;
  pending: Change[] = [];
  constructor(directory: boolean, cache: Bytes = new Bytes(), durable: Bytes = new Bytes()) {
    this.directory = directory;
    this.cache = cache;
    this.durable = durable;
  }
  get size(): number {
    return this.cache.size;
  }
  /** A copy of all that is in it. */
  get bytes(): Uint8Array {
    const all = new Uint8Array(this.size);
    this.read(all, 0, all.length);
    return all;
  }
  /** Puts what there is of `count` bytes from `at` on into `to`; says how many that are. */
  read(to: Uint8Array, at: number, count: number): number {
    return this.cache.read(to, at, count);
  }
  /** A page that is written again goes to the disk whole, with what an earlier flush lost of it. */
  flush(): void {
    if (!this.pending.some(({ lost }) => lost)) {
      // Nothing is missing there that is here.
      if (this.pending.length > 0) this.durable = this.cache.copy();
      this.pending = [];
      return;
    }
    const touched = new Set(this.pending.filter(({ lost }) => !lost).flatMap(pagesOf));
    const left: Change[] = [];
    for (const change of this.pending) {
      if (change.lost && !pagesOf(change).some((page) => touched.has(page))) left.push(change);
      else apply(this.durable, change);
    }
    this.pending = left;
  }
  /** A flush that failed: what it should have written is never written by another. */
  giveUp(): void {
    this.pending = this.pending.flatMap(inPages);
  }
}

function pagesOf(change: Change): number[] {
  if (change.kind === "truncate") return [];
  const first = Math.floor(change.at / PAGE_BYTES);
  const last = Math.floor((change.at + change.bytes.length - 1) / PAGE_BYTES);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** A change as lost ones, each within a page. */
function inPages(change: Change): Change[] {
  if (change.kind === "truncate") return [{ ...change, lost: true }];
  return pagesOf(change).map((page) => {
    const from = Math.max(0, page * PAGE_BYTES - change.at);
    const to = (page + 1) * PAGE_BYTES - change.at;
    return {
      kind: "write",
      at: change.at + from,
      bytes: change.bytes.subarray(from, to),
      lost: true,
    };
  });
}

function apply(to: Bytes, change: Change): void {
  if (change.kind === "write") to.write(change.at, change.bytes);
  else to.truncate(change.size);
}

/** An image of a disk at one moment, to be put into another disk. */
export type DiskImage = ReadonlyMap<string, Uint8Array | "directory">;

export class Disk {
  /** Operations so far that change something. */
  operations = 0;
  /** Of them, those that failed though the machine was up; and readings. */
  failures = 0;
  dead = false;
  /** Rises with each start of the machine; what was opened before is of no use after. */
  generation = 0;
  /** Whether the next reading fails. */
  blind: () => boolean = () => false;
  /**
   * Names last in the order they were made, whatever is flushed (a journalling file system); else a flush makes last
   * only the names that lie in the same directory.
   */
  journalled = true;
  /** Decides about each operation. */
  fault: (operation: DiskOperation, path: string) => DiskFault | undefined = () => undefined;
  /** Called as the machine dies in the middle of an operation. */
  died: () => void = () => undefined;
  /** Sees all that is ever written. */
  watch: (path: string, bytes: Uint8Array) => void = () => undefined;
  #names = new Map<string, Node>();
  #durableNames = new Map<string, Node>();
  #pendingNames: NameChange[] = [];

  /** Throws DiskError where the operation is to fail; says what part of it happens where the machine dies in it. */
  #begin(operation: DiskOperation, path: string): "whole" | "part" {
    if (this.dead) throw new DiskError("EIO", path);
    this.operations += 1;
    const fault = this.fault(operation, path);
    if (fault === undefined) return "whole";
    if (fault !== "die") {
      this.failures += 1;
      throw new DiskError(fault, path);
    }
    this.dead = true;
    this.died();
    return "part";
  }

  node(path: string): Node | undefined {
    if (this.dead) throw new DiskError("EIO", path);
    return this.#names.get(path);
  }

  /** Throws DiskError where it cannot be read. */
  read(path: string): void {
    if (this.dead) throw new DiskError("EIO", path);
    if (!this.blind()) return;
    this.failures += 1;
    throw new DiskError("EIO", path);
  }

  names(directory: string): string[] {
    const inside = [...this.#names.keys()].filter(
      (path) => path !== "/" && dirname(path) === directory,
    );
    return inside.map((path) => basename(path)).sort();
  }

  create(path: string, directory: boolean): Node {
    const known = this.node(path);
    if (known !== undefined) return known;
    if (!this.#names.has(dirname(path)) && dirname(path) !== "/")
      throw new DiskError("ENOENT", path);
    this.#begin("create", path);
    const node = new Node(directory);
    this.#name({ kind: "put", path, node });
    return node;
  }

  write(path: string, node: Node, at: number, bytes: Uint8Array): void {
    const part = this.#begin("write", path);
    // A kernel takes a write page by page, so a program killed in it may leave the beginning.
    const whole = part === "whole" ? bytes.length : this.operations % (bytes.length + 1);
    const written = zeros(whole);
    written.set(whole === bytes.length ? bytes : bytes.subarray(0, whole));
    this.watch(path, written);
    node.cache.write(at, written);
    node.pending.push({ kind: "write", at, bytes: written, lost: false });
  }

  truncate(path: string, node: Node, size: number): void {
    if (this.#begin("truncate", path) === "part") return;
    node.cache.truncate(size);
    node.pending.push({ kind: "truncate", size, lost: false });
  }

  /** Flushes a file with its name, or a directory with the names in it. */
  flush(path: string, node: Node): void {
    let part: "whole" | "part";
    try {
      part = this.#begin("flush", path);
    } catch (error) {
      if (!this.dead) node.giveUp();
      throw error;
    }
    if (part === "part") return;
    node.flush();
    if (!this.journalled) {
      this.#flushNames(node.directory ? path : dirname(path));
      return;
    }
    // The journal of names is one: what came before goes with it.
    const wanted = node.directory
      ? (named: string) => dirname(named) === path
      : (named: string) => named === path;
    const last = this.#pendingNames.findLastIndex(
      (change) => wanted(pathOf(change)) || (change.kind === "rename" && wanted(change.from)),
    );
    for (const change of this.#pendingNames.splice(0, last + 1)) rename(this.#durableNames, change);
  }

  /** SQLite flushes the directory of a file that it makes, so a file's flush stands for that too. */
  #flushNames(directory: string): void {
    const inside = (change: NameChange): boolean =>
      dirname(pathOf(change)) === directory ||
      (change.kind === "rename" && dirname(change.from) === directory);
    for (const change of this.#pendingNames) if (inside(change)) rename(this.#durableNames, change);
    this.#pendingNames = this.#pendingNames.filter((change) => !inside(change));
  }

  /** Nothing is there without the directories that lead to it. */
  #reachable(): Map<string, Node> {
    const there = this.#durableNames;
    const holds = (path: string): boolean =>
      path === "/" || dirname(path) === "/" || (there.has(dirname(path)) && holds(dirname(path)));
    return new Map([...there].filter(([path]) => holds(path)));
  }

  remove(path: string): void {
    if (this.node(path) === undefined) return;
    if (this.#begin("remove", path) === "part") return;
    for (const each of [...this.#names.keys()])
      if (each === path || each.startsWith(`${path}/`)) this.#name({ kind: "remove", path: each });
  }

  rename(from: string, to: string): void {
    if (this.node(from) === undefined) throw new DiskError("ENOENT", from);
    if (this.#begin("rename", from) === "part") return;
    this.#name({ kind: "rename", from, to });
  }

  #name(change: NameChange): void {
    this.#pendingNames.push(change);
    rename(this.#names, change);
  }

  /** The machine is off and comes up again, after a kill (the cache stays) or a power cut (it does not). */
  restart(how: "kill" | "power", chance: Chance, keep: number): void {
    this.generation += 1;
    this.dead = false;
    if (how === "kill") return;
    const kept = Math.floor(chance() * (this.#pendingNames.length + 1));
    for (const change of this.#pendingNames.slice(0, keep === 0 ? 0 : kept))
      rename(this.#durableNames, change);
    this.#pendingNames = [];
    this.#durableNames = this.#reachable();
    this.#names = new Map(this.#durableNames);
    for (const node of new Set(this.#names.values())) {
      for (const change of node.pending) tear(node.durable, change, chance, keep);
      node.pending = [];
      node.cache = node.durable.copy();
    }
  }

  image(): DiskImage {
    return new Map(
      [...this.#names].map(([path, node]) => [path, node.directory ? "directory" : node.bytes]),
    );
  }

  /** Everything becomes what the image says, durably. */
  load(image: DiskImage): void {
    this.generation += 1;
    this.dead = false;
    this.#pendingNames = [];
    this.#names = new Map(
      [...image].map(([path, content]) => [
        path,
        content === "directory"
          ? new Node(true)
          : new Node(false, new Bytes(content), new Bytes(content)),
      ]),
    );
    this.#durableNames = new Map(this.#names);
  }
}

function pathOf(change: NameChange): string {
  return change.kind === "rename" ? change.to : change.path;
}

function rename(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === "put") names.set(change.path, change.node);
  else if (change.kind === "remove") names.delete(change.path);
  else {
    for (const [path, node] of [...names]) {
      if (path !== change.from && !path.startsWith(`${change.from}/`)) continue;
      names.delete(path);
      names.set(change.to + path.slice(change.from.length), node);
    }
  }
}

/** What a power cut leaves of a write that was not flushed: sector by sector, each with the chance `keep`. */
function tear(to: Bytes, change: Change, chance: Chance, keep: number): void {
  if (change.kind === "truncate") {
    if (chance() < keep) to.truncate(change.size);
    return;
  }
  for (let at = 0; at < change.bytes.length; ) {
    const end = Math.min(
      change.bytes.length,
      at + SECTOR_BYTES - ((change.at + at) % SECTOR_BYTES),
    );
    if (chance() < keep) to.write(change.at + at, change.bytes.subarray(at, end));
    at = end;
  }
}
