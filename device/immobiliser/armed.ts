/** The one command that may wait on the car, and the clock that ends its waiting. */
import type { Clock, Command, Timer } from "@kerbside/protocol";

export type ArmedCommand = {
  readonly command: Command;
  readonly requestHash: Uint8Array;
  /** On the boot clock, which counts suspend. */
  readonly untilMs: number;
};

export class ArmedSlot {
  readonly #clock: Clock;
  readonly #lapsed: (command: ArmedCommand) => Promise<void>;
  #held: { readonly armed: ArmedCommand; readonly timer: Timer } | undefined;

  /** `lapsed` is called once for a command whose own time ran out; it is held no more by then. Must not reject. */
  constructor(clock: Clock, lapsed: (command: ArmedCommand) => Promise<void>) {
    this.#clock = clock;
    this.#lapsed = lapsed;
  }

  held(): ArmedCommand | undefined {
    return this.#held?.armed;
  }

  /** Holds it until its time is over. The caller has made sure that none is held. */
  hold(armed: ArmedCommand): void {
    const timer = this.#clock.after(armed.untilMs - this.#clock.bootMs(), () => {
      this.release();
      void this.#lapsed(armed);
    });
    this.#held = { armed, timer };
  }

  release(): void {
    this.#held?.timer.cancel();
    this.#held = undefined;
  }
}
