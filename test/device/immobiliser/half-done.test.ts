/**
 * Orders of several pulses that end half done, and unlocks of which a part was seen to work: what is told, which
 * rental is open, and that each further pulse is allowed by what the car is like then.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Actuated,
  type CarFacts,
  type LockPort,
  mayHaveMoved,
  motionFacts,
  NOTHING_SENSED,
  sensedState,
} from "@kerbside/immobiliser";
import {
  ACTIONS,
  type Action,
  type Command,
  type LockAction,
  type LockSensed,
  randomBytes,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  commandOf,
  DRIVING,
  hashOf,
  InstantLock,
  LOCKED,
  type LockRig,
  lockRig,
  PARKED,
  UNLOCKED,
} from "../../support/lock-rig.ts";
import { manualClock } from "../../support/runtime.ts";

/** A lock that does what a test says instead, and lets it change the car while it does. */
class WilfulLock extends InstantLock {
  readonly ends = new Map<LockAction, (lock: WilfulLock) => Actuated>();
  meanwhile: Partial<Record<LockAction, () => void>> = {};

  override actuate(action: LockAction): ReturnType<LockPort["actuate"]> {
    this.meanwhile[action]?.();
    const end = this.ends.get(action);
    if (end === undefined) return super.actuate(action);
    const actuated = end(this);
    if (actuated.outcome !== "not_sent") this.pulses.push(action);
    if ("sensed" in actuated) this.sensed = actuated.sensed;
    return Promise.resolve(actuated);
  }
}

type Bench = { readonly rig: LockRig; readonly lock: WilfulLock };
async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-half-done-"));
  const lock = new WilfulLock();
  const rig = await lockRig(folder, lock, manualClock());
  try {
    await work({ rig, lock });
  } finally {
    await rig.stop();
    rmSync(folder, { recursive: true });
  }
}

const INHIBITED: LockSensed = { ...LOCKED, immobiliser: "inhibited" };
const DRIVERS_DOOR_OPEN: LockSensed = { ...LOCKED, boltDriver: "unlocked" };
const unmetOf = ({ unmet }: { readonly unmet: readonly { readonly condition: string }[] }) =>
  unmet.map(({ condition }) => condition);
const forBooking = (action: Action): Command => commandOf(action, { booking: "b-1" });

test("a car that moves off while its start is inhibited is not locked, and all is told", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = UNLOCKED;
    lock.meanwhile = {
      inhibit_start: () => {
        rig.facts = DRIVING;
      },
    };
    const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
    assert.equal(lock.pulses, ["inhibit_start"]);
    assert.equal(unmetOf(verdict), ["not_moving"]);
    assert.equal(
      [verdict.status, verdict.reason, verdict.mayHaveSucceeded],
      ["refused", "partly_done", true],
    );
    const sensed = sensedState({ ...UNLOCKED, immobiliser: "inhibited" });
    assert.equal(verdict.sensed, sensed, "what the first pulse did is told");
  }));

const STALE = { quality: "stale" } as const;
const parkedFacts = (isAsleep: boolean): CarFacts => ({
  ...PARKED,
  ...motionFacts({ value: "parked", sinceMs: 0 }, STALE, STALE, 60_000, isAsleep),
  doorsClosed: STALE,
});
for (const waker of ["inhibit_start", "lock"] as const)
  test(`a parked car whose bus is woken by ${waker}, and then says nothing of its speed, is locked and immobilised`, () =>
    withBench(async ({ rig, lock }) => {
      lock.sensed = UNLOCKED;
      rig.facts = parkedFacts(true);
      lock.meanwhile = {
        [waker]: () => {
          rig.facts = parkedFacts(false);
        },
      };
      const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
      assert.equal(lock.pulses, ["inhibit_start", "lock"]);
      assert.equal([verdict.status, verdict.reason], ["executed", undefined]);
      assert.equal(verdict.sensed, sensedState(INHIBITED), "both were seen");
      const awake = await rig.ask(commandOf("lock_and_immobilise"));
      assert.equal(
        [awake.verdict.status, ...unmetOf(awake.verdict)],
        ["refused", "standstill_unknown", "ignition_off_unknown"],
        "to begin on a bus that is awake all has to be known",
      );
    }));

