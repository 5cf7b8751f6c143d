/**
 * What can befall a world, as a table. Each row is applied at a random moment; schedules have one to three of them. From
 * `SEEDS_OF_MORE` on a schedule may have one more, of the second table, from `SEEDS_OF_ALL` on of the third too, and most
 * faults wait until something is under way; the worlds below stay as they were when they found something. The last seeds
 * of all are the pairs: each fault followed by each.
 */
import { type Random, randomOf } from "../../fuzz/random.ts";
import { LATER_FAULTS } from "./later-faults.ts";
import { MORE_FAULTS } from "./more-faults.ts";
import type { Weather } from "./network.ts";
import type { End, World } from "./world.ts";

export type Fault = {
  readonly name: string;
  readonly weight: number;
  /** Before anything is started. */
  readonly atStart?: true;
  readonly apply: (world: World) => void;
};

const YEAR_MS = 365 * 86_400_000;
/** Chances that a sector which was not flushed is on the disk after a power cut. */
const KEEPS = [0, 0, 0.5, 0.9, 1] as const;
const IO_MAX = 24;

function end(world: World): { how: End; keep: number } {
  return { how: world.random.bool() ? "kill" : "power", keep: world.random.pick(KEEPS) };
}

function weather(name: string, weight: number, change: Partial<Weather>): Fault {
  return {
    name,
    weight,
    apply: (world) => world.weatherFor(change, 1000 + world.random.int(15_000)),
  };
}

/** The machine dies in one of the next operations of its disk. */
function dieSoon(world: World): void {
  world.carEnd = end(world);
  world.trouble(world.car.disk, "die", world.random.int(IO_MAX), 1);
}

function failSoon(world: World, which: "car" | "cloud"): void {
  const { random } = world;
  const flush = random.bool();
  const fault = flush || random.bool() ? "EIO" : "ENOSPC";
  const times = random.bool() ? 1 : 1 + random.int(12);
  const skip = random.int(8);
  world.trouble(world[which].disk, fault, skip, times, flush ? "flush" : "write");
}

function spoil(world: World): void {
  world.job(async () => {
    const { random, car } = world;
    await car.goDown("kill", world.chance, 1);
    world.witness.forgetMemory();
    const files = [...car.disk.image()].flatMap(([path, content]) =>
      path.includes("agent.sqlite") && !path.includes("-shm") && content !== "directory"
        ? [[path, content] as const]
        : [],
    );
    for (const number of world.told.keys()) world.excuses.damaged.add(number);
    world.excuses.spoils += 1;
    if (files.length > 0) {
      const [path, content] = random.pick(files);
      const image = new Map(car.disk.image());
      const how = random.int(4);
      if (how === 0) image.delete(path);
      else if (how === 1) image.set(path, new Uint8Array(0));
      else if (how === 2) image.set(path, content.slice(0, random.int(content.length + 1)));
      else if (content.length > 0)
        flip(content, random.int(content.length), random.int(8), 1 + random.int(64));
      if (how === 3) image.set(path, content);
      car.disk.load(image);
    }
    // What the log before said of itself may be what was spoilt.
    car.endedInOrder = undefined;
    await car.start();
  });
}

function flip(bytes: Uint8Array, at: number, bit: number, length: number): void {
  for (let i = at; i < Math.min(bytes.length, at + length); i += 1)
    bytes[i] = (bytes[i] ?? 0) ^ (1 << bit);
}

function restoreOld(world: World): void {
  const { random, timeline } = world;
  world.job(async () => {
    if (world.car.disk.dead) return;
    world.snapshot = { image: world.car.disk.image(), told: new Set(world.told.keys()) };
  });
  timeline.after(1000 + random.int(10_000), () =>
    world.job(async () => {
      const { snapshot, car } = world;
      if (snapshot === undefined) return;
      await car.goDown("kill", world.chance, 1);
      world.witness.forgetMemory();
      for (const number of world.told.keys())
        if (!snapshot.told.has(number)) world.excuses.restored.add(number);
      car.disk.load(snapshot.image);
      car.endedInOrder = undefined;
      await car.start();
    }),
  );
}

