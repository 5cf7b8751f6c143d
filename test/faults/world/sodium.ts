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

const NAME = "crypto_aead_xchacha20poly1305_ietf_encrypt";

// biome-ignore lint/style/noDefaultExport: the package that it stands in for has one.
export default new Proxy(sodium, {
  get: (target, name, receiver): unknown =>
    name === NAME ? encrypt : Reflect.get(target, name, receiver),
});