test("after a sleep between two pulses all that is missing is told, the sleep first", () =>
  withBench(async ({ rig, lock }) => {
    lock.meanwhile = {
      inhibit_start: () => {
        rig.epoch = randomBytes(16);
        rig.facts = DRIVING;
      },
    };
    const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
    const [first, ...rest] = verdict.unmet;
    const words = "The car must not have slept since it was asked.";
    assert.equal(first, { condition: "same_session", words });
    assert.equal(unmetOf({ unmet: rest }), ["not_moving"]);
  }));

test("an armed command that fires as the car moves off again ends half done, and is armed no more", () =>
  withBench(async ({ rig, lock }) => {
    rig.facts = DRIVING;
    lock.sensed = UNLOCKED;
    const armed = commandOf("lock_and_immobilise", { waitMs: 60_000 });
    assert.is((await rig.ask(armed)).verdict.status, "armed");
    rig.facts = PARKED;
    lock.meanwhile = {
      inhibit_start: () => {
        rig.facts = DRIVING;
      },
    };
    rig.executor.seen();
    await rig.ask(commandOf("find"));
    assert.equal(lock.pulses, ["inhibit_start"]);
    assert.is(rig.executor.armed(), undefined);
    const [late] = rig.late;
    assert.ok(late !== undefined);
    assert.equal([late.id, late.verdict.status, late.durable], [armed.id, "refused", true]);
    rig.facts = PARKED;
    rig.executor.seen();
    await rig.ask(commandOf("find"));
    assert.not(lock.pulses.includes("lock"), "nothing of it goes on later");
  }));

test("a record that fails once the start is inhibited keeps no car from being locked", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = UNLOCKED;
    lock.meanwhile = {
      inhibit_start: () => {
        rig.facts = { ...PARKED, storageWorks: false };
      },
    };
    const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
    assert.equal(lock.pulses, ["inhibit_start", "lock"]);
    assert.equal([verdict.status, ...unmetOf(verdict)], ["executed"]);
  }));

test("a car that cannot be locked once its start is inhibited is told as that, with all that is unmet", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = UNLOCKED;
    lock.meanwhile = {
      inhibit_start: () => {
        rig.facts = { ...PARKED, doorsClosed: { quality: "good", value: false } };
      },
    };
    const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
    assert.equal(lock.pulses, ["inhibit_start"]);
    assert.equal(
      [verdict.status, verdict.reason, ...unmetOf(verdict)],
      ["refused", "partly_done", "doors_closed"],
    );
    assert.equal([verdict.sensed.locked, verdict.sensed.immobilised], ["no", "yes"]);
  }));

test("a car that moves off while its start is freed stays locked; that its start is free is told", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = INHIBITED;
    lock.meanwhile = {
      allow_start: () => {
        rig.facts = DRIVING;
      },
    };
    const { verdict } = await rig.ask(forBooking("unlock_and_release"));
    assert.equal(lock.pulses, ["allow_start"]);
    assert.equal(unmetOf(verdict), ["not_moving"]);
    assert.equal([verdict.status, verdict.mayHaveSucceeded], ["refused", true]);
    assert.equal([verdict.sensed.locked, verdict.sensed.immobilised], ["yes", "no"]);
    assert.is(rig.desk.rental().value, "none", "nobody was let in");
  }));

