/** One world: a car that works, a cloud, what lies between, and what one schedule does to them. */
import {
  ackKeyOf,
  cryptoReady,
  decode,
  LANES,
  type Lane,
  type LogOpening,
  openingCodec,
  ProtocolError,
  parseSegmentMessage,
  parseSign1,
  sealKeyPair,
  signingKey,
  tenantId,
  toHex,
  unseal,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type Random, randomOf } from "../../fuzz/random.ts";
import type { Disk, DiskFault, DiskImage, DiskOperation } from "../disk/disk.ts";
import { unmountAll } from "../disk/mounts.ts";
import { seedSqlite } from "../disk/vfs.ts";
import { Car, type Told } from "./car.ts";
import { Cloud, type CloudKeys, oldTenantImage, tenantImage } from "./cloud.ts";
import { isJournalled } from "./faults.ts";
import { FAIR, Network, type Weather } from "./network.ts";
import { watchEncryption } from "./sodium.ts";
import { settle, Timeline } from "./timeline.ts";
import { Witness } from "./witness.ts";

export const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const WORK_MS = 40_000;
const HEAL_MS = 45_000;
/** By then everything must have been delivered. */
const END_MS = 3_600_000;
/** Longer than any segment stays open while a line stands. */
const REST_MS = 12_000;
const DOWN_MS_MAX = 3000;
const CLONE_EVENTS = 8;

await cryptoReady();
const fixed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const carKey = signingKey(fixed(1));
const commandKey = verifyKey(signingKey(fixed(2)).publicKey);
const ingestPairs = new Map([1, 2].map((version) => [version, sealKeyPair()] as const));
const cloudKeys: CloudKeys = {
  transit: new Map([[1, fixed(4)]]),
  audit: signingKey(fixed(5)),
  ingest: ingestPairs,
};
const image: DiskImage = await tenantImage(ADDRESS.tenant, cloudKeys, [
  { vehicle: ADDRESS.vehicle, signingKey: carKey },
]);

export type End = "kill" | "power";
/** What may be missing in the end, and why. */
export type Excuses = {
  /** The buffer is so small that events give way. */
  full: boolean;
  /** Content of the car's disk was spoilt: what it held may be missing. */
  readonly damaged: Set<number>;
  /** How often it was spoilt. */
  spoils: number;
  /** An old state of the car's disk was put back: what it had got since may be missing. */
  readonly restored: Set<number>;
};
type Snapshot = { readonly image: DiskImage; readonly told: ReadonlySet<number> };

export class World {
  readonly random: Random;
  readonly timeline: Timeline = new Timeline();
  readonly witness: Witness = new Witness();
  readonly network: Network;
  readonly cloud: Cloud;
  readonly car: Car;
  readonly told: Map<number, Told> = new Map();
  readonly refused: Map<number, string> = new Map();
  readonly openings: Map<string, LogOpening> = new Map();
  readonly excuses: Excuses = {
    full: false,
    damaged: new Set(),
    spoils: 0,
    restored: new Set(),
  };
  readonly bytesMax: number | undefined;
  /** Another module with this car's identity, and a copy of its disk. */
  clone: Car | undefined;
  snapshot: Snapshot | undefined;
  ingestVersion = 1;
  /** Messages were spoilt on their way, so some are in quarantine. */
  spoilt = false;
  /** How the machine dies next, where its disk says that it does. */
  carEnd: { how: End; keep: number } = { how: "power", keep: 0 };
  cloudEnd: { how: End; keep: number } = { how: "power", keep: 0 };
  /** Faults that came while something was under way, by name. */
  readonly landed: string[] = [];
  readonly #landing: (() => void)[] = [];
  /** What is drawn as a car starts, to be drawn by its twin again. */
  #tape: Uint8Array[] | undefined;
  #appended = 0;
  #lastAppendMs = 0;
  #healed = false;
  readonly #jobs: (() => Promise<void>)[] = [];

  constructor(seed: number) {
    unmountAll();
    seedSqlite(seed);
    const random = randomOf(seed);
    this.random = random;
    watchEncryption(this.witness.encryption);
    this.network = new Network(this.timeline, random);
    this.cloud = new Cloud(ADDRESS.tenant, cloudKeys, image, this.timeline, this.network);
    this.network.cloud = this.cloud;
    this.network.observe = (payload) => this.#observe(payload);
    this.network.ackKey = (log) => this.#ackKey(log);
    this.excuses.full = random.bool(0.1);
    this.bytesMax = this.excuses.full ? 4000 + random.int(8000) : undefined;
    this.car = this.#makeCar("car");
    this.witness.watch(this.car.disk);
    const journalled = isJournalled(seed);
    this.car.disk.journalled = journalled;
    this.cloud.disk.journalled = journalled;
  }

