/**
 * The transit keys of a tenant, by version: those there were when the store was opened, and any that was added since,
 * read when something is met that it wraps. So a rotation needs no service to be started again.
 */
import { KEY_BYTES, ProtocolError, randomBytes, type Vault } from "@kerbside/protocol";
import type { TransitKeys } from "./subject-keys.ts";
import type { FileVault } from "./vault.ts";

const NAME = /^(transit|audit)\/(\d{1,3})$/;
/** What the names of secrets have room for: one a day for years. */
const VERSION_MAX = 999;
/** Versions begin with 1, so as a first byte it says that two bytes follow. */
const LONG = 0;
const BYTE_MAX = 0xff;

/** Before what is sealed by it: one byte up to 255, three above. */
export function versionBytes(version: number): Uint8Array {
  return version <= BYTE_MAX
    ? Uint8Array.of(version)
    : Uint8Array.of(LONG, version >> 8, version & BYTE_MAX);
}

/** Version 0 where it is cut off: no key has that. */
export function readVersion(bytes: Uint8Array): {
  readonly version: number;
  readonly rest: Uint8Array;
} {
  const [first = 0, high = 0, low = 0] = bytes;
  return first === LONG
    ? { version: (high << 8) | low, rest: bytes.subarray(3) }
    : { version: first, rest: bytes.subarray(1) };
}

class LiveTransit extends Map<number, Uint8Array> {
  readonly #read: (version: number) => Uint8Array | undefined;

  constructor(
    known: Iterable<readonly [number, Uint8Array]>,
    read: (version: number) => Uint8Array | undefined,
  ) {
    super(known);
    this.#read = read;
  }

  override get(version: number): Uint8Array | undefined {
    const known = super.get(version);
    if (known !== undefined) return known;
    const added = this.#read(version);
    if (added !== undefined) this.set(version, added);
    return added;
  }
}

export async function transitKeys(
  vault: Pick<FileVault, "get" | "names" | "now">,
): Promise<TransitKeys> {
  const known: [number, Uint8Array][] = [];
  for (const version of await versionsOf(vault, "transit")) {
    const secret = await vault.get(`transit/${version}`);
    if (secret !== undefined) known.push([version, secret]);
  }
  return new LiveTransit(known, (version) => vault.now(`transit/${version}`));
}

type Versioned = "transit" | "audit";

async function versionsOf(
  vault: Pick<Vault, "names">,
  what: Versioned,
): Promise<readonly number[]> {
  const found = (await vault.names()).map((name) => NAME.exec(name));
  return found.flatMap((match) => (match?.[1] === what ? [Number(match[2])] : []));
}

/**
 * A new key, the same in each vault. Returns its version, above those that are there and the first. Throws ProtocolError
 * `limit_reached`, or `conflict` where somebody else has just made that version.
 */
export async function addVersion(
  what: Versioned,
  vaults: readonly [FileVault, ...Vault[]],
): Promise<number> {
  const versions = await Promise.all(vaults.map((vault) => versionsOf(vault, what)));
  const version = Math.max(1, ...versions.flat()) + 1;
  if (version > VERSION_MAX)
    throw new ProtocolError("limit_reached", `${what} keys: expected at most ${VERSION_MAX}`);
  const secret = randomBytes(KEY_BYTES);
  const [first, ...others] = vaults;
  await first.add(`${what}/${version}`, secret);
  for (const vault of others) await vault.put(`${what}/${version}`, secret);
  return version;
}