const LOST: readonly {
  readonly why: string;
  readonly before: LockSensed;
  readonly rental: "open" | "none";
}[] = [
  { why: "a locked car lets nobody in", before: INHIBITED, rental: "none" },
  {
    why: "a car that was unlocked may have somebody in it",
    before: { ...UNLOCKED, immobiliser: "inhibited" },
    rental: "open",
  },
];
for (const { why, before, rental } of LOST)
  test(`a controller that is gone after the start was freed is not told as nothing done: ${why}`, () =>
    withBench(async ({ rig, lock }) => {
      lock.sensed = before;
      lock.ends.set("unlock", () => ({ outcome: "not_sent" }));
      const { verdict, durable } = await rig.ask(forBooking("unlock_and_release"));
      assert.equal(verdict, {
        status: "unknown",
        unmet: [],
        sensed: sensedState({ ...before, immobiliser: "free" }),
        reason: "partly_done",
        mayHaveSucceeded: true,
      });
      assert.ok(durable);
      assert.is(rig.desk.rental().value, rental);
    }));

for (const by of ["command", "card"] as const)
  test(`with one jammed bolt and the driver's door open the rental is open: no immobiliser, by ${by}`, () =>
    withBench(async ({ rig, lock }) => {
      lock.sensed = INHIBITED;
      lock.ends.set("unlock", () => ({ outcome: "jam", sensed: DRIVERS_DOOR_OPEN }));
      const asked = forBooking("unlock_and_release");
      const opener = { by: "card", credential: "c-1" } as const;
      const { verdict } =
        by === "card"
          ? await rig.executor.allow(asked, hashOf(asked), opener)
          : await rig.ask(asked);
      assert.equal(
        [verdict.status, verdict.reason, verdict.mayHaveSucceeded],
        ["refused", "jam", true],
      );
      const rental = rig.desk.rental();
      assert.ok(rental.value === "open");
      assert.equal([rental.booking, rental.openedBy], ["b-1", by]);
      assert.is(rental.credential, by === "card" ? "c-1" : undefined, "who may get in again");
      const stop = await rig.ask(commandOf("immobilise", { waitMs: 60_000 }));
      assert.equal([stop.verdict.status, ...unmetOf(stop.verdict)], ["refused", "no_open_rental"]);
      assert.not(lock.pulses.includes("inhibit_start"));
    }));

const JAMS: readonly {
  readonly why: string;
  readonly before: LockSensed;
  readonly after: LockSensed;
  readonly opens: boolean;
  readonly may: boolean;
}[] = [
  { why: "all bolts stayed locked", before: LOCKED, after: LOCKED, opens: false, may: false },
  {
    why: "all bolts stayed locked, and the start was freed",
    before: INHIBITED,
    after: LOCKED,
    opens: false,
    may: true,
  },
  {
    why: "the driver's door was open before",
    before: DRIVERS_DOOR_OPEN,
    after: DRIVERS_DOOR_OPEN,
    opens: true,
    may: true,
  },
  {
    why: "a bolt is not seen",
    before: LOCKED,
    after: { ...LOCKED, boltPassengers: "unknown" },
    opens: true,
    may: true,
  },
];
for (const { why, before, after, opens, may } of JAMS)
  test(`an unlock that jams opens the rental unless the car is seen wholly locked: ${why}`, () =>
    withBench(async ({ rig, lock }) => {
      lock.sensed = before;
      lock.ends.set("unlock", () => ({ outcome: "jam", sensed: after }));
      const { verdict } = await rig.ask(forBooking("unlock_and_release"));
      assert.equal([verdict.status, verdict.mayHaveSucceeded], ["refused", may]);
      assert.is(rig.desk.rental().value, opens ? "open" : "none");
    }));

test("a start that cannot be freed opens nothing where nothing moved, whatever was open before", () =>
  withBench(async ({ rig, lock }) => {
    const before: LockSensed = { ...UNLOCKED, immobiliser: "inhibited" };
    lock.sensed = before;
    lock.ends.set("allow_start", () => ({ outcome: "jam", sensed: before }));
    const { verdict } = await rig.ask(forBooking("unlock_and_release"));
    assert.equal([verdict.status, verdict.mayHaveSucceeded], ["refused", false]);
    assert.equal(lock.pulses, ["allow_start"]);
    assert.is(rig.desk.rental().value, "none");
  }));

