/** The stage under a simulated clock: a whole cloud and a whole agent in this process, a day in seconds. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Clock, KEY_BYTES, type Random, randomBytes } from "@kerbside/protocol";
import type { Coverage, Json, Stage, StageAnswer, StageAsk } from "@kerbside/sim";
import { Air } from "./air.ts";
import { type SimulatedCar, startCar } from "./car.ts";
import { type SimulatedCloud, startCloud } from "./cloud.ts";
import { Module } from "./module.ts";
import { SimulatedTime } from "./simulated-time.ts";
import { ADDRESS, makeDirectory, type Template } from "./template.ts";

/** Longer than agent and car take to find each other and to announce themselves. */
const WARM_UP_MS = 15_000;
const PAGE = 1000;
const DEFAULT_SEED = 1;
const silent = (): void => undefined;
const SILENT = { info: silent, warn: silent, error: silent };

/** Numbers that look random and come from a seed; keys come from the operating system as ever. */
function chanceOf(seed: number): () => number {
  let state = (seed ^ 0x9e37_79b9) >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export type SimulatedStage = Stage & {
  /** CAN frames that the car has sent. */
  readonly frames: () => number;
};

/** A car that stands locked at the market square, connected; the tenant has no booking yet. */
export async function simulatedStage(
  template: Template,
  seed: number = DEFAULT_SEED,
): Promise<SimulatedStage> {
  const stage = new World(template, seed);
  await stage.begin();
  return stage;
}

class World implements SimulatedStage {
  readonly name = "simulated";
  readonly vehicle: string = ADDRESS.vehicle;
  readonly #template: Template;
  readonly #dir: string = makeDirectory();
  readonly #time: SimulatedTime;
  readonly #air: Air;
  readonly #seed: number;
  readonly #random: Random;
  #car: SimulatedCar | undefined;
  #module: Module | undefined;
  #clone: Module | undefined;
  #cloud: SimulatedCloud | undefined;
  /** The scenario begins when all is up. */
  #beganMs = 0;

  constructor(template: Template, seed: number) {
    this.#template = template;
    this.#seed = seed;
    // Certificates begin at the moment they were made; a whole second, so that listings are easy to read.
    this.#time = new SimulatedTime(Math.ceil(Date.now() / 1000) * 1000);
    const chance = chanceOf(seed);
    this.#random = { bytes: randomBytes, fraction: chance };
    this.#air = new Air(this.#time, chance);
  }

  async begin(): Promise<void> {
    const time = this.#time;
    const clock: Clock = time.clock();
    const random = this.#random;
    cpSync(this.#template.cloud, join(this.#dir, "cloud"), { recursive: true });
    await this.#startCloud();
    const [pairingKey, readerKey] = [randomBytes(KEY_BYTES), randomBytes(KEY_BYTES)];
    const car = await startCar({
      ...{ seed: this.#seed, clock, random, pairingKey, readerKey },
      bus: () => this.#module?.bus,
    });
    this.#car = car;
    this.#module = new Module({
      ...{ time, random, pairingKey, readerKey, air: this.#air, address: ADDRESS },
      dir: join(this.#dir, "module"),
      identity: this.#template.identity,
      ...{ lock: car.lock, reader: car.reader, modem: car.modem },
    });
    await this.#boot(this.#module);
    await time.pass(WARM_UP_MS);
    this.#beganMs = time.nowMs;
  }

  nowMs = (): number => this.#time.nowMs - this.#beganMs;
  wallMs = (): number => this.#time.wallStartMs + this.#time.nowMs;
  pass = (ms: number): Promise<void> => this.#time.pass(ms);
  during = <T>(work: Promise<T>): Promise<T> => this.#time.during(work);
  frames = (): number => this.#theCar().frames();
  car = async (): Promise<Json> => this.#theCar().view();
  act: Stage["act"] = async (action) => this.#theCar().act(action);
  tap: Stage["tap"] = (what) => this.#theCar().tap(what);
  drive: Stage["drive"] = (ms, kmhMax) => this.#theCar().drive(ms, kmhMax);
  log = (): readonly string[] => this.#theModule().log;

  fault: Stage["fault"] = async (fault, on) => {
    this.#theCar().act({ type: "fault", fault, on });
  };

  coverage = async (coverage: Coverage): Promise<void> => this.#air.setCoverage(coverage);
  broker = async (up: boolean): Promise<void> => this.#air.setBroker(up);

  async ask({ method, path, body, key, asOperator = false }: StageAsk): Promise<StageAnswer> {
    const asked = this.#theCloud().ask(
      path,
      {
        method,
        ...(body !== undefined && { body }),
        ...(key !== undefined && { headers: { "idempotency-key": key } }),
      },
      asOperator ? "operator" : "backend",
    );
    const { status, body: answer } = await this.#time.answered(asked);
    return { status, body: isJson(answer) ? answer : {} };
  }

  async events(): Promise<readonly Json[]> {
    const all: Json[] = [];
    for (let after = ""; ; ) {
      const more = after === "" ? "" : `&after=${encodeURIComponent(after)}`;
      const path = `/events?vehicle=${this.vehicle}&limit=${PAGE}${more}`;
      const { body } = await this.ask({ method: "GET", path });
      if (Array.isArray(body["items"])) all.push(...body["items"].filter(isJson));
      if (typeof body["next"] !== "string") return all;
      after = body["next"];
    }
  }

  async alarms(): Promise<readonly string[]> {
    return this.#theCloud()
      .store.alarms(0, PAGE)
      .map(({ kind, detail }) => `${kind}: ${detail}`);
  }

  async quarantined(): Promise<readonly string[]> {
    return this.#theCloud()
      .store.quarantined(0, PAGE)
      .map(({ reason }) => reason);
  }

  async cloud(up: boolean): Promise<void> {
    if (!up) {
      this.#air.setBroker(false);
      const cloud = this.#cloud;
      this.#cloud = undefined;
      if (cloud !== undefined) await this.#time.answered(cloud.close());
      return;
    }
    if (this.#cloud === undefined) await this.#startCloud();
    this.#air.setBroker(true);
  }

  async power(on: boolean): Promise<void> {
    const module = this.#theModule();
    if (on) await this.#boot(module);
    else module.powerCut();
  }

  async agent(what: "stop" | "start"): Promise<void> {
    const module = this.#theModule();
    if (what === "start") await this.#boot(module);
    else await module.stop();
  }

  async clock(wallMs: number | undefined): Promise<void> {
    this.#theModule().wallOffsetMs = wallMs === undefined ? 0 : wallMs - this.wallMs();
  }

  async disk(what: "keep" | "restore" | "clone"): Promise<void> {
    const module = this.#theModule();
    const kept = join(this.#dir, "kept");
    if (what === "keep") module.copyDisk(kept);
    else if (what === "restore") {
      module.powerCut();
      module.loadDisk(kept);
      await this.#boot(module);
    } else {
      // A second time: whoever has it starts it again.
      await this.#clone?.stop();
      this.#clone ??= module.cloneTo(join(this.#dir, "clone"), kept);
      await this.#boot(this.#clone);
    }
  }

  async revoke(): Promise<void> {
    const { store } = this.#theCloud();
    const record = await store.vehicle(ADDRESS.vehicle);
    if (record === undefined) throw new Error("the car is not enrolled");
    const audit = {
      actor: "scenario",
      action: "vehicle.revoke",
      subject: `vehicle:${ADDRESS.vehicle}`,
      outcome: "done",
    } as const;
    await store.putVehicle({ ...record, revokedAtMs: this.wallMs() }, audit);
    // What the node does when it sees a revocation.
    this.#air.disconnect(ADDRESS);
  }

  waiting = async (): Promise<number> => this.#theModule().waiting();

  async close(): Promise<void> {
    await this.#clone?.stop();
    await this.#module?.stop();
    await this.#car?.close();
    if (this.#cloud !== undefined) await this.#time.answered(this.#cloud.close());
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #startCloud(): Promise<void> {
    this.#cloud = await startCloud({
      dir: join(this.#dir, "cloud"),
      template: this.#template,
      address: ADDRESS,
      time: this.#time,
      air: this.#air,
      log: SILENT,
      wake: async () => {
        if (this.#air.coverage !== "none") this.#theCar().ring();
      },
    });
  }

  /** An agent waits for its lock controller as it starts: time has to pass. */
  async #boot(module: Module): Promise<void> {
    await this.#time.answered(module.start());
  }

  #theCar(): SimulatedCar {
    if (this.#car === undefined) throw new Error("there is no car");
    return this.#car;
  }

  #theModule(): Module {
    if (this.#module === undefined) throw new Error("there is no module");
    return this.#module;
  }

  #theCloud(): SimulatedCloud {
    if (this.#cloud === undefined) throw new Error("the cloud is down");
    return this.#cloud;
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
