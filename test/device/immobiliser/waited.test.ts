/**
 * What waited its turn behind a slow lock is begun only where it would still be taken now: in the session that it was
 * signed for, within its life, and for a card or phone while whoever held it up is still there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ASKED_MS_MAX, type LockPort, NOTHING_SENSED } from "@kerbside/immobiliser";
import { type LockAction, randomBytes } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, hashOf, InstantLock, type LockRig, lockRig } from "../../support/lock-rig.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";

const HOUR = 3_600_000;

/** A lock that takes its time: each actuation waits until it is let go on. */
class SlowLock extends InstantLock {
  #waits: (() => void)[] = [];
  #begun = Promise.withResolvers<void>();

  override async actuate(action: LockAction): ReturnType<LockPort["actuate"]> {
    this.#begun.resolve();
    await new Promise<void>((resolve) => this.#waits.push(resolve));
    this.#begun = Promise.withResolvers();
    return super.actuate(action);
  }

  /** Resolves once an actuation is under way. */
  begun(): Promise<void> {
    return this.#begun.promise;
  }

  letGo(): void {
    for (const go of this.#waits.splice(0)) go();
  }

  /** What comes from now on is done at once. */
  hurry(): void {
    this.actuate = (action) => InstantLock.prototype.actuate.call(this, action);
    this.letGo();
  }
}

type Bench = { readonly rig: LockRig; readonly lock: SlowLock; readonly clock: ManualClock };
async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-waited-"));
  const lock = new SlowLock();
  const clock = manualClock();
  const rig = await lockRig(folder, lock, clock);
  try {
    await work({ rig, lock, clock });
  } finally {
    await rig.stop();
    rmSync(folder, { recursive: true });
  }
}

/** The module sleeps in the middle of what it does, and begins a new session as it wakes up. */
function sleepThrough({ rig, clock }: Bench): void {
  clock.pass(8 * HOUR);
  rig.sessionMs = 0;
  rig.epoch = randomBytes(16);
}

test("a command that waited while the module slept is stale, not fresh by the clock that began anew", () =>
  withBench(async (bench) => {
    const { rig, lock } = bench;
    const first = rig.ask(commandOf("find"));
    await lock.begun();
    const waiting = commandOf("unlock");
    const second = rig.ask(waiting);
    sleepThrough(bench);
    lock.hurry();
    assert.is((await first).verdict.status, "executed");
    const { verdict, replayed } = await second;
    assert.equal(verdict, {
      status: "stale_session",
      unmet: [],
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: false,
    });
    assert.is(replayed, false);
    assert.equal(lock.pulses, ["horn_lights"]);
    assert.ok(rig.journal.counter() < waiting.counter, "it may be asked again");
    const anew = commandOf("unlock", { epoch: rig.epoch });
    assert.is((await rig.ask(anew)).verdict.status, "executed");
    const known = await rig.ask(anew);
    rig.epoch = randomBytes(16);
    const old = await rig.ask(anew);
    assert.ok(known.replayed && old.replayed, "what was done is told in every session");
  }));

test("a command whose life ran out behind another is expired", () =>
  withBench(async ({ rig, lock }) => {
    const first = rig.ask(commandOf("find"));
    await lock.begun();
    const second = rig.ask(commandOf("unlock"));
    rig.sessionMs = 10_000;
    lock.hurry();
    await first;
    assert.is((await second).verdict.status, "expired");
    assert.equal(lock.pulses, ["horn_lights"]);
  }));

/** The disk holds the next intent up, and `meanwhile` happens. */
function slowDisk({ journal }: LockRig, meanwhile: () => void): void {
  const { recordIntent } = journal;
  const slow: typeof recordIntent = async (command, hash) => {
    const durable = await recordIntent(command, hash);
    Object.assign(journal, { recordIntent });
    meanwhile();
    return durable;
  };
  Object.assign(journal, { recordIntent: slow });
}

test("a disk that takes longer than a command lives: nothing is pulsed, and it says that it expired", () =>
  withBench(async ({ rig, lock }) => {
    lock.hurry();
    const command = commandOf("unlock");
    slowDisk(rig, () => {
      rig.sessionMs = 10_000;
    });
    const { verdict, durable } = await rig.ask(command);
    assert.is(verdict.status, "expired");
    assert.is(verdict.mayHaveSucceeded, false);
    assert.is(durable, true);
    assert.equal(lock.pulses, []);
    assert.is(rig.journal.find(command.id)?.verdict?.status, "expired", "it is closed on the disk");
    assert.is((await rig.ask(command)).replayed, true);
  }));

test("a module that slept while the disk was written begins nothing of the session before", () =>
  withBench(async (bench) => {
    const { rig, lock } = bench;
    lock.hurry();
    slowDisk(rig, () => sleepThrough(bench));
    assert.is((await rig.ask(commandOf("unlock"))).verdict.status, "stale_session");
    assert.equal(lock.pulses, []);
  }));

test("a tap that the disk held up opens nothing", () =>
  withBench(async ({ rig, lock, clock }) => {
    lock.hurry();
    slowDisk(rig, () => clock.pass(ASKED_MS_MAX + 1));
    const tap = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
    const opener = { by: "card", credential: "c-1" } as const;
    const { verdict } = await rig.executor.allow(tap, hashOf(tap), opener);
    assert.is(verdict.status, "refused");
    assert.equal(
      verdict.unmet.map(({ condition }) => condition),
      ["asked_just_now"],
    );
    assert.equal(lock.pulses, []);
  }));

const TAPS = [
  { why: "who held the card up 25 s ago may have gone", waitedMs: 25_000, opens: false },
  { why: "just too long ago", waitedMs: ASKED_MS_MAX + 1, opens: false },
  { why: "a line that had to wake is waited for", waitedMs: ASKED_MS_MAX, opens: true },
];
for (const { why, waitedMs, opens } of TAPS)
  test(`a tap that waited ${waitedMs} ms ${opens ? "opens" : "opens nothing"}: ${why}`, () =>
    withBench(async ({ rig, lock, clock }) => {
      const first = rig.ask(commandOf("find"));
      await lock.begun();
      const tap = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
      const asked = rig.executor.allow(tap, hashOf(tap), { by: "card", credential: "c-1" });
      clock.pass(waitedMs);
      lock.hurry();
      await first;
      const { verdict } = await asked;
      assert.is(rig.desk.rental().value, opens ? "open" : "none");
      assert.is(lock.pulses.includes("unlock"), opens);
      if (opens) return;
      const words = "The car was busy for too long; ask again.";
      assert.equal(verdict, {
        status: "refused",
        unmet: [{ condition: "asked_just_now", words }],
        sensed: NOTHING_SENSED,
        mayHaveSucceeded: false,
      });
      assert.is(rig.journal.find(tap.id), undefined);
    }));

test("the time of a tap counts from when it was made, not from when it came to wait", () =>
  withBench(async ({ rig, lock, clock }) => {
    lock.hurry();
    const tap = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
    const by = { by: "phone", credential: "p-1" } as const;
    clock.pass(60_000);
    const old = await rig.executor.allow(tap, hashOf(tap), by, 60_000 - ASKED_MS_MAX - 1);
    assert.is(old.verdict.status, "refused");
    const fresh = await rig.executor.allow(tap, hashOf(tap), by, 60_000 - ASKED_MS_MAX);
    assert.is(fresh.verdict.status, "executed");
  }));

test("nothing more is pulsed after a sleep in the middle of an order, and what was done is told", () =>
  withBench(async (bench) => {
    const { rig, lock } = bench;
    const asked = rig.ask(commandOf("lock_and_immobilise"));
    await lock.begun();
    sleepThrough(bench);
    lock.hurry();
    const { verdict } = await asked;
    assert.equal(lock.pulses, ["inhibit_start"]);
    assert.equal(
      [verdict.status, verdict.reason, ...verdict.unmet.map(({ condition }) => condition)],
      ["refused", "partly_done", "same_session"],
    );
    assert.is(verdict.sensed.immobilised, "yes");
  }));

test.run();
