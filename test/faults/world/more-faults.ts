/** Faults that need more than the car and the cloud as they are: a second car, an older store, a disk that is blind. */
import { randomOf } from "../../fuzz/random.ts";
import type { Disk } from "../disk/disk.ts";
import type { Fault } from "./faults.ts";
import type { World } from "./world.ts";

const BLIND_READS_MAX = 40;
const SKIPPED_READS_MAX = 60;
const TURN_MS = 6000;
const TURNS = 3;
const OPERATIONS_TO_MIGRATE = 120;

/** Some readings fail, and then no more. */
function blindSoon(world: World, disk: Disk): void {
  let skip = world.random.int(SKIPPED_READS_MAX);
  let left = world.random.bool() ? 1 : 1 + world.random.int(BLIND_READS_MAX);
  disk.blind = () => {
    skip -= 1;
    if (skip >= 0 || left <= 0) return false;
    left -= 1;
    return true;
  };
  if (disk === world.car.disk) world.car.troubledUntilMs = Number.POSITIVE_INFINITY;
}

/** A copy of the disk in another module with the car's identity: both go on, and each is started anew in turns. */
function cloneCar(world: World): void {
  world.job(async () => {
    if (world.car.disk.dead || world.clone !== undefined) return;
    await world.startClone();
    for (let turn = 1; turn <= TURNS; turn += 1)
      world.timeline.after(turn * TURN_MS, () => world.job(() => world.carDown("kill", 1)));
  });
}

export const MORE_FAULTS: readonly Fault[] = [
  {
    name: "the car's disk cannot be read",
    weight: 1,
    apply: (w) => blindSoon(w, w.car.disk),
  },
  {
    name: "the cloud's disk cannot be read",
    weight: 1,
    apply: (w) => blindSoon(w, w.cloud.disk),
  },
  { name: "the car is cloned", weight: 1, apply: cloneCar },
  {
    name: "the ingest key is renewed while the car is down",
    weight: 1,
    apply: (w) =>
      w.job(async () => {
        await w.carDown("power", w.random.pick([0, 0.5, 1]));
        w.ingestVersion = 2;
      }),
  },
  {
    name: "a store of an earlier release dies as it migrates",
    weight: 1,
    atStart: true,
    apply: (w) => {
      w.oldStore(randomOf(w.random.seed).int(1 << 16));
      w.cloudEnd = { how: w.random.bool() ? "kill" : "power", keep: w.random.pick([0, 0.5, 1]) };
      w.trouble(w.cloud.disk, "die", w.random.int(OPERATIONS_TO_MIGRATE), 1);
    },
  },
];
