/** A CAN bus of one process: frames reach the agent in the batches in which the car's turns make them. */
import type {
  BusFrame,
  BusListener,
  BusState,
  BusStats,
  CanBus,
  OutgoingFrame,
  SendOutcome,
} from "@kerbside/can";
import { frameProblem } from "@kerbside/can";
import type { Clock } from "@kerbside/protocol";
import { BusFeed } from "../device/can/bus/feed.ts";

export class WiredBus implements CanBus {
  readonly name = "wired";
  /** What the agent sends reaches the car. */
  onSend: (frame: OutgoingFrame) => void = () => undefined;
  readonly #clock: Clock;
  readonly #feed: BusFeed;
  #waiting: OutgoingFrame[] = [];
  #plugged = true;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#feed = new BusFeed(clock);
  }

  start(listener: BusListener): void {
    this.#feed.start(listener);
    this.#feed.become("up", "wired");
  }

  send(frame: OutgoingFrame): SendOutcome {
    const reason = frameProblem(frame) ?? (this.#plugged ? undefined : "the bus is not plugged in");
    this.#feed.countSent(reason === undefined);
    if (reason !== undefined) return { sent: false, reason };
    this.onSend(frame);
    return { sent: true };
  }

  state(): BusState {
    return this.#feed.state;
  }

  stats(): BusStats {
    return this.#feed.stats();
  }

  async stop(): Promise<void> {
    this.#feed.end();
  }

  /** The car's: waits for `flush`. */
  take(frame: OutgoingFrame): void {
    this.#waiting.push(frame);
  }

  /** Everything since the last time, with this moment. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const frames = this.#waiting;
    this.#waiting = [];
    const bootMs = this.#clock.bootMs();
    const stamped = frames.map(({ id, ext, data, kind = "data", fd = false }): BusFrame => {
      return { timeUs: null, bus: "sim", id, ext, kind, fd, data, bootMs };
    });
    void this.#feed.deliverStamped(stamped);
  }

  pretend(state: Exclude<BusState, "stopped">, reason: string): void {
    this.#plugged = state !== "busOff";
    this.#feed.become(state, reason);
  }
}
