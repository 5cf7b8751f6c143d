/** The session of commands: an epoch that nobody can foresee, and the clock that the life of a command is read on. */
import type { Clock, Random } from "@kerbside/protocol";

const EPOCH_BYTES = 16;

export type Session = {
  readonly epoch: () => Uint8Array;
  /** Milliseconds since the epoch began, on a clock that counts suspend. Whole. */
  readonly sessionMs: () => number;
  /** Begins a new epoch: after a resume from suspend. Commands of the one before are refused as stale. */
  readonly renew: () => void;
};

export function createSession(clock: Pick<Clock, "bootMs">, random: Random): Session {
  let epoch = random.bytes(EPOCH_BYTES);
  let startedMs = clock.bootMs();
  return {
    epoch: () => epoch,
    sessionMs: () => Math.max(0, Math.floor(clock.bootMs() - startedMs)),
    renew: () => {
      epoch = random.bytes(EPOCH_BYTES);
      startedMs = clock.bootMs();
    },
  };
}