test("a car that moves off while its start is freed with its doors unlocked: the rental is open, and why is told", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = { ...UNLOCKED, immobiliser: "inhibited" };
    lock.meanwhile = {
      allow_start: () => {
        rig.facts = DRIVING;
      },
    };
    const { verdict } = await rig.ask(forBooking("unlock_and_release"));
    assert.equal([verdict.status, ...unmetOf(verdict)], ["refused", "not_moving"]);
    assert.is(rig.desk.rental().value, "open");
  }));

test("a car whose start was free and whose doors were unlocked before is as it was: nothing is opened", () =>
  withBench(async ({ rig, lock }) => {
    lock.sensed = UNLOCKED;
    lock.meanwhile = {
      allow_start: () => {
        rig.facts = DRIVING;
      },
    };
    const { verdict } = await rig.ask(forBooking("unlock_and_release"));
    assert.equal([verdict.status, verdict.mayHaveSucceeded], ["refused", false]);
    assert.is(rig.desk.rental().value, "none");
  }));

test("where unlocking is all there is to do and the controller is gone, nothing is opened", () =>
  withBench(async ({ rig, lock }) => {
    rig.facts = { ...PARKED, abilities: new Set(["lock", "unlock"]) };
    lock.ends.set("unlock", () => ({ outcome: "not_sent" }));
    const { verdict } = await rig.ask(forBooking("unlock_and_release"));
    assert.equal([verdict.status, ...unmetOf(verdict)], ["refused", "lock_controller"]);
    assert.is(verdict.mayHaveSucceeded, false);
    assert.is(rig.desk.rental().value, "none");
  }));

test("a plain unlock opens no rental, however much of it is seen", () =>
  withBench(async ({ rig, lock }) => {
    lock.ends.set("unlock", () => ({ outcome: "jam", sensed: DRIVERS_DOOR_OPEN }));
    const { verdict } = await rig.ask(forBooking("unlock"));
    assert.equal([verdict.status, verdict.mayHaveSucceeded], ["refused", true]);
    assert.is(rig.desk.rental().value, "none");
  }));

test("a lock that is silent at the second pulse is unknown in all of it", () =>
  withBench(async ({ rig, lock }) => {
    lock.ends.set("lock", () => ({ outcome: "no_answer" }));
    const { verdict } = await rig.ask(commandOf("lock_and_immobilise"));
    assert.equal([verdict.status, verdict.reason], ["unknown", "controller_silent"]);
    assert.equal(verdict.sensed, NOTHING_SENSED);
  }));

test("what may have moved: every contact before and after, for every action", () => {
  const bolts = ["locked", "unlocked", "unknown"] as const;
  const starts = ["inhibited", "free", "unknown"] as const;
  for (const action of ACTIONS)
    for (const boltDriver of bolts)
      for (const immobiliser of starts) {
        const before: LockSensed = { ...LOCKED, boltDriver, immobiliser };
        const isSeen = boltDriver !== "unknown" && immobiliser !== "unknown";
        if (isSeen) assert.is(mayHaveMoved(action, before, before), false, `${action} stays`);
        const turned: LockSensed = {
          ...before,
          boltDriver: boltDriver === "locked" ? "unlocked" : "locked",
        };
        if (isSeen) assert.is(mayHaveMoved(action, before, turned), true, `${action} moves`);
      }
  const blind: LockSensed = { ...LOCKED, boltDriver: "unknown" };
  assert.is(mayHaveMoved("lock", undefined, UNLOCKED), true, "the trunk is where it was to go");
  assert.is(mayHaveMoved("unlock", undefined, LOCKED), false);
  assert.is(mayHaveMoved("immobilise", undefined, LOCKED), false);
  assert.is(mayHaveMoved("release", undefined, LOCKED), true);
  assert.is(mayHaveMoved("unlock", LOCKED, blind), true);
  assert.is(mayHaveMoved("release", LOCKED, blind), false, "it asks nothing of the bolts");
});

test.run();
