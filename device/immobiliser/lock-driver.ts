/**
 * The lock controller at the other end of the lock link: keeps a session up over ever new connections, knows the last
 * report, and actuates. One actuation at a time, each sent once; if the line breaks in between, the controller's own
 * record of that actuation says what became of it.
 */
import {
  type Clock,
  LOCK_GREETING_MS_MIN,
  type LockAction,
  LockLinkSession,
  type LockLinkStep,
  type LockMessage,
  type LockMessageOf,
  type Log,
  type Random,
  type Timer,
} from "@kerbside/protocol";
import { LOCK_NOISE_WINDOW_MS, type LockSeen } from "./lock-faults.ts";
import type { LockPort } from "./lock-port.ts";
import type { Actuated } from "./order.ts";
import type { SerialConnection, SerialLink } from "./serial-link.ts";

/** A controller that has not said by then what became of an actuation is silent. Bolts travel within 1 s. */
export const ACTUATION_MS_MAX = 5000;
const REOPEN_MS_MIN = 200;
const REOPEN_MS_MAX = 5000;
/**
 * An open line on which no session comes about for this long is closed and opened anew. A tty that was hung up may read
 * as empty for ever (Linux, pty and USB adapters): only writing to it, or this, ends it.
 */
export const LINK_WATCHDOG_MS = 15_000;

export type StatusReport = LockMessageOf<"statusReport">;

export type LockDriverOptions = {
  readonly link: SerialLink;
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

export class LockDriver implements LockPort {
  readonly #options: LockDriverOptions;
  readonly #session: LockLinkSession;
  #connection: SerialConnection | undefined;
  #report: StatusReport | undefined;
  #pending: Pending | undefined;
  #lastId = 0;
  #reopenMs = REOPEN_MS_MIN;
  #timers: Timer[] = [];
  #ready = false;
  #incompatible = false;
  #stopped = false;
  #openedMs = 0;
  #countedMs = 0;

  constructor(options: LockDriverOptions) {
    this.#options = options;
    const { pairingKey, moduleId, random } = options;
    this.#session = new LockLinkSession({ role: "module", pairingKey, id: moduleId, random });
  }

  /** Begins to look for the controller; never gives up, never throws. */
  start(): void {
    this.#open().catch((error: unknown) =>
      this.#options.log.error("lock.bug", { what: String(error) }),
    );
    this.#beat();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#connection?.close();
    this.#settle({ outcome: "no_answer" });
  }

  /** The last report of this session, or undefined while the controller is not reachable. */
  report(): StatusReport | undefined {
    return this.#ready ? this.#report : undefined;
  }

  /**
   * Asks for one actuation and resolves with what became of it, at the latest after `ACTUATION_MS_MAX`. `not_sent`
   * means that nothing moved. The caller asks for one at a time.
   */
  actuate(action: LockAction): Promise<Actuated> {
    const { clock } = this.#options;
    if (this.#pending !== undefined) return Promise.resolve({ outcome: "not_sent" });
    // Without a report the controller's last id is not known, and a spent one would be refused.
    if (!this.#ready || this.#report === undefined) return Promise.resolve({ outcome: "not_sent" });
    const id = Math.max(this.#lastId, this.#report.lastActuationId) + 1;
    const sent = this.#session.send({ type: "actuate", actuationId: id, action }, clock.bootMs());
    if (!sent.sent || this.#connection?.write(sent.bytesOut) !== true) {
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

  async #open(): Promise<void> {
    const { link, clock, log } = this.#options;
    if (this.#stopped) return;
    try {
      this.#connection = await link({
        data: (bytes) => this.#step(this.#session.receive(bytes, clock.bootMs())),
        closed: (reason) => this.#closed(reason),
      });
      if (this.#stopped) return this.#connection.close();
      this.#openedMs = clock.bootMs();
      this.#connection.write(this.#session.open(clock.bootMs()));
    } catch (error) {
      log.warn("lock.open_failed", {
        what: error instanceof Error ? error.message : String(error),
      });
      this.#reopenLater();
    }
  }

  #closed(reason: string): void {
    this.#connection = undefined;
    this.#session.close();
    this.#noteReady();
    if (!this.#stopped) this.#options.log.warn("lock.link_closed", { reason });
    this.#reopenLater();
  }

  #reopenLater(): void {
    if (this.#stopped) return;
    this.#later(this.#reopenMs, () => {
      this.#open().catch((error: unknown) =>
        this.#options.log.error("lock.bug", { what: String(error) }),
      );
    });
    this.#reopenMs = Math.min(2 * this.#reopenMs, REOPEN_MS_MAX);
  }

  #beat(): void {
    if (this.#stopped) return;
    const nowMs = this.#options.clock.bootMs();
    if (this.#connection !== undefined) this.#step(this.#session.tick(nowMs));
    if (nowMs - this.#countedMs >= LOCK_NOISE_WINDOW_MS) {
      this.#countedMs = nowMs;
      this.#options.onSeen({ type: "counts", counts: this.#session.counts });
    }
    // A session that was lost is greeted anew by itself; the watchdog is for a line that stays dead.
    if (!this.#ready && nowMs - this.#openedMs >= LINK_WATCHDOG_MS) {
      this.#openedMs = nowMs;
      this.#connection?.close();
    }
    this.#later(LOCK_GREETING_MS_MIN, () => this.#beat());
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      run();
    });
    this.#timers.push(timer);
  }

  #step({ messages, bytesOut }: LockLinkStep): void {
    if (bytesOut.length > 0) this.#connection?.write(bytesOut);
    this.#noteReady();
    for (const message of messages) this.#take(message);
  }

  #noteReady(): void {
    const { state } = this.#session;
    const { clock, onSeen } = this.#options;
    const ready = state.value === "ready";
    const incompatible = state.value === "closed" && state.reason === "incompatible";
    if (ready === this.#ready && incompatible === this.#incompatible) return;
    this.#ready = ready;
    this.#incompatible = incompatible;
    this.#report = undefined;
    onSeen({ type: "link", state: ready ? "up" : incompatible ? "incompatible" : "silent" });
    if (!ready) {
      this.#openedMs = clock.bootMs();
      return;
    }
    this.#reopenMs = REOPEN_MS_MIN;
    // The self-test lets current into the motor's coil and moves nothing.
    const asked = this.#session.send({ type: "statusRequest", selfTest: true }, clock.bootMs());
    if (asked.sent) this.#connection?.write(asked.bytesOut);
  }

  #take(message: LockMessage): void {
    const pending = this.#pending;
    if (message.type === "actuationResult") {
      const { type: _type, actuationId, outcome, ...sensed } = message;
      if (pending?.id === actuationId) this.#settle({ outcome, sensed });
      return;
    }
    if (message.type !== "statusReport") return;
    this.#report = message;
    this.#options.onSeen({ type: "report", report: message });
    if (pending === undefined || message.midPulse) return;
    // The result was lost with the line; the controller's own record stands in for it.
    if (message.lastActuationId === pending.id && message.lastOutcome !== "none") {
      this.#settle({ outcome: message.lastOutcome, sensed: message });
    }
  }
}
