/**
 * A car and its cloud as two real processes with a proxy between them, to be killed, frozen and cut off; and what must
 * hold when all is over: each event that was said to be durable is in the store once, where it was said to be.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cryptoReady, type DeclaredGap, fromHex, type StoredEvent } from "@kerbside/protocol";
import { openRegistry } from "@kerbside/tenants";
import * as assert from "uvu/assert";
import { type TcpProxy, tcpProxy } from "../../support/tcp-proxy.ts";
import { bundled, type Programs } from "./bundle.ts";
import { setUp } from "./setup.ts";
import { ADDRESS, readSetup } from "./setup-file.ts";

const PAGE = 1000;
/** On a machine with much else to do a start takes seconds. */
const WAIT_MS_MAX = 60_000;

type Told = {
  readonly number: number;
  readonly lane: string;
  readonly log: string;
  readonly seq: number;
};

class Process {
  readonly child: ChildProcess;
  readonly #lines = new Set<(line: string) => void>();
  readonly ended: Promise<unknown>;
  /** Resolves when it is up, or has ended before that. */
  readonly up: Promise<unknown>;

  /** `cache` is a directory for what the engine has compiled, which is most of a start. */
  constructor(command: readonly string[], cache: string) {
    const env = { NODE_COMPILE_CACHE: cache };
    const [program = "", ...args] = command;
    // Its standard input is how it hears that this process is no more.
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env });
    this.child.stdin?.on("error", () => undefined);
    this.ended = once(this.child, "close");
    if (this.child.stdout === null) throw new Error("no output");
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      for (const listener of [...this.#lines]) listener(line);
    });
    this.up = this.line("").catch(() => undefined);
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.add(listener);
  }

  /** The first line from now on that begins so. Rejects where the process ends before it. */
  line(start: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no line ${start}`)), WAIT_MS_MAX);
      const look = (line: string): void => {
        if (!line.startsWith(start)) return;
        clearTimeout(late);
        this.#lines.delete(look);
        resolve(line);
      };
      this.#lines.add(look);
      this.ended.then(() => {
        clearTimeout(late);
        reject(new Error(`ended before it said ${start}`));
      }, reject);
    });
  }

  kill(signal: NodeJS.Signals): Promise<unknown> {
    this.child.kill(signal);
    return this.ended;
  }
}

export class Rig {
  readonly dir: string;
  readonly proxy: TcpProxy;
  readonly told: Told[] = [];
  readonly #file: string;
  readonly #port: number;
  readonly #programs: Programs;
  /** Put before the cloud's command: strace. */
  wrapper: readonly string[] = [];
  cloud: Process | undefined;
  car: Process | undefined;
  #first = 1;

  get #compiled(): string {
    return join(this.dir, "compiled");
  }

  private constructor(
    dir: string,
    programs: Programs,
    file: string,
    port: number,
    proxy: TcpProxy,
    cloud: Process,
  ) {
    this.dir = dir;
    this.#programs = programs;
    this.#file = file;
    this.#port = port;
    this.proxy = proxy;
    this.cloud = cloud;
  }

  /** With the cloud up, and no car yet. */
  static async make(): Promise<Rig> {
    await cryptoReady();
    const dir = mkdtempSync(join(tmpdir(), "kerbside-ends-"));
    const file = await setUp(dir);
    const programs = await bundled(dir);
    const command = [process.execPath, programs.cloud, file, "0"];
    const cloud = new Process(command, join(dir, "compiled"));
    const [, port] = (await cloud.line("ready")).split(" ");
    return new Rig(dir, programs, file, Number(port), await tcpProxy(Number(port)), cloud);
  }

  /** Does not wait until it is up: what is to happen may happen before that. */
  startCloud(): Process {
    const program = this.#programs.cloud;
    const command = [process.execPath, program, this.#file, String(this.#port)];
    this.cloud = new Process([...this.wrapper, ...command], this.#compiled);
    return this.cloud;
  }

  startCar(working: boolean): Process {
    const first = working ? String(this.#first) : "none";
    this.#first += 100_000;
    const args = [this.#programs.car, this.#file, String(this.proxy.port), first];
    const car = new Process([process.execPath, ...args], this.#compiled);
    car.onLine((line) => {
      if (line.endsWith("}") && line.startsWith("{")) this.told.push(JSON.parse(line));
    });
    this.car = car;
    return car;
  }

  /** Lets everything be delivered, ends both in order, and holds what is stored against what was said. */
  async settle(): Promise<void> {
    const { proxy } = this;
    proxy.silence(false);
    proxy.refuse(false);
    proxy.delay(0);
    proxy.corrupt(0);
    await this.car?.kill("SIGKILL");
    if (this.cloud === undefined) await this.startCloud().line("ready");
    const car = this.startCar(false);
    await car.line("empty");
    await car.kill("SIGTERM");
    await this.cloud?.kill("SIGTERM");
    await this.#check();
  }

  async #check(): Promise<void> {
    const masterKey = fromHex(readSetup(this.#file).masterKey);
    const registry = await openRegistry({ dir: join(this.dir, "cloud"), masterKey });
    const store = (await registry.tenant(ADDRESS.tenant))?.store;
    assert.ok(store !== undefined);
    const found = new Map<string, number>();
    const numbers = new Set<number>();
    let after: string | undefined;
    do {
      const page = await store.events({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      for (const item of page.items) take(item, found, numbers);
      after = page.next;
    } while (after !== undefined);
    const lost = this.told.filter(
      ({ log, lane, seq, number }) => found.get(`${log}/${lane}/${seq}`) !== number,
    );
    assert.equal(
      lost,
      [],
      "everything that was said to be durable is stored, where it was said to be",
    );
    assert.equal(store.alarms(0, PAGE), [], "nothing is alarming");
    assert.equal(store.quarantined(0, PAGE), [], "nothing was put aside");
    await registry.close();
  }

  async close(): Promise<void> {
    for (const process of [this.car, this.cloud]) await process?.kill("SIGKILL");
    await this.proxy.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function take(
  item: StoredEvent | DeclaredGap,
  found: Map<string, number>,
  numbers: Set<number>,
): void {
  assert.not.ok("gap" in item, "nothing is declared as gone");
  if ("gap" in item || item.kind !== "diagnostic.note") return;
  const { data } = item;
  const number = typeof data === "object" && data !== null && "number" in data ? data.number : 0;
  if (typeof number !== "number") throw new Error("a note without a number");
  assert.not.ok(numbers.has(number), `event ${number} is stored once`);
  numbers.add(number);
  found.set(`${item.log}/${item.lane}/${item.seq}`, number);
}
