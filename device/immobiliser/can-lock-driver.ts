/**
 * Locks a car whose body computer listens to its bus: the second driver behind `LockPort`. It sends what the gate
 * allows, now or not at all, and takes nothing for done that the car's own signals do not show.
 */
import type { Clock, LockAction, LockSensed, Log } from "@kerbside/protocol";
import { CanLockGate, type CanLocking, type CanLockSend } from "./can-lock-gate.ts";
import type { LockPort } from "./lock-port.ts";
import type { Actuated } from "./order.ts";
import { seenMoved } from "./sensed.ts";

export type CanLockDriverOptions = {
  readonly locking: CanLocking;
  /** Hands a frame to the bus now; false where the bus does not take it. Never queues. */
  readonly send: (frame: CanLockSend) => boolean;
  /**
   * What the car's own signals say of bolts and doors. Of a bolt that was not heard of since `heardSinceMs` of the boot
   * clock, where that is given, it says nothing.
   */
  readonly sensed: (heardSinceMs?: number) => LockSensed;
  readonly clock: Clock;
  readonly log: Log;
};

/** How often the signals are looked at while an actuation is under way. */
/** Pauses for one frame: the second makes up for a timer that was early; a clock that stands still ends the command. */
const PAUSES_MAX = 4;
const LOOK_MS = 20;

export class CanLockDriver implements LockPort {
  readonly #options: CanLockDriverOptions;
  readonly #gate: CanLockGate;
  #busy = false;
  #stopped = false;

  constructor(options: CanLockDriverOptions) {
    this.#options = options;
    this.#gate = new CanLockGate(options.locking);
  }

  report(): LockSensed {
    return this.#options.sensed();
  }

  /** Nothing is sent any more, also of a command under way. */
  stop(): void {
    this.#stopped = true;
    this.#gate.close();
  }

  async actuate(action: LockAction): Promise<Actuated> {
    if (this.#busy || this.#stopped) return { outcome: "not_sent" };
    const row = this.#gate.open(action);
    if (row === undefined) return { outcome: "not_sent" };
    this.#busy = true;
    const beganMs = this.#options.clock.bootMs();
    try {
      let dueMs = Number.NEGATIVE_INFINITY;
      for (let at = 0; at < row.repeats; at += 1) {
        if (at > 0) await this.#until(dueMs);
        // The car may have understood the frames before; what it shows decides. The rest is not sent later.
        if (!this.#sendNext()) {
          if (at === 0) return { outcome: "not_sent" };
          break;
        }
        dueMs = this.#options.clock.bootMs() + row.periodMs;
      }
      return await this.#watch(action, beganMs);
    } finally {
      this.#gate.close();
      this.#busy = false;
    }
  }

  #sendNext(): boolean {
    const { clock, send, log } = this.#options;
    const frame = this.#gate.next();
    if (frame === undefined) return false;
    const verdict = this.#gate.pass(frame, clock.bootMs());
    if (!verdict.allowed) {
      log.warn("lock.frame_refused", { reason: verdict.reason });
      return false;
    }
    return send(frame);
  }

  /** What the car showed before the first frame, and shows still because it says nothing, is no sign of having moved. */
  async #watch(action: LockAction, beganMs: number): Promise<Actuated> {
    const { clock, locking, sensed } = this.#options;
    const endMs = clock.bootMs() + locking.sensedWithinMs;
    for (;;) {
      const now = sensed(beganMs);
      if (seenMoved(action, now) === "yes") return { outcome: "done", sensed: now };
      if (this.#stopped) return { outcome: "no_answer" };
      if (clock.bootMs() >= endMs) return { outcome: "no_travel", sensed: now };
      await this.#pause(LOOK_MS);
    }
  }

  /** A timer may fire a little before its time by the clock; a frame that comes too soon would be the last. */
  async #until(dueMs: number): Promise<void> {
    const { clock } = this.#options;
    for (let tries = 0; tries < PAUSES_MAX && clock.bootMs() < dueMs; tries += 1) {
      await this.#pause(Math.ceil(dueMs - clock.bootMs()));
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }
}