export const FAULTS: readonly Fault[] = [
  { name: "the agent is killed", weight: 2, apply: (w) => w.job(() => w.carDown("kill", 1)) },
  {
    name: "the power goes",
    weight: 3,
    apply: (w) => w.job(() => w.carDown("power", w.random.pick(KEEPS))),
  },
  { name: "the machine dies while it writes", weight: 5, apply: dieSoon },
  {
    name: "the machine dies again as it recovers",
    weight: 4,
    apply: (w) => {
      w.job(async () => {
        await w.carDown("power", w.random.pick(KEEPS));
        dieSoon(w);
      });
    },
  },
  { name: "the agent ends in order", weight: 2, apply: (w) => w.job(() => w.carStop()) },
  {
    name: "the machine dies as the agent ends",
    weight: 2,
    apply: (w) =>
      w.job(async () => {
        dieSoon(w);
        await w.carStop();
      }),
  },
  { name: "the car's disk fails", weight: 4, apply: (w) => failSoon(w, "car") },
  {
    name: "the car's disk fails, then the power",
    weight: 2,
    apply: (w) => {
      failSoon(w, "car");
      w.timeline.after(w.random.int(4000), () =>
        w.job(() => w.carDown("power", w.random.pick(KEEPS))),
      );
    },
  },
  { name: "the car's disk is spoilt", weight: 1, apply: spoil },
  { name: "an old state of the car's disk comes back", weight: 1, apply: restoreOld },
  {
    name: "the wall clock jumps ten years",
    weight: 1,
    apply: (w) => {
      w.car.wallOffsetMs = (w.random.bool() ? 10 : -10) * YEAR_MS;
    },
  },
  {
    name: "the ingest key is renewed",
    weight: 1,
    apply: (w) => {
      w.ingestVersion = 2;
    },
  },
  {
    name: "the cloud dies while it writes",
    weight: 4,
    apply: (w) => {
      w.cloudEnd = end(w);
      w.trouble(w.cloud.disk, "die", w.random.int(IO_MAX), 1);
    },
  },
  {
    name: "the cloud loses its power",
    weight: 2,
    apply: (w) => w.job(() => w.cloudDown("power", w.random.pick(KEEPS))),
  },
  { name: "the cloud's disk fails", weight: 3, apply: (w) => failSoon(w, "cloud") },
  { name: "the line is cut", weight: 2, apply: (w) => w.network.cut() },
  weather("no line", 3, { dead: 1 }),
  weather("only down", 1, { upSilent: 1 }),
  weather("only up", 1, { downSilent: 1 }),
  weather("the broker forgets what it took", 2, { lose: 0.5 }),
  weather("the broker confirms early", 1, { early: 1, lose: 0.2 }),
  weather("messages are doubled", 2, { double: 0.7 }),
  weather("messages come out of order", 2, { shuffle: 0.7 }),
  weather("messages are spoilt", 1, { spoil: 0.3 }),
  weather("the line is cut between commit and acknowledgement", 2, { cutBeforeAck: 0.5 }),
  weather("acknowledgements are lost", 1, { ackLost: 0.6 }),
  weather("acknowledgements are doubled, late, old", 2, {
    ackDouble: 0.5,
    ackLate: 0.5,
    ackReplayed: 0.5,
  }),
  weather("acknowledgements are spoilt", 1, { ackSpoilt: 0.5 }),
  weather("acknowledgements are forged while messages are lost", 2, { ackForged: 0.8, lose: 0.4 }),
  weather("acknowledgements name other hashes", 1, { ackWrong: 0.8, lose: 0.4 }),
];

const FAULTS_MAX = 3;
const MOMENT_MS_MAX = 38_000;
const WEIGHTS = FAULTS.reduce((sum, { weight }) => sum + weight, 0);

export const SEEDS_OF_MORE = 1_000_000;
export const SEEDS_OF_ALL = 2_000_000;
/** Two beyond that found something before there was a third table. */
const EARLIER: ReadonlySet<number> = new Set([278_213_445, 3_103_956_099]);
const BESIDES: readonly Fault[] = [...MORE_FAULTS, ...LATER_FAULTS];
export const ALL_FAULTS: readonly Fault[] = [...FAULTS, ...BESIDES];
/** Of the faults that may, so many wait until something is under way. */
const LANDING = 0.8;
/** The first seed of the pairs, which go on to the last seed there is. */
export const SEEDS_OF_PAIRS: number = 2 ** 32 - ALL_FAULTS.length ** 2;
/** At most so long between the two of a pair, so that the second meets what the first left. */
const PAIR_MS_MAX = 4000;

/** Chance apart from the world's own, which it leaves as it is. */
function besides(seed: number): Random {
  return randomOf(seed ^ 0x5eed);
}

/** Whether the disks of this world keep names as a journalling file system does. */
export function isJournalled(seed: number): boolean {
  return seed < SEEDS_OF_MORE || besides(seed).bool();
}

function put(world: World, fault: Fault, atMs: number, landing = false): string {
  if (fault.atStart === true) {
    fault.apply(world);
    return fault.name;
  }
  const apply = (): void => {
    if (world.busy) world.landed.push(fault.name);
    fault.apply(world);
  };
  world.timeline.after(atMs, () => {
    if (landing) world.whenBusy(apply);
    else apply();
  });
  return `${fault.name} (${landing ? "after " : ""}${atMs} ms)`;
}

/** Draws a schedule and puts it on the timeline; gives the names of its faults. */
export function schedule(world: World): readonly string[] {
  const { seed, int } = world.random;
  if (seed < SEEDS_OF_MORE) return drawn(world, () => false);
  const own = besides(seed);
  const isEarly = seed < SEEDS_OF_ALL || EARLIER.has(seed);
  const lands = isEarly ? () => false : () => own.bool(LANDING);
  if (seed < SEEDS_OF_PAIRS) {
    const table = isEarly ? MORE_FAULTS : BESIDES;
    const extra = own.bool() ? [own.pick(table)] : [];
    const more = extra.map((fault) => put(world, fault, own.int(MOMENT_MS_MAX), lands()));
    return [...drawn(world, lands), ...more];
  }
  const pair = seed - SEEDS_OF_PAIRS;
  const [one, other] = [Math.floor(pair / ALL_FAULTS.length), pair % ALL_FAULTS.length];
  const atMs = int(MOMENT_MS_MAX);
  const moments = [atMs, atMs + int(PAIR_MS_MAX)];
  return [one, other].flatMap((row, i) => {
    const fault = ALL_FAULTS[row];
    return fault === undefined ? [] : put(world, fault, moments[i] ?? 0, lands());
  });
}

function drawn(world: World, lands: () => boolean): readonly string[] {
  const { random } = world;
  const names: string[] = [];
  for (let count = 1 + random.int(FAULTS_MAX); count > 0; count -= 1) {
    let left = random.int(WEIGHTS);
    const fault = FAULTS.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    if (fault === undefined) continue;
    names.push(put(world, fault, random.int(MOMENT_MS_MAX), lands()));
  }
  return names;
}
