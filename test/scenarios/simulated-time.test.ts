/** The clock of simulated worlds: order, and that it stands still while something is under way. */
import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SimulatedTime } from "../../scenarios/simulated-time.ts";

test("what is due runs in its order, each at its moment, and what is cancelled does not", async () => {
  const time = new SimulatedTime(1000);
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name} at ${time.nowMs}`);
  for (const ms of [50, 10, 30, 10, 90]) time.after(ms, note(`${ms}`));
  time.after(20, note("never")).cancel();
  await time.pass(60);
  assert.equal(seen, ["10 at 10", "10 at 10", "30 at 30", "50 at 50"]);
  assert.is(time.nowMs, 60);
  assert.is(time.clock().wallMs(), 1060);
  await time.pass(40);
  assert.is(seen.at(-1), "90 at 90");
});

test("time stands still while a file is read, a socket is waited for, or promises go on", async () => {
  const time = new SimulatedTime(0);
  const moments: number[] = [];
  time.after(5, () => {
    void readFile(import.meta.filename).then(() => moments.push(time.nowMs));
    // Real time, which is what simulated time is to stand still for.
    void time
      .hold(() => new Promise((resolve) => setTimeout(resolve, 20)))
      .then(() => moments.push(time.nowMs));
  });
  time.after(6, () => moments.push(-1));
  await time.pass(10);
  assert.equal(moments, [5, 5, -1]);
});

test("time passes until work has ended, and no further; work that never ends is told", async () => {
  const time = new SimulatedTime(0);
  const work = new Promise<string>((resolve) => {
    time.after(70, () => resolve("done"));
    time.after(500, () => undefined);
  });
  assert.is(await time.during(work), "done");
  assert.is(time.nowMs, 70);
  const failing = time.during(new Promise(() => undefined));
  await failing.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, "never end"),
  );
});

test.run();
