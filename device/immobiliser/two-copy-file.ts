/**
 * A small record that outlives power cuts: two files written in turn, each with a sequence number and a hash over all
 * of it. A write touches only the older copy and is on the disk before it resolves, so one whole copy is always there.
 */
import { constants, writeSync } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { concatBytes, equalBytes, sha256, uint64 } from "@kerbside/protocol";

/** Magic `KB2C`, sequence number (8 bytes), length of the content (8 bytes), content, SHA-256 of all before. */
const MAGIC = Uint8Array.of(0x4b, 0x42, 0x32, 0x43);
const HEADER_BYTES = 20;
const HASH_BYTES = 32;
export const CONTENT_BYTES_MAX: number = 64 * 1024;
/**
 * Up to this a copy is written where it is asked for: handing it to another thread and back costs more than the write,
 * and an order waits for it before and after the pulse. A longer one (grant lists) would hold the car's frames up.
 */
const AT_ONCE_BYTES_MAX: number = 16 * 1024;
const SUFFIXES = [".a", ".b"] as const;

type Copy = { readonly sequence: number; readonly content: Uint8Array };

export type TwoCopyFile = {
  /** What was last written and is whole; undefined if nothing is. */
  readonly content: Uint8Array | undefined;
  /** Nothing is whole, and there was something: rubbish, an empty file, or one that the disk does not give. */
  readonly damaged: boolean;
  /** Resolves when it is on the disk. After a rejection what counts is still the copy before, or this one whole. */
  readonly write: (content: Uint8Array) => Promise<void>;
  readonly close: () => Promise<void>;
};

function frame({ sequence, content }: Copy): Uint8Array {
  const head = concatBytes(MAGIC, uint64(sequence), uint64(content.length), content);
  return concatBytes(head, sha256(head));
}

function unframe(bytes: Uint8Array, bytesMax: number): Copy | undefined {
  if (bytes.length < HEADER_BYTES + HASH_BYTES || !equalBytes(bytes.subarray(0, 4), MAGIC))
    return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(12));
  const end = HEADER_BYTES + length;
  if (length > bytesMax || bytes.length < end + HASH_BYTES) return undefined;
  const sound = equalBytes(sha256(bytes.subarray(0, end)), bytes.subarray(end, end + HASH_BYTES));
  if (!sound) return undefined;
  return { sequence: Number(view.getBigUint64(4)), content: bytes.slice(HEADER_BYTES, end) };
}

/** What lies in a file that was made and never written: a whole copy of nothing, before all others. */
const BLANK: Copy = { sequence: 0, content: new Uint8Array() };

/** One of the two files as it was found. */
type Found =
  | { readonly value: "missing" }
  /** Something, or what is left of it: an empty file too, for none is ever made empty. */
  | { readonly value: "spoilt" }
  | { readonly value: "whole"; readonly copy: Copy };

async function find(path: string, bytesMax: number): Promise<Found> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    // A disk that gives an error has a file there all the same, and nobody knows what it says.
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return { value: isMissing ? "missing" : "spoilt" };
  }
  const copy = unframe(bytes, bytesMax);
  return copy === undefined ? { value: "spoilt" } : { value: "whole", copy };
}

const findBoth = (path: string, bytesMax: number): Promise<readonly Found[]> =>
  Promise.all(SUFFIXES.map((suffix) => find(path + suffix, bytesMax)));

/** Makes a file that was never written, whole from its first moment: a power cut leaves no empty one. */
async function make(path: string): Promise<void> {
  const fresh = `${path}.new`;
  const handle = await open(fresh, "w", 0o600);
  try {
    await handle.writeFile(frame(BLANK));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
}

/** The newest whole copy at `path`, for who only looks; undefined where there is none. */
export async function readTwoCopyFile(
  path: string,
  bytesMax: number = CONTENT_BYTES_MAX,
): Promise<Uint8Array | undefined> {
  return newestOf(await findBoth(path, bytesMax))?.content;
}

function newestOf(both: readonly Found[]): Copy | undefined {
  const newest = both
    .flatMap((found) => (found.value === "whole" ? [found.copy] : []))
    .reduce((best, copy) => (copy.sequence > best.sequence ? copy : best), BLANK);
  return newest === BLANK ? undefined : newest;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Opens `path`.a and `path`.b, making them where they are missing. Throws what the file system throws. */
export async function openTwoCopyFile(
  path: string,
  bytesMax: number = CONTENT_BYTES_MAX,
): Promise<TwoCopyFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const both = await findBoth(path, bytesMax);
  const newest = newestOf(both);
  for (const [at, suffix] of SUFFIXES.entries())
    if (both[at]?.value === "missing") await make(path + suffix);
  await syncFolder(dirname(path));
  const [a, b] = SUFFIXES;
  const inPlace = constants.O_RDWR | constants.O_DSYNC;
  const handles = await Promise.all([open(path + a, inPlace), open(path + b, inPlace)]);
  let sequence = newest?.sequence ?? 0;
  const [first] = both;
  let turn: 0 | 1 = first?.value === "whole" && first.copy === newest ? 1 : 0;
  let last: Promise<unknown> = Promise.resolve();
  const writeNow = async (content: Uint8Array): Promise<void> => {
    const handle = handles[turn];
    const bytes = frame({ sequence: sequence + 1, content });
    // One call: the file is opened so that a write is on the disk when it returns.
    const written =
      bytes.length <= AT_ONCE_BYTES_MAX
        ? writeSync(handle.fd, bytes, 0, bytes.length, 0)
        : (await handle.write(bytes, 0, bytes.length, 0)).bytesWritten;
    // A disk that becomes full on the way takes the first part, and calls that no error.
    if (written !== bytes.length)
      throw new Error(`only ${written} of ${bytes.length} bytes were written`);
    sequence += 1;
    turn = turn === 0 ? 1 : 0;
  };
  return {
    content: newest?.content,
    damaged: newest === undefined && both.some(({ value }) => value === "spoilt"),
    write: (content) => {
      if (content.length > bytesMax)
        return Promise.reject(new RangeError(`over ${bytesMax} bytes`));
      // One after the other: two at once would spoil both copies.
      const written = last.then(() => writeNow(content));
      last = written.catch(() => undefined);
      return written;
    },
    close: async () => {
      await last;
      await Promise.all(handles.map((handle) => handle.close()));
    },
  };
}
