/**
 * Whether SQLite's write-ahead log lost commits that were once durable. SQLite itself reads up to the first frame that
 * does not add up and takes the rest for torn; that is right for the last commit, which a power cut may tear, and
 * wrong where commits follow that were flushed later than the broken frame was. Format: sqlite.org/fileformat2.html § 4.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_FILE } from "./database.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit of the magic number says in which byte order checksums are made. */
const MAGIC_LITTLE = 0x377f0682;
const MAGIC_BIG = 0x377f0683;
/** One commit after the broken frame may be of the same torn write; the second was flushed after it. */
const COMMITS_AFTER_MAX = 1;

type Sum = readonly [number, number];

/** What is wrong with the write-ahead log in `dir`; undefined where nothing is, or where there is none. */
export function walDamage(dir: string): string | undefined {
  const file = join(dir, `${DATABASE_FILE}-wal`);
  if (!existsSync(file)) return undefined;
  const wal = readFileSync(file);
  if (wal.length < HEADER_BYTES + FRAME_HEADER_BYTES) return undefined;
  const magic = wal.readUInt32BE(0);
  if (magic !== MAGIC_LITTLE && magic !== MAGIC_BIG)
    return "its write-ahead log does not begin as one";
  const little = magic === MAGIC_LITTLE;
  const first = add([0, 0], wal.subarray(0, 24), little);
  if (!matches(first, wal, 24)) return "the beginning of its write-ahead log is damaged";
  return damagedFrames(wal, first, little);
}

function damagedFrames(wal: Buffer, first: Sum, little: boolean): string | undefined {
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8);
  const salt = wal.subarray(16, 24);
  let sum = first;
  let broken = false;
  let commitsAfter = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    // Frames of an earlier round of the file have other salts.
    const current = wal.subarray(at + 8, at + 16).equals(salt);
    const commits = wal.readUInt32BE(at + 4) !== 0;
    if (broken) {
      if (current && commits) commitsAfter += 1;
      continue;
    }
    sum = add(sum, wal.subarray(at, at + 8), little);
    sum = add(sum, wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes), little);
    broken = !current || !matches(sum, wal, at + 16);
  }
  return commitsAfter > COMMITS_AFTER_MAX
    ? "its write-ahead log is damaged before commits that were durable"
    : undefined;
}

/** The checksum of the format, carried on over `bytes` (a multiple of 8). */
function add([s0, s1]: Sum, bytes: Buffer, little: boolean): Sum {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = s0;
  let b = s1;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + view.getUint32(at, little) + b) >>> 0;
    b = (b + view.getUint32(at + 4, little) + a) >>> 0;
  }
  return [a, b];
}

function matches([a, b]: Sum, wal: Buffer, at: number): boolean {
  return wal.readUInt32BE(at) === a && wal.readUInt32BE(at + 4) === b;
}
