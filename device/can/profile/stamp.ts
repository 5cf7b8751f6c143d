/** The sender's side of counters and checksums, for simulated cars. */

import { checksumOf } from "./e2e.ts";
import type { BoundMessage } from "./link.ts";

/** Writes counter (any whole number; its remainder is taken) and checksum into a frame of the message, in place. */
export function stampE2e(message: BoundMessage, data: Uint8Array, counter: number): void {
  const { compiled, e2e } = message;
  if (e2e?.counter !== undefined) {
    const { slot, modulus } = e2e.counter;
    compiled.put(slot, data, counter % modulus);
  }
  if (e2e?.checksum !== undefined) {
    const { byte, algorithm, dataId } = e2e.checksum;
    data[byte] = checksumOf(algorithm, dataId, data, byte);
  }
}
