/**
 * Files about people and cars (P-32, P-34): what kinds there are, whom each belongs to, how large it may be, and what
 * its bytes must begin with. A name or a type that somebody claims counts for nothing.
 */
import { ProtocolError } from "./errors.ts";
import type { AuditEntry } from "./store.ts";

const KB = 1024;
const MB: number = 1024 * KB;
const DAY_MS = 86_400_000;

/** The types that are taken, and the bytes at which each is known, with their place. */
export const FILE_TYPES = {
  "image/jpeg": { marks: [[0, "ffd8ff"]], extension: "jpg" },
  "image/png": { marks: [[0, "89504e470d0a1a0a"]], extension: "png" },
  // RIFF….WEBP
  "image/webp": {
    marks: [
      [0, "52494646"],
      [8, "57454250"],
    ],
    extension: "webp",
  },
  "application/pdf": { marks: [[0, "255044462d"]], extension: "pdf" },
  // An empty archive is not taken.
  "application/zip": { marks: [[0, "504b0304"]], extension: "zip" },
  "application/gzip": { marks: [[0, "1f8b08"]], extension: "gz" },
  "application/json": { marks: [[0, "7b"]], extension: "json" },
} as const satisfies Readonly<
  Record<
    string,
    { readonly marks: readonly (readonly [number, string])[]; readonly extension: string }
  >
>;
export type FileType = keyof typeof FILE_TYPES;
export const FILE_TYPE_NAMES: readonly FileType[] = Object.keys(FILE_TYPES).filter(isFileType);

export type FileOwner = `person:${string}` | `booking:${string}` | `vehicle:${string}`;
const IMAGES: readonly FileType[] = ["image/jpeg", "image/png", "image/webp"];

type FileKindRow = {
  readonly doc: string;
  readonly types: readonly FileType[];
  readonly bytesMax: number;
  readonly owner: "person" | "booking" | "vehicle";
  /** Removed after so long by itself; undefined: with its owner. */
  readonly lifeMs?: number;
};
export const FILE_KINDS = {
  avatar: { doc: "a person's picture", types: IMAGES, bytesMax: 512 * KB, owner: "person" },
  licence: {
    doc: "a driving licence, or another document of a person",
    types: [...IMAGES, "application/pdf"],
    bytesMax: 8 * MB,
    owner: "person",
  },
  damage: { doc: "a photo of a damage", types: IMAGES, bytesMax: 8 * MB, owner: "booking" },
  diagnostics: {
    doc: "what a technician took from a car",
    types: ["application/zip", "application/gzip", "application/json"],
    bytesMax: 8 * MB,
    owner: "vehicle",
  },
  export: {
    doc: "what is kept of a person, to take away",
    types: ["application/zip", "application/json"],
    bytesMax: 8 * MB,
    owner: "person",
    lifeMs: 7 * DAY_MS,
  },
} as const satisfies Readonly<Record<string, FileKindRow>>;
export type FileKind = keyof typeof FILE_KINDS;
export const FILE_KIND_NAMES: readonly FileKind[] = Object.keys(FILE_KINDS).filter(isFileKind);
export const FILE_BYTES_MAX: number = 8 * MB;
/** The most files that one owner has; the next is refused. */
export const FILES_OF_OWNER_MAX = 100;
/** P-32: how long a link is good. */
export const FILE_LINK_MS: number = 5 * 60_000;

function isFileType(name: string): name is FileType {
  return Object.hasOwn(FILE_TYPES, name);
}

export function isFileKind(name: unknown): name is FileKind {
  return typeof name === "string" && Object.hasOwn(FILE_KINDS, name);
}

/** How long a file of this kind lives; undefined: as long as its owner. */
export function fileLifeMs(kind: FileKind): number | undefined {
  const row: FileKindRow = FILE_KINDS[kind];
  return row.lifeMs;
}

const OWNER = /^(person|booking|vehicle):([a-z0-9][a-z0-9-]{0,39})$/;

/** Throws ProtocolError `malformed`. */
export function fileOwner(text: string): FileOwner {
  const [, kind, id] = OWNER.exec(text) ?? [];
  if (id !== undefined && (kind === "person" || kind === "booking" || kind === "vehicle"))
    return `${kind}:${id}`;
  throw new ProtocolError("malformed", "file: expected an owner like person:…, booking:…");
}

/** What the bytes are, by themselves; undefined where they are none of the types. */
export function sniffFile(content: Uint8Array): FileType | undefined {
  return FILE_TYPE_NAMES.find((type) =>
    FILE_TYPES[type].marks.every(([at, hex]) => {
      const bytes = content.subarray(at, at + hex.length / 2);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex") === hex;
    }),
  );
}

/** The type of a file that may be kept as such a kind for such an owner. Throws ProtocolError `malformed`. */
export function checkFile(kind: FileKind, owner: FileOwner, content: Uint8Array): FileType {
  const row: FileKindRow = FILE_KINDS[kind];
  if (!owner.startsWith(`${row.owner}:`))
    throw new ProtocolError("malformed", `file: ${kind} expects a ${row.owner} as its owner`);
  if (content.length > row.bytesMax)
    throw new ProtocolError("malformed", `file: expected at most ${row.bytesMax} bytes`);
  const type = sniffFile(content);
  if (type === undefined || !row.types.includes(type))
    throw new ProtocolError("malformed", `file: expected one of ${row.types.join(", ")}`);
  return type;
}

/** All but the content. `file` is a UUIDv4. */
export type FileRecord = {
  readonly file: string;
  readonly kind: FileKind;
  readonly owner: FileOwner;
  readonly type: FileType;
  readonly bytes: number;
  readonly addedAtMs: number;
  /** Unix time after which it is there no more. */
  readonly untilMs?: number;
};
/** What makes a link good: nothing else opens the file, and nothing of it is kept. */
export type FileLink = { readonly link: string; readonly untilMs: number; readonly mac: string };

export type FileStore = {
  /**
   * Keeps a file, sealed under its owner's key. An avatar takes the place of the one before. Throws `malformed` (see
   * `checkFile`), `limit_reached`, or `not_found` where the owner was erased.
   */
  readonly putFile: (
    file: { readonly kind: FileKind; readonly owner: FileOwner; readonly content: Uint8Array },
    audit: AuditEntry,
  ) => Promise<FileRecord>;
  readonly file: (file: string) => Promise<FileRecord | undefined>;
  /** Newest first. */
  readonly files: (owner: FileOwner) => Promise<readonly FileRecord[]>;
  /** Records the reading first. Throws `not_found`, also where the owner's key was destroyed. */
  readonly readFile: (file: string, audit: AuditEntry) => Promise<Uint8Array>;
  /** A link to a file for so long. Throws `not_found`. */
  readonly linkFile: (file: string, lifeMs: number, audit: AuditEntry) => Promise<FileLink>;
  /** What a link opens, recorded. Throws `not_found` where it is not good, or not any more. */
  readonly openLink: (
    file: string,
    link: FileLink,
    from: string,
  ) => Promise<{ readonly record: FileRecord; readonly content: Uint8Array }>;
  /** Says whether it was there. Throws `conflict` while a legal hold names its owner (P-82). */
  readonly removeFile: (file: string, audit: AuditEntry) => Promise<boolean>;
};
