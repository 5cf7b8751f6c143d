/** A recorded log as a bus: in its own time, faster, or as fast as the listener takes it. */
import type { Clock } from "@kerbside/protocol";
import type { CanFrame } from "../frame.ts";
import { type BusFrame, type BusListener, type CanBus, frameProblem } from "./bus.ts";
import { BusFeed } from "./feed.ts";

export type ReplayBusOptions = {
  readonly name?: string;
  /** From a log reader. Read only as fast as it is replayed. */
  readonly frames: AsyncIterable<CanFrame> | Iterable<CanFrame>;
  /** 1: real time; "max": no waiting, and frames carry the time of the log counted from the start. */
  readonly speed: number | "max";
  readonly clock: Clock;
  /** Called once when the log has ended or could not be read further. */
  readonly onEnd?: (error: unknown) => void;
};

const BATCH_FRAMES_MAX = 256;
/** A log's pause of more than this is cut to it: a car parked overnight is not waited for. */
const PAUSE_MS_MAX = 60_000;

export function createReplayBus(options: ReplayBusOptions): CanBus {
  const feed = new BusFeed(options.clock, Number.POSITIVE_INFINITY);
  const player = new Player(options, feed);
  let playing: Promise<void> = Promise.resolve();
  return {
    name: options.name ?? "replay",
    start: (listener: BusListener) => {
      feed.start(listener);
      feed.become("up", "replay");
      playing = player.play().then(
        () => finish(feed, options, undefined),
        (error: unknown) => finish(feed, options, error),
      );
    },
    send: (frame) => {
      feed.countSent(false);
      return { sent: false, reason: frameProblem(frame) ?? "a log takes no frames" };
    },
    state: () => feed.state,
    stats: () => feed.stats(),
    stop: async () => {
      feed.end();
      player.wake();
      await playing;
    },
  };
}

function finish(feed: BusFeed, options: ReplayBusOptions, error: unknown): void {
  feed.become("down", error === undefined ? "the log has ended" : "the log cannot be read further");
  options.onEnd?.(error);
}

class Player {
  readonly #options: ReplayBusOptions;
  readonly #feed: BusFeed;
  #batch: BusFrame[] = [];
  #wake: () => void = () => {};

  constructor(options: ReplayBusOptions, feed: BusFeed) {
    this.#options = options;
    this.#feed = feed;
  }

  /** Ends a wait at once. */
  wake(): void {
    this.#wake();
  }

  /** What was read is handed over, even if the rest cannot be. */
  async play(): Promise<void> {
    try {
      await this.#read();
    } finally {
      await this.#flush();
    }
  }

  async #read(): Promise<void> {
    const { clock, frames, speed } = this.#options;
    const startMs = clock.bootMs();
    let lastUs: number | undefined;
    let logMs = 0;
    for await (const frame of frames) {
      if (this.#feed.ended) return;
      if (frame.timeUs !== null) {
        const stepMs = lastUs === undefined ? 0 : (frame.timeUs - lastUs) / 1000;
        logMs += Math.min(PAUSE_MS_MAX, Math.max(0, stepMs));
        lastUs = frame.timeUs;
      }
      if (speed !== "max" && startMs + logMs / speed > clock.bootMs()) {
        await this.#flush();
        await this.#sleep(startMs + logMs / speed - clock.bootMs());
      }
      const bootMs = speed === "max" ? Math.round(startMs + logMs) : clock.bootMs();
      this.#batch.push({ ...frame, bootMs });
      if (this.#batch.length >= BATCH_FRAMES_MAX) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    await this.#feed.deliverStamped(batch);
  }

  #sleep(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#feed.ended) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
