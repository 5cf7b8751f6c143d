/**
 * The module's supply, clock and disk around a command that plays the module: cut without a word, given back, set
 * wrong, filled up, as the car orders. Without a car at the other end the module simply runs.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Clock } from "@kerbside/protocol";
import { FINE, type Orders, readOrders } from "./orders.ts";

const RETRY_MS = 500;
/** Between the moment a supply is cut and the first at which the module may start again. */
const RESTART_MS = 500;

export type SupervisorOptions = {
  /** The car's socket. */
  readonly path: string;
  /** A program of Node's and its words. */
  readonly command: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** Resolves with the module's status once it has ended, by itself or as this was asked to end; not when it was cut off. */
export function supervise(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options).run();
}

class Supervisor {
  readonly #options: SupervisorOptions;
  #orders: Orders = FINE;
  #child: ChildProcess | undefined;
  #childOffsetMs = 0;
  #socket: Socket | undefined;
  #starts = 0;
  /** The process that runs was cut off by us. */
  #isCut = false;
  #isFilling = false;
  #problem: string | null = null;
  #status = 0;
  #isOver = false;
  readonly #over = Promise.withResolvers<void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async run(): Promise<number> {
    const { signal } = this.#options;
    signal.addEventListener("abort", () => this.#end(), { once: true });
    this.#dial();
    this.#start();
    await this.#over.promise;
    this.#isOver = true;
    this.#socket?.destroy();
    return this.#status;
  }

  #end(): void {
    if (this.#child === undefined) this.#over.resolve();
    else this.#child.kill("SIGTERM");
  }

  #dial(): void {
    if (this.#isOver) return;
    const { path, clock, signal } = this.#options;
    const socket = connect(path);
    this.#socket = socket;
    // Its end is told by "close", which follows.
    socket.on("error", () => undefined);
    socket.on("connect", () => this.#tell());
    socket.on("close", () => {
      if (!signal.aborted && !this.#isOver) clock.after(RETRY_MS, () => this.#dial());
    });
    const lines = createInterface({ input: socket });
    // It passes on those of the socket.
    lines.on("error", () => undefined);
    lines.on("line", (line) => {
      const orders = readOrders(line);
      if (orders !== undefined) this.#take(orders);
    });
  }

  #take(orders: Orders): void {
    const before = this.#orders;
    this.#orders = orders;
    // A clock that is wrong is found wrong at the next start: the supply is cut for a moment.
    const isOff = orders.power === "off" || orders.clockOffsetMs !== this.#childOffsetMs;
    if (this.#child !== undefined && isOff) {
      this.#isCut = true;
      this.#child.kill("SIGKILL");
    }
    if (this.#child === undefined && orders.power === "on") this.#start();
    if (orders.diskFull !== before.diskFull) this.#fill();
    this.#tell();
  }

  #start(): void {
    const { command, signal } = this.#options;
    if (this.#child !== undefined || this.#orders.power === "off" || signal.aborted) return;
    const [program = process.execPath, ...words] = command;
    this.#childOffsetMs = this.#orders.clockOffsetMs;
    const hook = new URL("./wrong-clock.mjs", import.meta.url);
    hook.searchParams.set("offsetMs", String(this.#childOffsetMs));
    const wrong = this.#childOffsetMs === 0 ? [] : ["--import", hook.href];
    const child = spawn(program, [...wrong, ...words], { stdio: ["ignore", "inherit", "inherit"] });
    this.#child = child;
    this.#starts += 1;
    child.on("error", (error) => {
      this.#problem = error.message;
    });
    child.on("close", (code) => this.#ended(code));
    if (this.#orders.diskFull) this.#fill();
    this.#tell();
  }

  #ended(code: number | null): void {
    const { signal, clock } = this.#options;
    this.#child = undefined;
    // One that a signal ended without our asking did not end well.
    this.#status = code ?? (signal.aborted ? 0 : 1);
    this.#tell();
    const wasCut = this.#isCut;
    this.#isCut = false;
    if (signal.aborted || !wasCut) this.#over.resolve();
    else clock.after(RESTART_MS, () => this.#start());
  }

  /** No file of the module may grow any more: what a full disk comes to (setrlimit(2), RLIMIT_FSIZE). */
  #fill(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || this.#isFilling) return;
    this.#isFilling = true;
    const { diskFull } = this.#orders;
    const limit = diskFull ? "0" : "unlimited";
    execFile("prlimit", ["--pid", String(pid), `--fsize=${limit}:unlimited`], (error) => {
      this.#isFilling = false;
      this.#problem = error === null ? null : `the disk cannot be filled: ${error.message}`;
      this.#tell();
      // One after the other, so that the last order is the one that counts.
      if (this.#orders.diskFull !== diskFull) this.#fill();
    });
  }

  #tell(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed || socket.connecting) return;
    const state = {
      running: this.#child !== undefined,
      starts: this.#starts,
      problem: this.#problem,
    };
    socket.write(`${JSON.stringify(state)}\n`);
  }
}
