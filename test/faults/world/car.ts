/** A simulated car: a disk that outlives it, and from boot to boot the real buffer and the real uplink. */
import { type Buffer, type BufferLimits, openBuffer } from "@kerbside/buffer";
import {
  type Address,
  type Clock,
  type Lane,
  ProtocolError,
  type Random,
  type SigningKey,
  type Transport,
  toHex,
  type VerifyKey,
} from "@kerbside/protocol";
import { createSession, startUplink, UPLINK_LIMITS, type Uplink } from "@kerbside/uplink";
import { silentLog } from "../../support/runtime.ts";
import { reap } from "../disk/better-sqlite3.ts";
import { Disk } from "../disk/disk.ts";
import { mount } from "../disk/mounts.ts";
import { settle, type Timeline } from "./timeline.ts";

/** In every event: found on a disk, it gives them away. */
export const MARK = "what nobody may read";
const WALL_START_MS: number = Date.UTC(2026, 0, 1);

export type Place = { readonly lane: Lane; readonly log: string; readonly seq: number };
export type Told = Place & { readonly tookMs: number; readonly calm: boolean };

export type CarOptions = {
  readonly name: string;
  /** In which directory of its disk the agent keeps its own. */
  readonly home: string;
  readonly address: Address;
  readonly signingKey: SigningKey;
  readonly commandKey: VerifyKey;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly limits: Partial<BufferLimits>;
  readonly transport: (boot: Boot) => Transport;
  readonly ingestKey: () => { readonly version: number; readonly publicKey: Uint8Array };
  readonly tell: (number: number, told: Told) => void;
  readonly refuse: (number: number, code: string) => void;
};

export type Boot = {
  /** False from the moment the machine goes down: nothing that happens after counts. */
  alive: boolean;
  readonly startedMs: number;
  buffer?: Buffer;
  uplink?: Uplink;
  /** Of this process, for the moment it exits. */
  listeners: readonly NodeJS.ExitListener[];
  /** A log was begun durably; hexadecimal. */
  log?: string;
  stopping: boolean;
  /** Events that are neither confirmed nor refused yet. */
  waiting: number;
};

export class Car {
  readonly disk: Disk = new Disk();
  readonly dir: string;
  readonly options: CarOptions;
  /** What is known of how the last log ended; undefined where it can be either. */
  endedInOrder: boolean | undefined = true;
  /** By the first log of a boot: whether its opening must say that the one before ended in order. */
  readonly expected: Map<string, boolean> = new Map();
  boot: Boot | undefined;
  wallOffsetMs = 0;
  /** Until then the disk has been failing, and promises of time do not hold. */
  troubledUntilMs = 0;

  constructor(options: CarOptions) {
    this.options = options;
    this.dir = `${mount(options.name, this.disk)}${options.home}`;
    this.disk.died = () => {
      if (this.boot !== undefined) this.boot.alive = false;
    };
  }

  #clock(boot: Boot): Clock {
    const { timeline } = this.options;
    return {
      bootMs: () => timeline.nowMs - boot.startedMs,
      wallMs: () => WALL_START_MS + timeline.nowMs + this.wallOffsetMs,
      after: (delayMs, run) =>
        timeline.after(delayMs, () => {
          if (boot.alive) run();
        }),
    };
  }

  async start(): Promise<void> {
    if (this.boot !== undefined) return;
    const { options } = this;
    const boot: Boot = {
      alive: true,
      startedMs: options.timeline.nowMs,
      listeners: [],
      stopping: false,
      waiting: 0,
    };
    this.boot = boot;
    const clock = this.#clock(boot);
    const before = new Set(process.listeners("exit"));
    const common = {
      address: options.address,
      signingKey: options.signingKey,
      clock,
      random: options.random,
      log: silentLog,
      agentVersion: "test",
    };
    const { dir } = this;
    const { ingestKey, limits } = options;
    const buffer = await openBuffer({
      ...common,
      ...{ dir, limits, ingestKey: ingestKey(), trackWindowMs: 500 },
    });
    boot.listeners = process.listeners("exit").filter((listener) => !before.has(listener));
    boot.buffer = buffer;
    const { log } = buffer.status();
    if (!boot.alive) return;
    if (log !== undefined) {
      boot.log = log;
      if (this.endedInOrder !== undefined) this.expected.set(log, this.endedInOrder);
    } else this.endedInOrder = undefined;
    boot.uplink = startUplink({
      ...common,
      transport: options.transport(boot),
      buffer,
      session: createSession(clock, options.random),
      commandKey: () => options.commandKey,
      commands: { execute: () => Promise.reject(new Error("no command was expected")) },
      profile: "test",
      limits: {
        ...UPLINK_LIMITS,
        ackTimeoutMs: 2000,
        publishTimeoutMs: 3000,
        resendMsMax: 8000,
        backoffMsMin: 100,
        backoffMsMax: 2000,
      },
    });
  }

  /** Appends the event of this number. */
  append(number: number, lane: Lane): void {
    const { boot } = this;
    const { timeline, tell, refuse } = this.options;
    if (boot?.buffer === undefined || !boot.alive) return;
    const startedMs = timeline.nowMs;
    boot.waiting += 1;
    const settled = (): void => {
      boot.waiting -= 1;
    };
    const event = { kind: "diagnostic.note", data: { note: MARK, number } } as const;
    const appended = boot.buffer.append(event, lane);
    appended.then(settled, settled);
    appended.then(
      ({ log, seq, lane: taken }) => {
        if (!boot.alive) return;
        const tookMs = timeline.nowMs - startedMs;
        const calm = startedMs > this.troubledUntilMs;
        tell(number, { lane: taken, log: toHex(log), seq, tookMs, calm });
      },
      (error: unknown) => {
        if (boot.alive) refuse(number, error instanceof ProtocolError ? error.code : String(error));
      },
    );
  }

  /** The machine goes down: by a kill its disk keeps all that was written, by a power cut what was flushed. */
  async goDown(how: "kill" | "power", chance: () => number, keep: number): Promise<void> {
    const { boot } = this;
    if (boot === undefined) return;
    boot.alive = false;
    this.boot = undefined;
    this.disk.dead = true;
    this.endedInOrder = boot.stopping || boot.log === undefined ? undefined : false;
    await this.#bury(boot);
    this.disk.restart(how, chance, keep);
    reap();
  }

  /** The agent ends in order; the machine may still die in the middle of it. */
  async stop(): Promise<boolean> {
    const { boot } = this;
    if (boot === undefined) return true;
    boot.stopping = true;
    const { failures } = this.disk;
    // With its file lost to a failing disk, a buffer that has not begun another log has none that it could end.
    const isWorking = boot.buffer?.status().state === "working";
    const uplink = boot.uplink?.close();
    await boot.buffer?.close();
    void uplink;
    if (!boot.alive) return false;
    boot.alive = false;
    this.boot = undefined;
    const began = boot.log !== undefined;
    const whole = isWorking && this.disk.failures === failures;
    // Where the disk fails just then, what is written last may be there or not.
    this.endedInOrder = began && !whole ? undefined : began || this.endedInOrder;
    await this.#bury(boot);
    return true;
  }

  async #bury(boot: Boot): Promise<void> {
    for (const listener of boot.listeners) process.off("exit", listener);
    const closing = boot.uplink?.close();
    await settle(2);
    // One that waits for a timer of a machine that is down waits for ever; nothing of it counts any more.
    void closing;
  }
}
