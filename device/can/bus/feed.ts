/** What all drivers share: the listener, the state with its watchdog, and the counters. */
import type { Clock, Timer } from "@kerbside/protocol";
import type { CanFrame } from "../frame.ts";
import type { BusFrame, BusListener, BusState, BusStats } from "./bus.ts";

/** A bus that is awake is never this quiet: the slowest cyclic frames of a car come once a second. */
export const SILENT_MS_DEFAULT = 3000;

export class BusFeed {
  readonly #clock: Clock;
  readonly #silentMs: number;
  #listener: BusListener | undefined;
  #state: BusState = "stopped";
  #reason = "";
  #watchdog: Timer | undefined;
  #heardMs = 0;
  #received = 0;
  #sent = 0;
  #lost = 0;
  #notSent = 0;
  #ended = false;

  /** `silentMs` of infinity: no watchdog. */
  constructor(clock: Clock, silentMs: number = SILENT_MS_DEFAULT) {
    this.#clock = clock;
    this.#silentMs = silentMs;
  }

  get state(): BusState {
    return this.#state;
  }

  get ended(): boolean {
    return this.#ended;
  }

  stats(): BusStats {
    return {
      received: this.#received,
      sent: this.#sent,
      lost: this.#lost,
      notSent: this.#notSent,
    };
  }

  /** Throws if it was started before. */
  start(listener: BusListener): void {
    if (this.#listener !== undefined || this.#ended) throw new Error("the bus was started before");
    this.#listener = listener;
  }

  /** Says so to the listener if it is a change; of a bus that is down, also if the reason is another. */
  become(state: BusState, reason: string): void {
    if (this.#ended) return;
    this.#watch(state);
    const same = state === this.#state && (state !== "down" || reason === this.#reason);
    this.#reason = reason;
    if (same) return;
    this.#state = state;
    this.#listener?.event({ kind: "state", state, reason, bootMs: this.#clock.bootMs() });
  }

  /** Stamps and hands over. The promise, if there is one, is the listener's: take no more until it settles. */
  deliver(frames: readonly CanFrame[]): void | Promise<void> {
    if (frames.length === 0 || this.#ended) return;
    const bootMs = this.#clock.bootMs();
    const stamped = frames.map(
      ({ timeUs, bus, id, ext, kind, fd, data }): BusFrame => ({
        timeUs,
        bus,
        id,
        ext,
        kind,
        fd,
        data,
        bootMs,
      }),
    );
    return this.deliverStamped(stamped);
  }

  /** As `deliver`, for frames whose moment the driver knows better. */
  deliverStamped(frames: readonly BusFrame[]): void | Promise<void> {
    if (this.#ended) return;
    this.#heardMs = this.#clock.bootMs();
    this.#received += frames.length;
    if (this.#state === "silent") this.become("up", "frames came again");
    return this.#listener?.frames(frames);
  }

  lost(frames: number): void {
    if (frames <= 0 || this.#ended) return;
    this.#lost += frames;
    this.#listener?.event({ kind: "lost", frames, bootMs: this.#clock.bootMs() });
  }

  /** A frame that `send` had taken did not go out after all. */
  notSent(reason: string): void {
    if (this.#ended) return;
    this.#notSent += 1;
    this.#listener?.event({ kind: "notSent", reason, bootMs: this.#clock.bootMs() });
  }

  countSent(sent: boolean): void {
    if (sent) this.#sent += 1;
    else this.#notSent += 1;
  }

  end(): void {
    this.become("stopped", "asked to stop");
    this.#ended = true;
    this.#watchdog?.cancel();
  }

  #watch(state: BusState): void {
    if (state === this.#state) return;
    this.#watchdog?.cancel();
    this.#watchdog = undefined;
    if (state !== "up" || !Number.isFinite(this.#silentMs)) return;
    this.#heardMs = this.#clock.bootMs();
    this.#watchdog = this.#clock.after(this.#silentMs, () => this.#check());
  }

  #check(): void {
    if (this.#state !== "up" || this.#ended) return;
    const quietMs = this.#clock.bootMs() - this.#heardMs;
    if (quietMs >= this.#silentMs) {
      this.become("silent", `no frame for ${this.#silentMs} ms`);
      return;
    }
    this.#watchdog = this.#clock.after(this.#silentMs - quietMs, () => this.#check());
  }
}
