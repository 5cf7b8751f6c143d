/** Commands through the real journal and the real lock link to a controller on a socket: what is pulsed, and how often. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Executor, type Journal, LockDriver, serialLink } from "@kerbside/immobiliser";
import { randomBytes, sha256 } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TestController } from "../../support/lock-controller.ts";
import { commandOf as command, hashOf, type LockRig, lockRig } from "../../support/lock-rig.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";

type Bench = {
  readonly controller: TestController;
  readonly driver: LockDriver;
  readonly journal: Journal;
  readonly executor: Executor;
  readonly rig: LockRig;
  readonly stop: () => Promise<void>;
};

/** Resolves when `is` holds, looked at as the event loop turns; the runner's limit ends what never holds. */
async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

async function bench(options: { readonly pairedWith?: Uint8Array } = {}): Promise<Bench> {
  const path = await mkdtemp(join(tmpdir(), "kerbside-executor-"));
  const pairingKey = randomBytes(32);
  const controller = await TestController.listen(
    join(path, "lock.sock"),
    options.pairedWith ?? pairingKey,
  );
  const driver = new LockDriver({
    link: serialLink(join(path, "lock.sock"), 115_200),
    pairingKey,
    moduleId: new Uint8Array(8).fill(1),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    onSeen: () => undefined,
  });
  driver.start();
  const rig = await lockRig(path, driver, realClock);
  const { executor, journal } = rig;
  if (options.pairedWith === undefined) await until(() => driver.report() !== undefined);
  return {
    controller,
    driver,
    journal,
    executor,
    rig,
    stop: async () => {
      driver.stop();
      await controller.close();
      await rig.stop();
    },
  };
}

test("lock is seen by its bolts, durable, and pulsed once however often it is asked", async () => {
  const b = await bench();
  const lock = command("unlock");
  const first = await b.executor.execute(lock, hashOf(lock));
  assert.is(first.verdict.status, "executed");
  assert.is(first.verdict.sensed.locked, "no");
  assert.is(first.durable, true);
  for (let again = 0; again < 20; again += 1) {
    const answer = await b.executor.execute(lock, hashOf(lock));
    assert.is(answer.replayed, true);
    assert.is(answer.verdict.status, "executed");
  }
  assert.equal(b.controller.pulses, ["unlock"]);
  await b.stop();
});

test("the same id with another content is refused, and pulses nothing", async () => {
  const b = await bench();
  const lock = command("lock");
  await b.executor.execute(lock, hashOf(lock));
  const answer = await b.executor.execute(lock, sha256(Uint8Array.of(1)));
  assert.is(answer.verdict.status, "refused");
  assert.equal(b.controller.pulses, ["lock"]);
  await b.stop();
});

test("a counter that does not rise and a life that has passed pulse nothing", async () => {
  const b = await bench();
  const lock = command("lock");
  await b.executor.execute(lock, hashOf(lock));
  const old = command("unlock", { counter: lock.counter });
  assert.equal(
    (await b.executor.execute(old, hashOf(old))).verdict.unmet[0]?.condition,
    "counter_rising",
  );
  b.rig.sessionMs = 10_000;
  const late = command("unlock");
  assert.is((await b.executor.execute(late, hashOf(late))).verdict.status, "expired");
  assert.equal(b.controller.pulses, ["lock"]);
  await b.stop();
});

test("two at once are done one after the other; more than may wait are refused", async () => {
  const b = await bench();
  const asked = Array.from({ length: 8 }, () => command("find"));
  const answers = await Promise.all(asked.map((one) => b.executor.execute(one, hashOf(one))));
  const done = answers.filter(({ verdict }) => verdict.status === "executed").length;
  const refused = answers.filter(
    ({ verdict }) => verdict.unmet[0]?.condition === "not_busy",
  ).length;
  assert.is(done + refused, 8);
  assert.ok(refused > 0);
  assert.is(b.controller.pulses.length, done);
  await b.stop();
});

test("a jam is told with what is sensed", async () => {
  const b = await bench();
  b.controller.fault = "jam";
  const unlock = command("unlock");
  const { verdict } = await b.executor.execute(unlock, hashOf(unlock));
  assert.is(verdict.status, "refused");
  assert.is(verdict.reason, "jam");
  assert.is(verdict.sensed.locked, "yes");
  await b.stop();
});

test("a line cut in mid-pulse is resolved by the controller's own record", async () => {
  const b = await bench();
  b.controller.fault = "cut_after_pulse";
  const unlock = command("unlock");
  const { verdict } = await b.executor.execute(unlock, hashOf(unlock));
  assert.is(verdict.status, "executed", JSON.stringify(verdict));
  assert.equal(b.controller.pulses, ["unlock"]);
  await b.stop();
});

test("a controller that pulses and stays silent leaves unknown, never success", async () => {
  const b = await bench();
  b.controller.fault = "silent";
  const unlock = command("unlock");
  const { verdict } = await b.executor.execute(unlock, hashOf(unlock));
  assert.is(verdict.status, "unknown");
  assert.is(verdict.mayHaveSucceeded, true);
  await b.stop();
});

test("a controller paired with another key is no controller", async () => {
  const b = await bench({ pairedWith: randomBytes(32) });
  const unlock = command("unlock");
  const { verdict } = await b.executor.execute(unlock, hashOf(unlock));
  assert.is(verdict.unmet[0]?.condition, "lock_controller");
  assert.equal(b.controller.pulses, []);
  await b.stop();
});

test("what a crash cut off is unknown with the sensed state, and is never pulsed", async () => {
  const b = await bench();
  const unlock = command("unlock");
  await b.journal.recordIntent(unlock, hashOf(unlock));
  const [answer] = await b.executor.settleInterrupted();
  assert.is(answer?.verdict.status, "unknown");
  assert.is(answer?.verdict.sensed.locked, "yes");
  const again = await b.executor.execute(unlock, hashOf(unlock));
  assert.is(again.replayed, true);
  assert.is(again.verdict.status, "unknown");
  assert.equal(b.controller.pulses, []);
  await b.stop();
});

test.run();
