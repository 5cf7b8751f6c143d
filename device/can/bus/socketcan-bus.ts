/** A real CAN interface: the agent's end of the process that reads it. */
import { type ChildProcess, spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Clock, Random, Timer } from "@kerbside/protocol";
import type { CanFrame } from "../frame.ts";
import { backoffMs } from "./backoff.ts";
import { type BusListener, type CanBus, frameProblem, type SendOutcome } from "./bus.ts";
import { BusFeed } from "./feed.ts";
import type { CanFilter } from "./filters.ts";
import { encodeFrameRecord, GREETING, missedBetween, WireDecoder } from "./wire.ts";

export type SocketCanBusOptions = {
  /** Such as `can0`. It need not be there yet. */
  readonly interface: string;
  readonly clock: Clock;
  readonly random: Pick<Random, "fraction">;
  readonly silentMs?: number;
  /** Only what passes one of them is received; none: everything. */
  readonly filters?: readonly CanFilter[];
};

/** IFNAMSIZ − 1; and nothing that would be a path or an option. */
const INTERFACE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;
const SEND_BYTES_MAX = 64 * 1024;
const STOP_MS_MAX = 2000;
/** A child that lived this long was well: the next one starts at once. */
const WELL_MS = 1000;

type Link =
  | { readonly value: "idle" }
  | { readonly value: "waiting"; readonly timer: Timer }
  | { readonly value: "open"; readonly child: ChildProcess; readonly pipe: Duplex };

/** Throws RangeError for a name that no interface has. */
export function createSocketCanBus(options: SocketCanBusOptions): CanBus {
  if (!INTERFACE.test(options.interface) || options.interface.includes("..")) {
    throw new RangeError(`CAN interface: expected a name such as can0`);
  }
  return new SocketCanBus(options);
}

/** Where the child's module is: beside this one, run from source or built. */
const CHILD = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "./socketcan-child.ts" : "./socketcan-child.js",
    import.meta.url,
  ),
);

class SocketCanBus implements CanBus {
  readonly name: string;
  readonly #options: SocketCanBusOptions;
  readonly #feed: BusFeed;
  #link: Link = { value: "idle" };
  #failures = 0;
  #sequence = 0;

  constructor(options: SocketCanBusOptions) {
    this.name = options.interface;
    this.#options = options;
    this.#feed = new BusFeed(options.clock, options.silentMs);
  }

  start(listener: BusListener): void {
    this.#feed.start(listener);
    this.#feed.become("down", "not open yet");
    this.#spawn();
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
    const { state } = this.#feed;
    if (this.#link.value !== "open" || !["up", "silent", "passive"].includes(state)) {
      return { sent: false, reason: `the bus is ${state}` };
    }
    const { pipe } = this.#link;
    if (pipe.writableLength > SEND_BYTES_MAX) return { sent: false, reason: "the bus is busy" };
    const timeUs = Number(process.hrtime.bigint() / 1000n);
    const whole = { kind: "data", fd: false, ...frame, timeUs } as const;
    pipe.write(encodeFrameRecord(whole, this.#sequence++));
    return { sent: true };
  }

  async stop(): Promise<void> {
    this.#feed.end();
    const link = this.#link;
    this.#link = { value: "idle" };
    if (link.value === "waiting") link.timer.cancel();
    if (link.value !== "open") return;
    const gone = new Promise<void>((resolve) => {
      if (link.child.exitCode !== null || link.child.signalCode !== null) resolve();
      else link.child.once("exit", () => resolve());
    });
    link.pipe.destroy();
    const kill = this.#options.clock.after(STOP_MS_MAX, () => link.child.kill("SIGKILL"));
    await gone;
    kill.cancel();
  }

  #spawn(): void {
    const { clock, filters = [] } = this.#options;
    const startedMs = clock.bootMs();
    // An empty environment: the child has no use for anybody's secrets.
    const child = spawn(process.execPath, [CHILD, this.name, JSON.stringify(filters)], {
      env: {},
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    const pipe = child.stdio[3];
    if (!(pipe instanceof Duplex)) throw new Error("the fourth pipe is no duplex stream");
    this.#link = { value: "open", child, pipe };
    this.#listen(child, pipe);
    let reason = "";
    child.once("error", (error) => {
      reason = error.message;
    });
    child.once("close", (code, signal) => {
      if (clock.bootMs() - startedMs > WELL_MS) this.#failures = 0;
      this.#retry(reason || `the receiver ended (${signal ?? code})`);
    });
  }

  #listen(child: ChildProcess, pipe: Duplex): void {
    const decoder = new WireDecoder(this.name);
    let last: number | undefined;
    pipe.write(GREETING);
    pipe.on("data", (chunk: Uint8Array) => {
      const frames: CanFrame[] = [];
      for (const record of decoder.push(chunk)) {
        if (record.type === "frame") {
          if (last !== undefined) this.#feed.lost(missedBetween(last, record.sequence));
          last = record.sequence;
          frames.push(record.frame);
        } else if (record.type === "refused") this.#feed.notSent(record.reason);
        else this.#feed.become(record.state === "stopped" ? "down" : record.state, record.reason);
      }
      const busy = this.#feed.deliver(frames);
      if (busy === undefined) return;
      pipe.pause();
      busy.then(
        () => pipe.resume(),
        () => child.kill("SIGKILL"),
      );
    });
    // Its end is told by the child's, which follows.
    pipe.on("error", () => undefined);
  }

  #retry(reason: string): void {
    if (this.#feed.ended) return;
    this.#failures += 1;
    this.#feed.become("down", reason);
    const timer = this.#options.clock.after(backoffMs(this.#failures, this.#options.random), () =>
      this.#spawn(),
    );
    this.#link = { value: "waiting", timer };
  }
}
