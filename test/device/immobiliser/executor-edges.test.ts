/** What of the lock other tests only pass by: what the cloud is still owed, what is refused first, what each contact says. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ASKED_MS_MAX,
  type LockPort,
  NOTHING_SENSED,
  ORDERS_MAX,
  openJournal,
  sensedState,
  type Verdict,
} from "@kerbside/immobiliser";
import { randomBytes } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commandOf,
  hashOf,
  InstantLock,
  LOCKED,
  type LockRig,
  lockRig,
  UNLOCKED,
} from "../../support/lock-rig.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-edges-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Bench = { readonly rig: LockRig; readonly lock: LockPort; readonly clock: ManualClock };
const withBench = (work: (bench: Bench) => Promise<void>): Promise<void> =>
  withFolder(async (folder) => {
    const [lock, clock] = [new InstantLock(), manualClock()];
    const rig = await lockRig(folder, lock, clock);
    try {
      await work({ rig, lock, clock });
    } finally {
      await rig.stop();
    }
  });

test("who held a card up may have gone after five seconds", () => {
  assert.is(ASKED_MS_MAX, 5000);
});

test("the cloud is owed the result of its own commands, word for word, and none of a tap's", () =>
  withBench(async ({ rig }) => {
    assert.equal(rig.executor.untaken(), []);
    const command = commandOf("lock");
    const { verdict } = await rig.ask(command);
    const tap = commandOf("unlock_and_release", { booking: "b-1", counter: 0 });
    const opener = { by: "card", credential: "c-1" } as const;
    assert.is((await rig.executor.allow(tap, hashOf(tap), opener)).verdict.status, "executed");
    const { id } = command;
    assert.equal(rig.executor.untaken(), [
      { id, requestHash: hashOf(command), verdict, replayed: true, durable: true },
    ]);
    await rig.journal.recordTaken(id, "executed");
    assert.equal(rig.executor.untaken(), []);
  }));

test("of another session is said before anything of counters: the cloud is to ask anew", () =>
  withBench(async ({ rig }) => {
    const first = commandOf("find");
    await rig.ask(first);
    rig.epoch = randomBytes(16);
    const { verdict } = await rig.ask(commandOf("find", { counter: first.counter }));
    assert.equal(verdict, {
      status: "stale_session",
      unmet: [],
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: false,
    });
  }));

test("a command whose life is over as its turn comes is answered without a trace, and uses up no counter", () =>
  withBench(async ({ rig }) => {
    rig.sessionMs = 10_000;
    const late = commandOf("find");
    const { verdict, replayed } = await rig.ask(late);
    assert.equal([verdict.status, replayed], ["expired", false]);
    assert.is(rig.journal.find(late.id), undefined);
    assert.ok(rig.journal.counter() < late.counter);
  }));

test("a tap without a result gives way to nothing, though nobody is owed it", () =>
  withFolder(async (folder) => {
    const journal = await openJournal(join(folder, "journal"));
    const verdict: Verdict = {
      status: "executed",
      unmet: [],
      sensed: NOTHING_SENSED,
      mayHaveSucceeded: true,
    };
    const tap = commandOf("lock");
    await journal.recordIntent(tap, hashOf(tap), "car");
    const told = commandOf("lock");
    await journal.recordIntent(told, hashOf(told), "car");
    await journal.recordResult(told.id, verdict);
    for (let others = 2; others < ORDERS_MAX; others += 1) {
      const other = commandOf("lock");
      assert.ok(await journal.recordIntent(other, hashOf(other)));
    }
    const next = commandOf("lock");
    assert.ok(await journal.recordIntent(next, hashOf(next)));
    assert.ok(journal.find(tap.id) && journal.find(next.id));
    assert.is(journal.find(told.id), undefined);
    await journal.close();
  }));

test("the start is inhibited, free, or not known, as its contact says", () => {
  const seen = (["inhibited", "free", "unknown"] as const).map(
    (immobiliser) => sensedState({ ...LOCKED, immobiliser }).immobilised,
  );
  assert.equal(seen, ["yes", "no", "unknown"]);
  const { locked, doorsClosed } = sensedState({ ...UNLOCKED, immobiliser: "inhibited" });
  assert.equal([locked, doorsClosed], ["no", "yes"]);
});

test.run();
