/** Faults that came last, apart, so that worlds of earlier seeds stay as they were. */
import OldDatabase, { reap } from "../disk/better-sqlite3.ts";
import type { Fault } from "./faults.ts";
import type { World } from "./world.ts";

/** A start takes about as many, its migration among the first of them. */
const OPERATIONS_TO_MIGRATE = 40;
/** Of the first release. */
const FIRST_TABLES = ["logs", "lanes", "segments", "rows"] as const;

/** Makes of the car's database, as it is, what the first release would have made of it. */
function makeOld(file: string): void {
  const db = new OldDatabase(file);
  // As that release had it.
  db.pragma("synchronous = FULL");
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  for (const table of tables)
    if (!FIRST_TABLES.some((name) => name === table)) db.exec(`DROP TABLE ${String(table)}`);
  db.pragma("user_version = 1");
  // Not closed: the machine goes down, and the write-ahead log stays.
}

/** What an agent of an earlier release left is taken over by this one, and the machine dies as it does so. */
function migrateCar(world: World): void {
  const { car, random } = world;
  world.job(async () => {
    await car.goDown("kill", world.chance, 1);
    world.witness.forgetMemory();
    // That release had its troubles with the disk before.
    car.disk.fault = () => undefined;
    car.disk.blind = () => false;
    const file = `${car.dir}/agent.sqlite`;
    if (car.disk.node(`${car.options.home}/agent.sqlite`) !== undefined) {
      makeOld(file);
      car.disk.restart("kill", world.chance, 1);
      reap();
    }
    world.carEnd = { how: random.bool() ? "kill" : "power", keep: random.pick([0, 0.5, 1]) };
    world.trouble(car.disk, "die", random.int(OPERATIONS_TO_MIGRATE), 1);
    await car.start();
  });
}

export const LATER_FAULTS: readonly Fault[] = [
  {
    name: "the car's database of an earlier release, and the machine dies as it migrates",
    weight: 1,
    apply: migrateCar,
  },
  {
    name: "two cars go on from one moment, memory and all",
    weight: 1,
    apply: (w) => w.job(() => w.startTwin()),
  },
];
