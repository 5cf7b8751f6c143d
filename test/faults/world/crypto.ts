/**
 * Stands in for `node:crypto`: other threads have no place in a world whose order a seed decides, and what a world works
 * out once, on one side, it need not work out again on the other. The answers are those of the real one.
 */
import {
  createPublicKey as createHere,
  hkdfSync as deriveHere,
  type KeyObject,
  sign as signHere,
  verify as verifyHere,
} from "node:crypto";

export * from "node:crypto";

/** Answers of functions that always give the same one. Begins anew when it is full. */
class Known<T> {
  static readonly #ENTRIES_MAX = 20_000;
  #known = new Map<string, T>();

  get(name: string, find: () => T): T {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const found = find();
    if (this.#known.size >= Known.#ENTRIES_MAX) this.#known = new Map();
    this.#known.set(name, found);
    return found;
  }
}

const text = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString("latin1");

type DerKey = { readonly key: Buffer; readonly format: "der"; readonly type: "spki" };
const publicKeys = new Known<KeyObject>();

export function createPublicKey(from: KeyObject | DerKey): KeyObject {
  return "format" in from
    ? publicKeys.get(text(from.key), () => createHere(from))
    : createHere(from);
}

type Told = (error: Error | null, holds: boolean) => void;
const signatures = new Known<boolean>();
const names = new WeakMap<KeyObject, string>();

/** The key's raw public half, which a private one has too. */
function nameOf(key: KeyObject): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const half = key.type === "private" ? createHere(key) : key;
  const name = text(half.export({ format: "der", type: "spki" }));
  names.set(key, name);
  return name;
}

const nameOfSignature = (key: KeyObject, data: Uint8Array, signature: Uint8Array): string =>
  [nameOf(key), text(signature), text(data)].join(" ");

/** Of Ed25519: what one half has signed, holds for the other. */
export function sign(algorithm: string | null, data: Uint8Array, key: KeyObject): Buffer {
  const signature = signHere(algorithm, data, key);
  signatures.get(nameOfSignature(key, data, signature), () => true);
  return signature;
}

/** With somebody to tell, it is told in this turn, as if the other thread had been quick. */
export function verify(
  algorithm: string | null,
  data: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
  tell?: Told,
): boolean {
  const name = nameOfSignature(key, data, signature);
  const holds = signatures.get(name, () => verifyHere(algorithm, data, key, signature));
  if (tell !== undefined) queueMicrotask(() => tell(null, holds));
  return holds;
}

const derived = new Known<ArrayBuffer>();

/** Each key is derived by the car and again by the cloud. */
export function hkdfSync(
  digest: string,
  key: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  bytes: number,
): ArrayBuffer {
  const name = [bytes, key.length, salt.length, text(key), text(salt), text(info)].join(" ");
  // A copy: whoever gets it may wipe it.
  return derived.get(name, () => deriveHere(digest, key, salt, info, bytes)).slice(0);
}
