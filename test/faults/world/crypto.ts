/** Stands in for `node:crypto`: other threads have no place in a world whose order a seed decides. */
import { type KeyLike, verify as verifyHere } from "node:crypto";

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
