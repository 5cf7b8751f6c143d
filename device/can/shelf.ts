/**
 * What the cloud pushes to be kept: signed, versioned, on the disk, applied whole or not at all. Of each name the
 * present one and the one before are kept; a file that is damaged gives way to the one before.
 */
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import {
  type ArtefactKind,
  decodeCbor,
  encodeCbor,
  openArtefact,
  ProtocolError,
  type SignedArtefact,
  toHex,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";
import { ProfileError } from "./profile/model.ts";

export type ShelfRule<T> = {
  readonly dir: string;
  readonly tenant: string;
  readonly kind: ArtefactKind;
  /** Names that may be kept. */
  readonly namesMax: number;
  readonly bytesMax: number;
  /** Throws ProfileError or ProtocolError where the content is wrong, or was signed under another name or version. */
  readonly check: (manifest: SignedArtefact, content: Uint8Array) => T;
};

export type Kept<T> = { readonly manifest: SignedArtefact; readonly checked: T };

export type Shelf<T> = {
  readonly kept: () => ReadonlyMap<string, Kept<T>>;
  /** Files that could not be used when the shelf was opened, with the reason. */
  readonly damaged: readonly { readonly file: string; readonly reason: string }[];
  /**
   * Takes what was pushed; durable when it resolves. Rejects, changing nothing, with ProtocolError `unauthenticated`,
   * `malformed`, `conflict` (an older version, or another content for a known one), `limit_reached`; or as `check`
   * throws. The same again is taken without effect, and resolves with false.
   */
  readonly accept: (key: VerifyKey, envelope: Uint8Array, content: Uint8Array) => Promise<boolean>;
};

const OVERTAKEN: ReadonlySet<string> = new Set(["conflict", "forbidden"]);
const BEFORE = ".before";
const UNFINISHED = ".new";
/** Envelope, key and the frame around them. */
const FRAME_BYTES_MAX = 4096;

/** Never rejects for what is in the files; makes the folder where it is missing. */
export async function openShelf<T>(rule: ShelfRule<T>): Promise<Shelf<T>> {
  const { dir, kind, namesMax } = rule;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const damaged: { file: string; reason: string }[] = [];
  const kept = new Map<string, Kept<T>>();
  const present = `.${kind}`;
  const names = new Set(
    (await readdir(dir))
      .filter((file) => file.endsWith(present) || file.endsWith(BEFORE))
      .map((file) => file.slice(0, file.lastIndexOf("."))),
  );
  for (const name of [...names].sort().slice(0, namesMax)) {
    for (const suffix of [present, BEFORE]) {
      const found = await readKept(rule, name, suffix);
      if (typeof found === "object") {
        kept.set(name, found);
        break;
      }
      if (found !== "") damaged.push({ file: name + suffix, reason: found });
    }
  }
  let turn: Promise<unknown> = Promise.resolve();
  return {
    damaged,
    kept: () => kept,
    accept: (key, envelope, content) => {
      const mine = turn.then(async () => {
        const fresh = examine(rule, key, envelope, content);
        if (isKnown(rule, kept, fresh)) return false;
        // The key goes with it: what was once accepted stays so when the tenant's key is replaced.
        const bytes = encodeCbor([envelope, content, key.publicKey]);
        await write(dir, fresh.manifest.name, present, bytes);
        kept.set(fresh.manifest.name, fresh);
        return true;
      });
      turn = mine.catch(() => undefined);
      return mine;
    },
  };
}

/** True for the same again. Throws `conflict` or `limit_reached`. */
function isKnown<T>(
  { kind, namesMax }: ShelfRule<T>,
  kept: ReadonlyMap<string, Kept<T>>,
  { manifest }: Kept<T>,
): boolean {
  const present = kept.get(manifest.name)?.manifest;
  const { name, version } = manifest;
  if (present === undefined) {
    if (kept.size >= namesMax) {
      throw new ProtocolError("limit_reached", `there are ${namesMax} of kind ${kind} already`);
    }
    return false;
  }
  if (version > present.version) return false;
  const same = toHex(present.contentHash) === toHex(manifest.contentHash);
  if (version === present.version && same) return true;
  throw new ProtocolError("conflict", `${kind} ${name}: ${version} after ${present.version}`);
}

/** Throws as `accept` does. */
function examine<T>(
  rule: ShelfRule<T>,
  key: VerifyKey,
  envelope: Uint8Array,
  content: Uint8Array,
): Kept<T> {
  if (content.length > rule.bytesMax) {
    throw new ProtocolError("malformed", `${rule.kind}: more than ${rule.bytesMax} bytes`);
  }
  const manifest = openArtefact(key, envelope, content);
  if (manifest.kind !== rule.kind || manifest.tenant !== rule.tenant) {
    throw new ProtocolError("unauthenticated", `a ${manifest.kind} of another kind or tenant`);
  }
  return { manifest, checked: rule.check(manifest, content) };
}

/** The reason where it cannot be used; empty where there is no such file, or none that is for this installation. */
async function readKept<T>(
  rule: ShelfRule<T>,
  name: string,
  suffix: string,
): Promise<Kept<T> | string> {
  const limits = {
    bytesMax: rule.bytesMax + FRAME_BYTES_MAX,
    depthMax: 2,
    itemsMax: 4,
    mapEntriesMax: 0,
    textBytesMax: 0,
  };
  try {
    const parts = decodeCbor(await readFile(join(rule.dir, name + suffix)), limits);
    const [envelope, content, key] = Array.isArray(parts) ? parts : [];
    const isBytes = [envelope, content, key].every((part) => part instanceof Uint8Array);
    if (!isBytes) return `no ${rule.kind} file`;
    const found = examine(rule, verifyKey(key), envelope, content);
    return found.manifest.name === name ? found : "it has another name";
  } catch (error) {
    // Whole, and not for what is installed by now: a newer version of it, or another model's.
    if (error instanceof ProtocolError && OVERTAKEN.has(error.code)) return "";
    if (error instanceof ProtocolError || error instanceof ProfileError) return error.message;
    if (error instanceof Error && "code" in error) {
      return error.code === "ENOENT" ? "" : error.message;
    }
    throw error;
  }
}

/** The file before stays until the new one is on the disk; at every moment one of the two is whole. */
async function write(dir: string, name: string, suffix: string, bytes: Uint8Array): Promise<void> {
  const present = join(dir, name + suffix);
  const unfinished = join(dir, name + UNFINISHED);
  const file = await open(unfinished, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(present, join(dir, name + BEFORE)).catch((error: unknown) => {
    const first = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!first) throw error;
  });
  await rename(unfinished, present);
  const folder = await open(dir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
