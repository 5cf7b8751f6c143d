/** Stands in for `node:crypto`: other threads have no place in a world whose order a seed decides. */
import { hkdfSync as deriveHere, type KeyLike, verify as verifyHere } from "node:crypto";

export * from "node:crypto";

type Told = (error: Error | null, holds: boolean) => void;

/** With somebody to tell, it is told in this turn, as if the other thread had been quick. */
export function verify(
  algorithm: string | null,
  data: Uint8Array,
  key: KeyLike,
  signature: Uint8Array,
  tell?: Told,
): boolean {
  const holds = verifyHere(algorithm, data, key, signature);
  if (tell !== undefined) queueMicrotask(() => tell(null, holds));
  return holds;
}

const DERIVED_MAX = 20_000;
let derived = new Map<string, ArrayBuffer>();

/** Each key is derived by the car and again by the cloud; the second time costs nothing. */
export function hkdfSync(
  digest: string,
  key: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  bytes: number,
): ArrayBuffer {
  const parts = [key, salt, info].map((part) => Buffer.from(part).toString("latin1"));
  const name = [digest, bytes, ...parts.map(({ length }) => length), ...parts].join(" ");
  const known = derived.get(name);
  const found = known ?? deriveHere(digest, key, salt, info, bytes);
  if (known === undefined) {
    if (derived.size >= DERIVED_MAX) derived = new Map();
    derived.set(name, found);
  }
  // A copy: whoever gets it may wipe it.
  return found.slice(0);
}
