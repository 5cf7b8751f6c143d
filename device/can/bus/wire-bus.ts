/**
 * What the drivers at the end of a byte stream share: a line to a partner who speaks `wire.ts`, opened anew after each
 * loss; frames, states and losses handed to the listener; sending now or not at all.
 */
import type { Duplex } from "node:stream";
import type { Clock, Random, Timer } from "@kerbside/protocol";
import { backoffMs } from "./backoff.ts";
import {
  type BusFrame,
  type BusListener,
  type BusState,
  type BusStats,
  type CanBus,
  frameProblem,
  type OutgoingFrame,
  type SendOutcome,
} from "./bus.ts";
import { BusFeed } from "./feed.ts";
import {
  type Arrival,
  encodeFrameRecord,
  GREETING,
  missedBetween,
  WireDecoder,
  type WireRecord,
} from "./wire.ts";

export type Line = {
  readonly stream: Duplex;
  /** Ends it at once, and the partner with it if it is ours alone. Resolves when it is gone. Idempotent. */
  readonly close: () => Promise<void>;
};

export type LineRules = {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly silentMs?: number;
  /** Begins to open a line. `gone` is to be called once, with the reason, when there is nothing left of it. */
  readonly open: (gone: (reason: string) => void) => Line;
  /** A partner that has not greeted by then is not one of ours. */
  readonly greetingMsMax: number;
  /** Being connected is all there is to being up; else the partner tells. */
  readonly greetingMeansUp: boolean;
  /** Times of frames, both ways, are those of the monotonic clock in microseconds; else they are the partner's business. */
  readonly monotonicUs?: () => number;
};

/** Bytes that may wait before `send` says that the bus is busy: about 1 s of a 500 kbit/s bus. */
const SEND_BYTES_MAX = 128 * 1024;
/** A line that held this long was well: the next one is opened at once. */
const WELL_MS = 1000;
/** In the others a controller sends nothing. */
const SENDING_STATES: ReadonlySet<BusState> = new Set<BusState>(["up", "silent", "passive"]);

type Link =
  | { readonly value: "idle" }
  | { readonly value: "waiting"; readonly timer: Timer }
  | { readonly value: "open"; readonly line: Line; readonly greeting: Timer };

export class WireBus implements CanBus {
  readonly name: string;
  readonly #rules: LineRules;
  readonly #feed: BusFeed;
  #link: Link = { value: "idle" };
  #failures = 0;
  #sequence = 0;

  constructor(rules: LineRules) {
    this.name = rules.name;
    this.#rules = rules;
    this.#feed = new BusFeed(rules.clock, rules.silentMs);
  }

  start(listener: BusListener): void {
    this.#feed.start(listener);
    this.#feed.become("down", "not open yet");
    this.#open();
  }

  state(): BusState {
    return this.#feed.state;
  }

  stats(): BusStats {
    return this.#feed.stats();
  }

  send(frame: OutgoingFrame): SendOutcome {
    const outcome = this.#trySend(frame);
    this.#feed.countSent(outcome.sent);
    return outcome;
  }

  #trySend(frame: OutgoingFrame): SendOutcome {
    const problem = frameProblem(frame);
    if (problem !== undefined) return { sent: false, reason: problem };
    const { state } = this.#feed;
    if (this.#link.value !== "open" || !SENDING_STATES.has(state)) {
      return { sent: false, reason: `the bus is ${state}` };
    }
    const { stream } = this.#link.line;
    if (stream.writableLength > SEND_BYTES_MAX) return { sent: false, reason: "the bus is busy" };
    const timeUs = this.#rules.monotonicUs?.() ?? null;
    const whole = { kind: "data", fd: false, ...frame, timeUs } as const;
    stream.write(encodeFrameRecord(whole, this.#sequence++));
    return { sent: true };
  }

  async stop(): Promise<void> {
    this.#feed.end();
    const link = this.#link;
    this.#link = { value: "idle" };
    if (link.value === "waiting") link.timer.cancel();
    if (link.value !== "open") return;
    link.greeting.cancel();
    await link.line.close();
  }

  #open(): void {
    const { clock, greetingMsMax, name } = this.#rules;
    const startedMs = clock.bootMs();
    const decoder = new WireDecoder(name);
    let why: string | undefined;
    const line = this.#rules.open((reason) => {
      greeting.cancel();
      if (decoder.greeted && clock.bootMs() - startedMs > WELL_MS) this.#failures = 0;
      this.#retry(why ?? reason);
    });
    const drop = (reason: string): void => {
      why ??= reason;
      // Whatever becomes of it, `gone` tells.
      void line.close();
    };
    const greeting = clock.after(greetingMsMax, () => {
      if (!decoder.greeted) drop("no greeting");
    });
    this.#link = { value: "open", line, greeting };
    line.stream.write(GREETING);
    let last: number | undefined;
    line.stream.on("data", (chunk: Uint8Array) => {
      try {
        last = this.#take(line, drop, decoder.push(chunk, this.#arrival()), last);
        if (decoder.greeted && this.#rules.greetingMeansUp) this.#comeUp();
      } catch (error) {
        drop(error instanceof Error ? error.message : String(error));
      }
    });
    // What it means is told by `gone`, which follows.
    line.stream.on("error", (error) => {
      why ??= error.message;
    });
  }

  #arrival(): Arrival {
    const bootMs = this.#rules.clock.bootMs();
    const monotonicUs = this.#rules.monotonicUs?.();
    return monotonicUs === undefined ? { bootMs } : { bootMs, monotonicUs };
  }

  #comeUp(): void {
    if (this.#feed.state === "down") this.#feed.become("up", "connected");
  }

  /** Hands over what came, and reads no further while the listener is busy. Returns the last sequence number. */
  #take(
    { stream }: Line,
    drop: (reason: string) => void,
    records: readonly WireRecord[],
    before?: number,
  ): number | undefined {
    const frames: BusFrame[] = [];
    let last = before;
    for (const record of records) {
      if (record.type === "frame") {
        if (last !== undefined) this.#feed.lost(missedBetween(last, record.sequence));
        last = record.sequence;
        frames.push(record.frame);
      } else if (record.type === "refused") this.#feed.notSent(record.reason);
      else this.#feed.become(record.state === "stopped" ? "down" : record.state, record.reason);
    }
    if (frames.length === 0) return last;
    if (this.#rules.greetingMeansUp) this.#comeUp();
    const busy = this.#feed.deliverStamped(frames);
    if (busy !== undefined) {
      stream.pause();
      busy.then(
        () => stream.resume(),
        (error: unknown) => drop(`the listener failed: ${error}`),
      );
    }
    return last;
  }

  #retry(reason: string): void {
    if (this.#feed.ended) return;
    this.#failures += 1;
    this.#feed.become("down", reason);
    const timer = this.#rules.clock.after(backoffMs(this.#failures, this.#rules.random), () =>
      this.#open(),
    );
    this.#link = { value: "waiting", timer };
  }
}
