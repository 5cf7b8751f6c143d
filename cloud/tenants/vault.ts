/**
 * A vault as a sealed file (P-11): each secret is encrypted on its own, bound to owner, name and version, under a key
 * derived from the platform's and bound to the owner; a MAC over the list of them shows a secret that was taken out or
 * put back. The file is replaced as a whole, mode 0600.
 */
import { closeSync, openSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import {
  bytes,
  type Codec,
  cryptoReady,
  decode,
  deriveKey,
  encode,
  field,
  hash256,
  hmac,
  list,
  ProtocolError,
  sameMac,
  struct,
  type TypeOf,
  text,
  uint,
  utf8,
  type Vault,
} from "@kerbside/protocol";
import { errorCode, fileError, readIfThere, replaceFile } from "./files.ts";
import { openWith, sealWith } from "./sealing.ts";

export const SECRET_BYTES_MAX: number = 16 * 1024;
export const SECRETS_MAX = 1024;
const NAME = /^[a-z0-9][a-z0-9-]{0,63}(?:\/[a-z0-9][a-z0-9-]{0,63}){0,3}$/;
/** How long a writer waits for another one, and after which time it takes that one for dead. */
const LOCK_MS_MAX = 10_000;
const LOCK_POLL_MS = 20;

const restricted = { class: "Restricted" } as const;
const internal = { class: "Internal" } as const;
const entriesCodec = list(
  struct("a secret", {
    name: field(0, text(256, NAME), { ...internal, doc: "its path" }),
    version: field(1, uint(), { ...internal, doc: "rises each time it is put" }),
    sealed: field(2, bytes(1, SECRET_BYTES_MAX + 64), { ...restricted, doc: "nonce, ciphertext" }),
  }),
  SECRETS_MAX,
);
const fileCodec = struct("sealed vault", {
  format: field(0, uint(1), { ...internal, doc: "1" }),
  mac: field(1, hash256, { ...internal, doc: "HMAC-SHA-256 over the entries" }),
  entries: field(2, entriesCodec, { ...restricted, doc: "the secrets" }),
});
type Entries = TypeOf<typeof entriesCodec>;

export type VaultMode = "read" | "write";
export type FileVault = Vault & {
  /** As `get`, without waiting. The library of ciphers must be ready. */
  readonly now: (name: string) => Uint8Array | undefined;
  /** As `put`, of a name that is not there yet. Rejects with `conflict`. */
  readonly add: Vault["put"];
};

/**
 * Opens the vault of `owner`. A missing file is an empty vault. In mode `read`, `put` is `forbidden`. Throws
 * ProtocolError `unauthenticated` where the file is not sealed by this key for this owner, on each use.
 */
export function openVault(
  file: string,
  key: Uint8Array,
  owner: string,
  mode: VaultMode,
): FileVault {
  const secretKey = deriveKey(key, "kerbside/v1/vault", utf8(owner));
  const macKey = deriveKey(key, "kerbside/v1/vault-mac", utf8(owner));
  const bound = (name: string, version: number): Uint8Array =>
    utf8(`kerbside/v1/vault\n${owner}\n${name}\n${version}`);
  const macOf = (entries: Entries): Uint8Array => hmac(macKey, encode(entriesCodec, entries));

  const load = (): Entries => {
    const content = readIfThere(file);
    if (content === undefined) return [];
    const { mac, entries } = decodeVault(file, fileCodec, content);
    if (!sameMac(mac, macOf(entries)))
      throw new ProtocolError(
        "unauthenticated",
        `${file}: is not sealed by this key for ${owner}; expected the key it was made with`,
      );
    return entries;
  };
  const now = (name: string): Uint8Array | undefined => {
    const entry = load().find((candidate) => candidate.name === name);
    return entry && openWith(secretKey, entry.sealed, bound(name, entry.version));
  };
  const write = async (name: string, secret: Uint8Array, isNew: boolean): Promise<void> => {
    if (mode === "read")
      throw new ProtocolError("forbidden", `vault of ${owner}: is open for reading only`);
    if (!NAME.test(name) || secret.length > SECRET_BYTES_MAX)
      throw new ProtocolError(
        "malformed",
        `vault of ${owner}: expected a path of a–z, 0–9 and hyphens, and at most ${SECRET_BYTES_MAX} bytes`,
      );
    await cryptoReady();
    await locked(`${file}.lock`, () => {
      const entries = load();
      const before = entries.find((entry) => entry.name === name);
      if (isNew && before !== undefined)
        throw new ProtocolError("conflict", `vault of ${owner}: ${name} is there already`);
      const version = (before?.version ?? 0) + 1;
      const sealed = sealWith(secretKey, secret, bound(name, version));
      const others = entries.filter((entry) => entry.name !== name);
      const next = [...others, { name, version, sealed }];
      replaceFile(file, encode(fileCodec, { format: 1, mac: macOf(next), entries: next }));
    });
  };
  return {
    now,
    get: async (name) => {
      await cryptoReady();
      return now(name);
    },
    names: async () => load().map((entry) => entry.name),
    put: (name, secret) => write(name, secret, false),
    add: (name, secret) => write(name, secret, true),
  };
}

function decodeVault<T>(file: string, codec: Codec<T>, content: Uint8Array): T {
  try {
    return decode(codec, content);
  } catch (error) {
    throw new ProtocolError("storage_failed", `${file}: is damaged or no vault`, { cause: error });
  }
}

/** One writer at a time, among processes too. A lock older than its longest use was left by a crash. */
async function locked(lock: string, use: () => void): Promise<void> {
  const deadline = Date.now() + 2 * LOCK_MS_MAX;
  for (;;) {
    try {
      closeSync(openSync(lock, "wx", 0o600));
      break;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw fileError(lock, error);
      if (Date.now() > deadline)
        throw new ProtocolError("storage_failed", `${lock}: is held by another process`);
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > LOCK_MS_MAX) rmSync(lock, { force: true });
      else await delay(LOCK_POLL_MS);
    }
  }
  try {
    use();
  } finally {
    rmSync(lock, { force: true });
  }
}
