/** Remembers for a moment what was looked up, so that one piece of work looks it up once. */
import type { Clock } from "@kerbside/protocol";

/** A tenant that was removed is gone for everybody after this. */
const RECENT_MS = 100;
const ENTRIES_MAX = 10_000;

/** What was not found is looked up anew each time; a rejection is not remembered. */
export function recently<K, V>(
  look: (key: K) => Promise<V | undefined>,
  clock: Pick<Clock, "bootMs">,
): (key: K) => Promise<V | undefined> {
  const known = new Map<K, { readonly value: V; readonly untilMs: number }>();
  return async (key) => {
    const nowMs = clock.bootMs();
    const found = known.get(key);
    if (found !== undefined && nowMs < found.untilMs) return found.value;
    known.delete(key);
    const value = await look(key);
    if (value === undefined) return undefined;
    if (known.size >= ENTRIES_MAX) known.clear();
    known.set(key, { value, untilMs: nowMs + RECENT_MS });
    return value;
  };
}
