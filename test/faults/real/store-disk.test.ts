/**
 * The cloud's disk fails (EIO) or is full (ENOSPC) in the middle of the work, by strace in the real process: what was
 * acknowledged is in the store, the car keeps the rest, and all of it arrives when the disk works again.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { Rig } from "./rig.ts";

const withStrace = needs("strace");
const WORK_MS = 1500;

/** What strace injects, by the calls that SQLite writes with. */
const ROWS = [
  { what: "each third flush fails", inject: "fsync,fdatasync:error=EIO:when=4+3" },
  { what: "a write fails now and then", inject: "pwrite64:error=EIO:when=60+17" },
  { what: "the disk is full for a while", inject: "pwrite64:error=ENOSPC:when=100..300" },
] as const;

for (const { what, inject } of ROWS) {
  withStrace(`the store's disk: ${what}, and nothing is lost or doubled`, async () => {
    const rig = await Rig.make();
    try {
      await rig.cloud?.kill("SIGKILL");
      // The tracer as a grandchild, so that what is killed is the process itself.
      rig.wrapper = [
        "/usr/bin/strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `inject=${inject}`,
      ];
      const car = rig.startCar(true);
      const cloud = rig.startCloud();
      // Where it fails as it opens the process ends, and a service manager would start it again.
      await Promise.all([car.up, cloud.up]);
      await new Promise((done) => setTimeout(done, WORK_MS));
      rig.wrapper = [];
      await cloud.kill("SIGKILL");
      await rig.startCloud().up;
      await rig.settle();
      assert.ok(rig.told.length > 0, "something was said to be durable");
    } finally {
      await rig.close();
    }
  });
}

test.run();
