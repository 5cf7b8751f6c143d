/**
 * Schemes pushed by the cloud: signed, versioned, kept on the disk, applied whole or not at all. Of each name the
 * present one and the one before are kept; a file that is damaged gives way to the one before, and a name with
 * neither to the scheme that comes with the agent.
 */
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeCbor,
  encodeCbor,
  openArtefact,
  ProtocolError,
  type SignedArtefact,
  toHex,
  type VerifyKey,
} from "@kerbside/protocol";
import { type Profile, ProfileError } from "../profile/index.ts";
import { type CheckedScheme, loadScheme } from "./check.ts";
import { readShippedScheme, shippedSchemes } from "./shipped.ts";

export type ShelfOptions = {
  readonly dir: string;
  readonly tenant: string;
  /** Of whoever may sign schemes for this tenant's cars. */
  readonly key: VerifyKey;
  readonly profile: Pick<Profile, "signals" | "limits" | "obd">;
};

export type SchemeShelf = {
  /** What is to run now: the pushed ones, and those that come with the agent under names that were not pushed. */
  readonly schemes: () => readonly CheckedScheme[];
  /** Files that could not be used when the shelf was opened, with the reason. */
  readonly damaged: readonly { readonly file: string; readonly reason: string }[];
  /**
   * Takes a scheme; durable when it resolves. Rejects, changing nothing, with ProtocolError `unauthenticated`,
   * `malformed`, `conflict` (an older version, or another content for a known one), `limit_reached`; or with
   * ProfileError where the scheme is wrong. The same again is taken without effect.
   */
  readonly accept: (envelope: Uint8Array, content: Uint8Array) => Promise<void>;
};

export const SCHEMES_MAX = 32;
/** What one message to a car may carry. */
export const SCHEME_BYTES_MAX: number = 256 * 1024;
const PRESENT = ".scheme";
const BEFORE = ".before";
const UNFINISHED = ".new";

type Shelved = { readonly manifest: SignedArtefact; readonly checked: CheckedScheme };

/** Never rejects for what is in the files; makes the folder where it is missing. */
export async function openSchemeShelf(options: ShelfOptions): Promise<SchemeShelf> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const damaged: { file: string; reason: string }[] = [];
  const shelved = new Map<string, Shelved>();
  const names = new Set(
    (await readdir(dir))
      .filter((file) => file.endsWith(PRESENT) || file.endsWith(BEFORE))
      .map((file) => file.slice(0, file.lastIndexOf("."))),
  );
  for (const name of [...names].sort().slice(0, SCHEMES_MAX)) {
    for (const suffix of [PRESENT, BEFORE]) {
      const found = await readShelved(options, name, suffix);
      if (typeof found === "object") {
        shelved.set(name, found);
        break;
      }
      if (found !== "") damaged.push({ file: name + suffix, reason: found });
    }
  }
  let turn: Promise<void> = Promise.resolve();
  return {
    damaged,
    schemes: () => [
      ...[...shelved.values()].map(({ checked }) => checked),
      ...shippedSchemes()
        .filter((name) => !shelved.has(name))
        .map((name) => loadScheme(name, readShippedScheme(name), options.profile)),
    ],
    accept: (envelope, content) => {
      const mine = turn.then(async () => {
        const fresh = examine(options, envelope, content);
        if (isKnown(shelved, fresh)) return;
        await write(dir, fresh.manifest.name, encodeCbor([envelope, content]));
        shelved.set(fresh.manifest.name, fresh);
      });
      turn = mine.catch(() => undefined);
      return mine;
    },
  };
}

/** True for the same again. Throws `conflict` or `limit_reached`. */
function isKnown(shelved: ReadonlyMap<string, Shelved>, { manifest }: Shelved): boolean {
  const present = shelved.get(manifest.name)?.manifest;
  const { name, version } = manifest;
  if (present === undefined) {
    if (shelved.size >= SCHEMES_MAX) {
      throw new ProtocolError("limit_reached", `there are ${SCHEMES_MAX} schemes already`);
    }
    return false;
  }
  if (version > present.version) return false;
  const same = toHex(present.contentHash) === toHex(manifest.contentHash);
  if (version === present.version && same) return true;
  throw new ProtocolError("conflict", `scheme ${name}: ${version} after ${present.version}`);
}

/** Throws as `accept` does. */
function examine(options: ShelfOptions, envelope: Uint8Array, content: Uint8Array): Shelved {
  if (content.length > SCHEME_BYTES_MAX) {
    throw new ProtocolError("malformed", `scheme: more than ${SCHEME_BYTES_MAX} bytes`);
  }
  const manifest = openArtefact(options.key, envelope, content);
  const { kind, name, version, tenant } = manifest;
  if (kind !== "scheme" || tenant !== options.tenant) {
    throw new ProtocolError("unauthenticated", `a ${kind} of another kind or tenant`);
  }
  const checked = loadScheme(name, content, options.profile);
  if (checked.scheme.name !== name || checked.scheme.version !== version) {
    throw new ProtocolError("malformed", `scheme ${name}: signed under another name or version`);
  }
  return { manifest, checked };
}

/** The reason where it cannot be used; empty where there is no such file. */
async function readShelved(
  options: ShelfOptions,
  name: string,
  suffix: string,
): Promise<Shelved | string> {
  try {
    const parts = decodeCbor(await readFile(join(options.dir, name + suffix)), FILE_LIMITS);
    const [envelope, content] = Array.isArray(parts) ? parts : [];
    if (!(envelope instanceof Uint8Array && content instanceof Uint8Array)) return "no scheme file";
    const shelved = examine(options, envelope, content);
    return shelved.manifest.name === name ? shelved : "it has another name";
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof ProfileError) return error.message;
    if (error instanceof Error && "code" in error)
      return error.code === "ENOENT" ? "" : error.message;
    throw error;
  }
}

const FILE_LIMITS = {
  bytesMax: SCHEME_BYTES_MAX + 4096,
  depthMax: 2,
  itemsMax: 3,
  mapEntriesMax: 0,
  textBytesMax: 0,
};

/** The file before stays until the new one is on the disk; at every moment one of the two is whole. */
async function write(dir: string, name: string, bytes: Uint8Array): Promise<void> {
  const present = join(dir, name + PRESENT);
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
