/**
 * The module of a simulated car: from boot to boot the whole real agent, wired to the car's bus and lines and to the
 * air. A power cut stops it between two moments: what it had written is there at the next boot, and nothing else is.
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspectBuffer } from "@kerbside/buffer";
import type { CanBus } from "@kerbside/can";
import { type Agent, startAgent } from "@kerbside/device";
import {
  type Address,
  type Clock,
  type Log,
  type Random,
  toHex,
  verifyKey,
} from "@kerbside/protocol";
import { type MemoryConnection, type MemoryLine, memoryLine } from "@kerbside/sim";
import { loadIdentity } from "@kerbside/uplink";
import type { Air } from "./air.ts";
import { WiredBus } from "./bus.ts";
import type { SimulatedTime } from "./simulated-time.ts";
import { PROFILE } from "./template.ts";

const LOG_LINES_MAX = 200;
const KEY_FILE_MODE = 0o600;

export type ModuleOptions = {
  /** Everything that the module keeps is below it. */
  readonly dir: string;
  readonly identity: string;
  readonly address: Address;
  readonly time: SimulatedTime;
  readonly air: Air;
  readonly random: Random;
  readonly lock: MemoryLine;
  readonly reader: MemoryLine;
  readonly modem: MemoryLine;
  readonly pairingKey: Uint8Array;
  readonly readerKey: Uint8Array;
};

type Boot = {
  alive: boolean;
  readonly agent: Agent;
  readonly bus: WiredBus;
  readonly connections: Set<MemoryConnection>;
};

export class Module {
  readonly #options: ModuleOptions;
  readonly #log: string[] = [];
  #boots = 0;
  #dir: string;
  #boot: Boot | undefined;
  /** How far the module's own clock is off. */
  wallOffsetMs = 0;

  constructor(options: ModuleOptions) {
    this.#options = options;
    this.#dir = join(options.dir, "boot-1");
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    cpSync(options.identity, join(this.#dir, "identity"), { recursive: true });
    for (const [name, key] of [
      ["pairing.key", options.pairingKey],
      ["reader.key", options.readerKey],
    ] as const)
      writeFileSync(join(options.dir, name), toHex(key), { mode: KEY_FILE_MODE });
  }

  get isUp(): boolean {
    return this.#boot !== undefined;
  }

  /** The bus of the boot that runs; what is sent while none does is heard by nobody. */
  get bus(): WiredBus | undefined {
    return this.#boot?.bus;
  }

  /** What the agent has logged, newest last. */
  get log(): readonly string[] {
    return this.#log;
  }

  async start(): Promise<void> {
    if (this.#boot !== undefined) return;
    const { time, address, air, random } = this.#options;
    this.#boots += 1;
    const startedMs = time.nowMs;
    const state = { alive: true };
    const clock: Clock = {
      bootMs: () => time.nowMs - startedMs,
      wallMs: () => time.wallStartMs + time.nowMs + this.wallOffsetMs,
      after: (delayMs, run) =>
        time.after(delayMs, () => {
          if (state.alive) run();
        }),
    };
    const bus = new WiredBus(clock);
    const connections = new Set<MemoryConnection>();
    const { lock, reader, modem } = this.#options;
    const lines: Readonly<Record<string, MemoryLine>> = { lock, reader, modem };
    const agent = await startAgent({
      config: this.#config(),
      clock,
      random,
      log: this.#logger(),
      signal: new AbortController().signal,
      wires: {
        bootId: `boot-${this.#boots}`,
        bus: (): CanBus => bus,
        line: (path) => async (events) => {
          const line = lines[path.split("/").at(-1) ?? ""];
          if (line === undefined || !state.alive) throw new Error(`${path}: no such line`);
          let connection: MemoryConnection | undefined;
          connection = await line.connect({
            data: (bytes) => {
              if (state.alive) events.data(bytes);
            },
            closed: (reason) => {
              if (connection !== undefined) connections.delete(connection);
              if (state.alive) events.closed(reason);
            },
          });
          connections.add(connection);
          return connection;
        },
        transport: () => air.transport(address, () => state.alive),
      },
    });
    this.#boot = Object.assign(state, { agent, bus, connections });
  }

  /** The agent ends in order. */
  async stop(): Promise<void> {
    const boot = this.#boot;
    if (boot === undefined) return;
    await this.#options.time.answered(boot.agent.close());
    this.#down(boot);
  }

  /** The supply is gone, without a word. */
  powerCut(): void {
    const boot = this.#boot;
    if (boot === undefined) return;
    this.#down(boot);
    this.#options.air.wentDark(this.#options.address);
    // The one that is dead keeps its files open; the next boot gets what was written.
    const next = join(this.#options.dir, `boot-${this.#boots + 1}`);
    cpSync(this.#dir, next, { recursive: true });
    this.#dir = next;
  }

  /** Segments that the store has not acknowledged. */
  waiting(): number {
    const { signingKey } = loadIdentity(join(this.#dir, "identity")) ?? {};
    if (signingKey === undefined) return 0;
    const lanes = inspectBuffer(join(this.#dir, "buffer"), verifyKey(signingKey.publicKey));
    return lanes.reduce((sum, { count }) => sum + (count > 0 ? 1 : 0), 0);
  }

  /** A second module with what is in `disk`: somebody has copied it. It has no car around it. */
  cloneTo(dir: string, disk: string): Module {
    const dead = memoryLine(this.#options.time.clock());
    const clone = new Module({ ...this.#options, dir, lock: dead, reader: dead, modem: dead });
    clone.loadDisk(disk);
    return clone;
  }

  /** What is on its disk now, for whoever copies it. */
  copyDisk(to: string): void {
    cpSync(this.#dir, to, { recursive: true });
  }

  /** An older state of the disk comes back, or another's. */
  loadDisk(from: string): void {
    const next = join(this.#options.dir, `boot-${this.#boots + 1}`);
    cpSync(from, next, { recursive: true, force: true });
    this.#dir = next;
  }

  #down(boot: Boot): void {
    boot.alive = false;
    this.#boot = undefined;
    for (const connection of boot.connections) connection.close();
  }

  #config(): Parameters<typeof startAgent>[0]["config"] {
    const { dir, address } = this.#options;
    const key = (name: string): string => join(dir, name);
    return {
      ...address,
      dataDir: this.#dir,
      profile: PROFILE,
      enrolment: { url: "https://localhost", caFile: key("none"), tokenFile: key("none") },
      bus: { driver: "socket", path: "none" },
      lock: {
        driver: "link",
        path: "lock",
        baudRate: 115_200,
        pairingKeyFile: key("pairing.key"),
      },
      modem: { path: "modem", baudRate: 115_200 },
      reader: { path: "reader", baudRate: 115_200, pairingKeyFile: key("reader.key") },
      trackWindowMs: 1000,
    };
  }

  #logger(): Log {
    const note =
      (level: string) =>
      (event: string, fields: object = {}) => {
        const words = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
        this.#log.push([`${this.#options.time.nowMs} ms`, level, event, ...words].join(" "));
        if (this.#log.length > LOG_LINES_MAX) this.#log.shift();
      };
    return { info: note("info"), warn: note("warn"), error: note("error") };
  }
}
