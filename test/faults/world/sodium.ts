/** libsodium as it is, with somebody who sees each encryption: no key and nonce may ever meet twice. */
import sodium from "libsodium-wrappers";

export type Encryption = {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly plain: Uint8Array;
  readonly bound: Uint8Array;
};
let witness: (seen: Encryption) => void = () => undefined;

export function watchEncryption(by: (seen: Encryption) => void): void {
  witness = by;
}

const encrypt = (
  plain: Uint8Array,
  bound: Uint8Array,
  secret: null,
  nonce: Uint8Array,
  key: Uint8Array,
): Uint8Array => {
  witness({ key, nonce, plain, bound });
  return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, bound, secret, nonce, key);
};

const BOXES_MAX = 1000;
let boxes = new Map<string, Uint8Array>();

/** The same box for the same root again: only a car with the same memory has it, and it has the box too. */
const seal = (message: Uint8Array, key: Uint8Array): Uint8Array => {
  const name = Buffer.concat([message, key]).toString("latin1");
  const known = boxes.get(name);
  if (known !== undefined) return known.slice();
  const box = sodium.crypto_box_seal(message, key);
  if (boxes.size >= BOXES_MAX) boxes = new Map();
  boxes.set(name, box.slice());
  return box;
};

const STAND_INS: ReadonlyMap<string | symbol, unknown> = new Map<string, unknown>([
  ["crypto_aead_xchacha20poly1305_ietf_encrypt", encrypt],
  ["crypto_box_seal", seal],
]);

// biome-ignore lint/style/noDefaultExport: the package that it stands in for has one.
export default new Proxy(sodium, {
  get: (target, name, receiver): unknown =>
    STAND_INS.get(name) ?? Reflect.get(target, name, receiver),
});
