/**
 * Stands in for `node:fs` in the packages under test: what lies on a simulated disk goes there, everything else to the
 * real one. Only what worlds call is here; the rest is the real one's, which has no simulated path.
 */
export * from "node:fs";

import * as real from "node:fs";
import { dirname } from "node:path";
import { type Disk, DiskError, type Node } from "./disk.ts";
import { locate } from "./mounts.ts";

type Open = {
  readonly disk: Disk;
  readonly path: string;
  readonly node: Node;
  readonly generation: number;
  at: number;
};
/** Far above any real descriptor. */
let nextHandle = 1_000_000;
const handles = new Map<number, Open>();

function need(disk: Disk, path: string): Node {
  const node = disk.node(path);
  if (node === undefined) throw new DiskError("ENOENT", path);
  return node;
}

export function existsSync(file: string): boolean {
  const there = locate(file);
  if (there === undefined) return real.existsSync(file);
  return there.path === "/" || there.disk.node(there.path) !== undefined;
}

export function statSync(file: string): { readonly size: number } {
  const there = locate(file);
  if (there === undefined) return real.statSync(file);
  return { size: need(there.disk, there.path).size };
}

export function readFileSync(file: string, encoding?: "utf8"): Buffer | string {
  const there = locate(file);
  if (there === undefined)
    return encoding === undefined ? real.readFileSync(file) : real.readFileSync(file, encoding);
  there.disk.read(there.path);
  const { buffer } = need(there.disk, there.path).bytes;
  const bytes = Buffer.from(buffer);
  return encoding === undefined ? bytes : bytes.toString(encoding);
}

export function readdirSync(directory: string): string[] {
  const there = locate(directory);
  return there === undefined ? real.readdirSync(directory) : there.disk.names(there.path);
}

export function mkdirSync(
  directory: string,
  options: { readonly recursive?: boolean; readonly mode?: number } = {},
): string | undefined {
  const there = locate(directory);
  if (there === undefined) return real.mkdirSync(directory, options) ?? undefined;
  if (there.path === "/") return undefined;
  if (there.disk.node(there.path) !== undefined) {
    if (options.recursive === true) return undefined;
    throw new DiskError("EEXIST", directory);
  }
  const above = options.recursive === true ? mkdirSync(dirname(directory), options) : undefined;
  there.disk.create(there.path, true);
  return above ?? directory;
}

export function openSync(file: string, flags: string, mode?: number): number {
  const there = locate(file);
  if (there === undefined) return real.openSync(file, flags, mode);
  const { disk, path } = there;
  if (flags.includes("x") && disk.node(path) !== undefined) throw new DiskError("EEXIST", file);
  const node = path === "/" ? rootOf(disk) : nodeFor(disk, path, flags);
  nextHandle += 1;
  handles.set(nextHandle, { disk, path, node, generation: disk.generation, at: 0 });
  return nextHandle;
}

function nodeFor(disk: Disk, path: string, flags: string): Node {
  return flags.startsWith("r") ? need(disk, path) : disk.create(path, false);
}

/** The root is no entry of any directory; flushing it flushes the names in it. */
function rootOf(disk: Disk): Node {
  return disk.node("/") ?? disk.create("/", true);
}

function opened(handle: number): Open | undefined {
  const open = handles.get(handle);
  if (open !== undefined && open.generation !== open.disk.generation)
    throw new DiskError("EIO", open.path);
  return open;
}

export function writeSync(handle: number, data: string | Uint8Array): number {
  const open = opened(handle);
  if (open === undefined)
    return typeof data === "string" ? real.writeSync(handle, data) : real.writeSync(handle, data);
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  open.disk.write(open.path, open.node, open.at, bytes);
  open.at += bytes.length;
  return bytes.length;
}

export function fsyncSync(handle: number): void {
  const open = opened(handle);
  if (open === undefined) real.fsyncSync(handle);
  else open.disk.flush(open.path, open.node);
}

export function closeSync(handle: number): void {
  if (!handles.delete(handle)) real.closeSync(handle);
}

export function renameSync(from: string, to: string): void {
  const there = locate(from);
  if (there === undefined) real.renameSync(from, to);
  else there.disk.rename(there.path, locate(to)?.path ?? "/");
}

export function rmSync(path: string, options: real.RmOptions = {}): void {
  const there = locate(path);
  if (there === undefined) real.rmSync(path, options);
  else there.disk.remove(there.path);
}

export function chmodSync(file: string, mode: number): void {
  const there = locate(file);
  if (there === undefined) real.chmodSync(file, mode);
}