  #makeCar(name: string): Car {
    const { random } = this;
    const small = { bytesMax: this.bytesMax ?? 0, criticalReserveBytes: (this.bytesMax ?? 0) / 4 };
    return new Car({
      name,
      home: isJournalled(random.seed) ? "/agent" : "/var/lib/agent",
      address: ADDRESS,
      signingKey: carKey,
      commandKey,
      timeline: this.timeline,
      random: {
        bytes: (count) => this.#draw(name, count),
        fraction: () => random.int(1 << 30) / (1 << 30),
      },
      limits: { segmentEventsMax: 2 + random.int(7), ...(this.excuses.full ? small : {}) },
      transport: (boot) => this.network.transport(boot),
      ingestKey: () => {
        const version = this.ingestVersion;
        const publicKey = ingestPairs.get(version)?.publicKey ?? new Uint8Array();
        return { version, publicKey };
      },
      tell: (number, told) => {
        if (this.told.has(number)) this.witness.problem(`event ${number} was confirmed twice`);
        this.told.set(number, told);
      },
      refuse: (number, code) => this.refused.set(number, code),
    });
  }

  #draw(name: string, count: number): Uint8Array {
    const again = name === "clone" ? this.#tape?.shift() : undefined;
    if (again !== undefined && again.length === count) return again;
    const drawn = this.witness.chance(this.random.bytes(count));
    if (name === "car") this.#tape?.push(Uint8Array.from(drawn));
    return drawn;
  }

  #observe(payload: Uint8Array): void {
    try {
      const { opening } = parseSegmentMessage(payload, ADDRESS);
      if (opening === undefined) return;
      const opened = decode(openingCodec, parseSign1(opening).payload);
      this.openings.set(toHex(opened.log), opened);
    } catch (error) {
      // What was spoilt on the car's disk may be sent, and nothing can be learned from it.
      if (!(error instanceof ProtocolError && this.excuses.spoils > 0)) throw error;
    }
  }

  #ackKey(log: Uint8Array): Uint8Array | undefined {
    const opening = this.openings.get(toHex(log));
    const pair = ingestPairs.get(opening?.ingestKeyVersion ?? 0);
    if (opening === undefined || pair === undefined) return undefined;
    const root = unseal(opening.sealedRoot, pair.publicKey, pair.privateKey);
    return ackKeyOf(root, { ...ADDRESS, log });
  }

  chance = (): number => this.random.int(1 << 30) / (1 << 30);

  /** Does something between two moments of the timeline. */
  job(run: () => Promise<void>): void {
    this.#jobs.push(run);
  }

  /** After `skip` more operations of the disk, `times` of them fail; `only` picks which kind. */
  trouble(disk: Disk, fault: DiskFault, skip: number, times: number, only?: DiskOperation): void {
    let left = skip;
    let more = times;
    disk.fault = (operation) => {
      if (only !== undefined && operation !== only) return undefined;
      left -= 1;
      if (left >= 0 || more <= 0) return undefined;
      more -= 1;
      return fault;
    };
    if (fault !== "die" && disk === this.car.disk)
      this.car.troubledUntilMs = Number.POSITIVE_INFINITY;
  }

  weatherFor(change: Partial<Weather>, ms: number): void {
    this.network.weather = { ...this.network.weather, ...change };
    if (change.spoil !== undefined) this.spoilt = true;
    this.timeline.after(ms, () => {
      if (!this.#healed) this.network.weather = FAIR;
    });
  }

  async carDown(how: End, keep: number): Promise<void> {
    await this.car.goDown(how, this.chance, keep);
    this.witness.forgetMemory();
    this.timeline.after(this.random.int(DOWN_MS_MAX), () => this.job(() => this.car.start()));
  }

  /**
   * A car starts, and so does a copy of it: with the same disk, and the same chance as long as they start. From then on
   * they are two with one memory: one log, one root, the same numbers next.
   */
  async startTwin(): Promise<void> {
    if (this.clone !== undefined) return;
    await this.car.goDown("kill", this.chance, 1);
    this.witness.forgetMemory();
    const disk = this.car.disk.image();
    this.#tape = [];
    await this.car.start();
    this.witness.twins = true;
    await this.startClone(disk);
    this.#tape = undefined;
  }

  /** Puts a copy of the car's disk into another module, which goes on with events of its own. */
  async startClone(disk: DiskImage = this.car.disk.image()): Promise<void> {
    const clone = this.#makeCar("clone");
    this.clone = clone;
    clone.disk.journalled = this.car.disk.journalled;
    clone.disk.load(disk);
    clone.endedInOrder = undefined;
    this.witness.watch(clone.disk);
    await clone.start();
    const workMs = Math.max(1, HEAL_MS - this.timeline.nowMs);
    for (let event = 0; event < CLONE_EVENTS; event += 1)
      this.timeline.after(this.random.int(workMs), () => {
        this.#appended += 1;
        clone.append(this.#appended, this.random.pick<Lane>(LANES));
      });
  }

  /** The cloud begins with a store as an earlier release left it. */
  oldStore(steps: number): void {
    const { vehicle, tenant } = ADDRESS;
    this.cloud.disk.load(oldTenantImage(tenant, { vehicle, signingKey: carKey }, steps));
  }

  async carStop(): Promise<void> {
    const inOrder = await this.car.stop();
    if (inOrder && this.clone === undefined) this.witness.keysInMemory(0, "after an orderly end");
    this.timeline.after(this.random.int(DOWN_MS_MAX), () => this.job(() => this.car.start()));
  }

  async cloudDown(how: End, keep: number): Promise<void> {
    await this.cloud.goDown(how, this.chance, keep);
    this.network.cut();
    this.timeline.after(this.random.int(DOWN_MS_MAX), () => this.job(() => this.cloud.start()));
  }

  /** Does something as soon as anything is under way, at the latest as all is healed. */
  whenBusy(run: () => void): void {
    if (this.busy || this.#healed) run();
    else this.#landing.push(run);
  }

  get busy(): boolean {
    const { boot, disk } = this.car;
    // What died in this very step is asked nothing any more.
    if (this.network.busy || boot === undefined || disk.dead) return this.network.busy;
    const held = Object.values(boot.buffer?.status().segments ?? {}).some((count) => count > 0);
    return held || boot.waiting > 0;
  }

  #work(): void {
    const { random, timeline } = this;
    for (let bursts = 4 + random.int(8); bursts > 0; bursts -= 1) {
      timeline.after(500 + random.int(WORK_MS), () => {
        const lane = random.pick<Lane>(LANES);
        for (let events = 1 + random.int(6); events > 0; events -= 1) {
          this.#appended += 1;
          this.#lastAppendMs = timeline.nowMs;
          this.car.append(this.#appended, random.bool(0.7) ? lane : random.pick<Lane>(LANES));
        }
      });
    }
  }

  /** Runs until everything is delivered; says whether that came about. */
  async run(faults: (world: World) => void): Promise<boolean> {
    this.job(() => this.cloud.start());
    this.job(() => this.car.start());
    this.#work();
    faults(this);
    this.timeline.after(HEAL_MS, () => this.#heal());
    while (await this.#step()) {
      if (this.#healed && this.#delivered()) return true;
    }
    return false;
  }

  async #step(): Promise<boolean> {
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) await job();
    await this.#deaths();
    if (!this.timeline.step(END_MS)) return false;
    if (this.#landing.length > 0 && this.busy) for (const run of this.#landing.splice(0)) run();
    await settle(this.network.busy ? 4 : 1);
    await this.#deaths();
    const bytes = this.car.boot?.buffer?.status().bytes ?? 0;
    if (this.bytesMax !== undefined && bytes > this.bytesMax)
      this.witness.problem(`the buffer holds ${bytes} bytes of ${this.bytesMax}`);
    return true;
  }

  async #deaths(): Promise<void> {
    if (this.car.disk.dead) {
      this.car.disk.fault = () => undefined;
      await this.carDown(this.carEnd.how, this.carEnd.keep);
    }
    if (this.cloud.disk.dead) {
      this.cloud.disk.fault = () => undefined;
      await this.cloudDown(this.cloudEnd.how, this.cloudEnd.keep);
    }
  }

  #heal(): void {
    for (const run of this.#landing.splice(0)) run();
    this.#healed = true;
    this.network.weather = FAIR;
    this.car.disk.fault = () => undefined;
    this.cloud.disk.fault = () => undefined;
    this.car.disk.blind = () => false;
    this.cloud.disk.blind = () => false;
    this.#keepUp();
  }

  /** A service manager's work: what is not up is started. */
  #keepUp(): void {
    if (!this.cloud.up) this.job(() => this.cloud.start());
    if (this.car.boot === undefined) this.job(() => this.car.start());
    this.timeline.after(5000, () => this.#keepUp());
  }

  #delivered(): boolean {
    const status = this.car.boot?.buffer?.status();
    if (status?.state !== "working" || !this.cloud.up || this.network.busy) return false;
    if (this.timeline.nowMs < HEAL_MS + REST_MS + this.#lastAppendMs / 1000) return false;
    const left = [status, this.clone?.boot?.buffer?.status()].flatMap((each) =>
      Object.values(each?.segments ?? {}),
    );
    return left.every((count) => count === 0);
  }

  async close(): Promise<void> {
    await this.car.goDown("kill", this.chance, 1);
    await this.clone?.goDown("kill", this.chance, 1);
    await this.cloud.close();
  }
}
