/** The bus of a simulated car: the agent's end of the Unix socket that `serveBus` opens. */
import { createConnection, type Socket } from "node:net";
import type { Clock, Random, Timer } from "@kerbside/protocol";
import type { CanFrame } from "../frame.ts";
import { backoffMs } from "./backoff.ts";
import { type BusListener, type CanBus, frameProblem, type SendOutcome } from "./bus.ts";
import { BusFeed } from "./feed.ts";
import {
  encodeFrameRecord,
  GREETING,
  missedBetween,
  WireDecoder,
  type WireRecord,
} from "./wire.ts";

export type SocketBusOptions = {
  readonly path: string;
  /** Names its frames; "sim" if left out. */
  readonly name?: string;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly silentMs?: number;
};

/** Bytes that may wait in the socket before `send` says that it is busy: about 1 s of a 500 kbit/s bus. */
const SEND_BYTES_MAX = 128 * 1024;
/** A side that does not greet within this is not one of ours. */
const GREETING_MS_MAX = 5000;

type Link =
  | { readonly value: "idle" }
  | { readonly value: "waiting"; readonly timer: Timer }
  | { readonly value: "open"; readonly socket: Socket; readonly greeting: Timer };

/** Connects, and connects again after each loss, until it is stopped. */
export function createSocketBus(options: SocketBusOptions): CanBus {
  return new SocketBus(options);
}

class SocketBus implements CanBus {
  readonly name: string;
  readonly #options: SocketBusOptions;
  readonly #feed: BusFeed;
  #link: Link = { value: "idle" };
  #failures = 0;
  #sequence = 0;

  constructor(options: SocketBusOptions) {
    this.name = options.name ?? "sim";
    this.#options = options;
    this.#feed = new BusFeed(options.clock, options.silentMs);
  }

  start(listener: BusListener): void {
    this.#feed.start(listener);
    this.#feed.become("down", "not connected yet");
    this.#connect();
  }

  state(): ReturnType<CanBus["state"]> {
    return this.#feed.state;
  }

  stats(): ReturnType<CanBus["stats"]> {
    return this.#feed.stats();
  }

  send(frame: Parameters<CanBus["send"]>[0]): SendOutcome {
    const outcome = this.#trySend(frame);
    this.#feed.countSent(outcome.sent);
    return outcome;
  }

  #trySend(frame: Parameters<CanBus["send"]>[0]): SendOutcome {
    const problem = frameProblem(frame);
    if (problem !== undefined) return { sent: false, reason: problem };
    const open = this.#feed.state === "up" || this.#feed.state === "silent";
    if (!open || this.#link.value !== "open") {
      return { sent: false, reason: `the bus is ${this.#feed.state}` };
    }
    const { socket } = this.#link;
    if (socket.writableLength > SEND_BYTES_MAX) return { sent: false, reason: "the bus is busy" };
    const whole = { kind: "data", fd: false, timeUs: null, ...frame } as const;
    socket.write(encodeFrameRecord(whole, this.#sequence++));
    return { sent: true };
  }

  stop(): Promise<void> {
    this.#feed.end();
    const link = this.#link;
    this.#link = { value: "idle" };
    if (link.value === "waiting") link.timer.cancel();
    if (link.value !== "open") return Promise.resolve();
    link.greeting.cancel();
    return new Promise((resolve) => {
      link.socket.once("close", () => resolve());
      link.socket.destroy();
    });
  }

  #connect(): void {
    const socket = createConnection(this.#options.path);
    const decoder = new WireDecoder(this.name);
    const greeting = this.#options.clock.after(GREETING_MS_MAX, () => {
      if (!decoder.greeted) socket.destroy(new Error("no greeting"));
    });
    this.#link = { value: "open", socket, greeting };
    let reason = "the other side closed the connection";
    let last: number | undefined;
    socket.on("connect", () => socket.write(GREETING));
    socket.on("data", (chunk) => {
      try {
        last = this.#take(socket, decoder.push(chunk), last);
        if (decoder.greeted) this.#greeted();
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on("error", (error) => {
      reason = error.message;
    });
    socket.on("close", () => {
      greeting.cancel();
      this.#retry(reason);
    });
  }

  #greeted(): void {
    this.#failures = 0;
    if (this.#feed.state === "down") this.#feed.become("up", "connected");
  }

  /** Hands over what came, and reads no further while the listener is busy. Returns the last sequence number. */
  #take(socket: Socket, records: readonly WireRecord[], before?: number): number | undefined {
    const frames: CanFrame[] = [];
    let last = before;
    for (const record of records) {
      if (record.type === "state") {
        this.#feed.become(record.state === "stopped" ? "down" : record.state, record.reason);
      }
      if (record.type !== "frame") continue;
      if (last !== undefined) this.#feed.lost(missedBetween(last, record.sequence));
      last = record.sequence;
      frames.push(record.frame);
    }
    if (frames.length > 0) this.#greeted();
    const busy = this.#feed.deliver(frames);
    if (busy !== undefined) {
      socket.pause();
      busy.then(
        () => socket.resume(),
        (error: unknown) => socket.destroy(error instanceof Error ? error : undefined),
      );
    }
    return last;
  }

  #retry(reason: string): void {
    if (this.#feed.ended) return;
    this.#failures += 1;
    this.#feed.become("down", reason);
    const timer = this.#options.clock.after(backoffMs(this.#failures, this.#options.random), () =>
      this.#connect(),
    );
    this.#link = { value: "waiting", timer };
  }
}
