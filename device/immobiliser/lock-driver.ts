/**
 * The lock controller at the other end of the lock link: keeps a session up over ever new connections, knows the last
 * report, and actuates. One actuation at a time, each sent once; if the line breaks in between, the controller's own
 * record of that actuation says what became of it.
 */
import {
  type Clock,
  type Line,
  type LineState,
  type LockAction,
  LockLinkSession,
  type LockLinkStep,
  type LockMessageOf,
  type Log,
  PairedLine,
  type Random,
  type Timer,
} from "@kerbside/protocol";
import { LOCK_NOISE_WINDOW_MS, type LockSeen } from "./lock-faults.ts";
import type { LockPort } from "./lock-port.ts";
import type { Actuated } from "./order.ts";

/** A controller that has not said by then what became of an actuation is silent. Bolts travel within 1 s. */
export const ACTUATION_MS_MAX = 5000;
/** How long a line that was at rest may take until the controller reports; commands wait for it. */
export const LOCK_WAKE_MS_MAX = 3000;

export type StatusReport = LockMessageOf<"statusReport">;

export type LockDriverOptions = {
  readonly link: Line;
  readonly pairingKey: Uint8Array;
  /** 8 bytes that name the module to the controller. */
  readonly moduleId: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What is seen of the controller and its line: every report, also unasked ones, and how each actuation ended. */
  readonly onSeen: (seen: LockSeen) => void;
};

type Pending = {
  readonly id: number;
  readonly action: LockAction;
  readonly resolve: (actuated: Actuated) => void;
  readonly timer: Timer;
};
type Message = LockLinkStep["messages"][number];

export class LockDriver implements LockPort {
  readonly #options: LockDriverOptions;
  readonly #line: PairedLine<Exclude<Message, { type: "ack" | "nak" }>>;
  #report: StatusReport | undefined;
  #pending: Pending | undefined;
  #lastId = 0;
  #counting: Timer | undefined;
  #woken: Woken | undefined;

  constructor(options: LockDriverOptions) {
    this.#options = options;
    const { pairingKey, moduleId, random, link, clock, log } = options;
    const session = new LockLinkSession({ role: "module", pairingKey, id: moduleId, random });
    this.#line = new PairedLine({
      ...{ name: "lock", line: link, session, clock, log },
      onMessage: (message) => this.#take(message),
      onState: (state) => this.#stateChanged(state),
    });
  }

  /** Begins to look for the controller; never gives up, never throws. */
  start(): void {
    this.#line.start();
    this.#count();
  }

  stop(): void {
    this.rest();
    this.#woken?.end();
  }

  /** The module goes to sleep: the line is closed, which is no fault, until `wake`. */
  rest(): void {
    this.#counting?.cancel();
    this.#line.rest();
    this.#report = undefined;
    this.#settle({ outcome: "no_answer" });
  }

  /** After a rest, or after a suspend that the line slept through: begins anew; `awake` says when it has. */
  wake(): void {
    this.rest();
    this.#woken?.end();
    const { clock } = this.#options;
    const woken = Promise.withResolvers<void>();
    const timer = clock.after(LOCK_WAKE_MS_MAX, woken.resolve);
    const end = (): void => {
      timer.cancel();
      woken.resolve();
    };
    this.#woken = { promise: woken.promise, end };
    this.start();
  }

  /** Resolves once the controller has reported after a wake, or is given up on; at once where it was awake. */
  async awake(): Promise<void> {
    await this.#woken?.promise;
  }

  /** The last report of this session, or undefined while the controller is not reachable. */
  report(): StatusReport | undefined {
    return this.#report;
  }

  /**
   * Asks for one actuation and resolves with what became of it, at the latest after `ACTUATION_MS_MAX`. `not_sent`
   * means that nothing moved. The caller asks for one at a time.
   */
  actuate(action: LockAction): Promise<Actuated> {
    const { clock } = this.#options;
    if (this.#pending !== undefined) return Promise.resolve({ outcome: "not_sent" });
    // Without a report the controller's last id is not known, and a spent one would be refused.
    if (this.#report === undefined) return Promise.resolve({ outcome: "not_sent" });
    const id = Math.max(this.#lastId, this.#report.lastActuationId) + 1;
    if (!this.#line.send({ type: "actuate", actuationId: id, action })) {
      return Promise.resolve({ outcome: "not_sent" });
    }
    this.#lastId = id;
    return new Promise((resolve) => {
      const timer = clock.after(ACTUATION_MS_MAX, () => this.#settle({ outcome: "no_answer" }));
      this.#pending = { id, action, resolve, timer };
    });
  }

  #settle(actuated: Actuated): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    pending.timer.cancel();
    this.#options.onSeen({ type: "actuated", action: pending.action, actuated });
    pending.resolve(actuated);
  }

  #count(): void {
    const { clock, onSeen } = this.#options;
    this.#counting = clock.after(LOCK_NOISE_WINDOW_MS, () => {
      onSeen({ type: "counts", counts: this.#line.counts });
      this.#count();
    });
  }

  #stateChanged(state: LineState): void {
    this.#report = undefined;
    this.#options.onSeen({ type: "link", state });
    // The self-test lets current into the motor's coil and moves nothing.
    if (state === "up") this.#line.send({ type: "statusRequest", selfTest: true });
  }

  #take(message: Message): void {
    const pending = this.#pending;
    if (message.type === "actuationResult") {
      const { type: _type, actuationId, outcome, ...sensed } = message;
      if (pending?.id === actuationId) this.#settle({ outcome, sensed });
      return;
    }
    if (message.type !== "statusReport") return;
    this.#report = message;
    this.#woken?.end();
    this.#options.onSeen({ type: "report", report: message });
    if (pending === undefined || message.midPulse) return;
    // The result was lost with the line; the controller's own record stands in for it.
    if (message.lastActuationId === pending.id && message.lastOutcome !== "none") {
      this.#settle({ outcome: message.lastOutcome, sensed: message });
    }
  }
}

type Woken = { readonly promise: Promise<void>; readonly end: () => void };
