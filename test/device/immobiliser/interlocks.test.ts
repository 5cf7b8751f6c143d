/** The interlock table, exhausted: every combination of what each fact can be, for every action. */
import {
  type CarFacts,
  END_UNKNOWN,
  INTERLOCKS,
  judgeAction,
  type Reading,
} from "@kerbside/immobiliser";
import {
  ACTIONS,
  type Action,
  DEFAULT_RENTAL_POLICY,
  END_CONDITIONS,
  type EndCondition,
  type LockAction,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DRIVING, PARKED } from "../../support/lock-rig.ts";

const NEEDED_MS = 3000;
const LIMITS = { standstillMs: NEEDED_MS, standstillKmhMax: 0.5 };
const OURS = "b-1";
const THEIRS = "b-2";
const TARGET = "aa";

const unknowns = ["stale", "invalid", "unknown"] as const;
const good = <T>(value: T): Reading<T> => ({ quality: "good", value });
const speeds: readonly Reading<number>[] = [
  good(0),
  good(0.5),
  good(0.51),
  good(50),
  ...unknowns.map((quality) => ({ quality })),
];
const gnssSpeeds: readonly Reading<number>[] = [
  good(5),
  good(5.1),
  { quality: "unknown" },
  { quality: "invalid" },
];
const flags: readonly Reading<boolean>[] = [good(true), good(false), { quality: "stale" }];
const rentals: readonly Reading<string | undefined>[] = [
  good<string | undefined>(undefined),
  good<string | undefined>(OURS),
  good<string | undefined>(THEIRS),
  { quality: "unknown" },
];
const both = [true, false];
const WAITING: readonly CarFacts["armed"][] = [
  undefined,
  { id: TARGET, action: "immobilise" },
  { id: TARGET, action: "terminate" },
  { id: "bb", action: "lock_and_immobilise" },
];

function* everyCar(): Generator<CarFacts> {
  for (const speedKmh of speeds)
    for (const gnssSpeedKmh of gnssSpeeds)
      for (const ignitionOff of flags)
        for (const doorsClosed of flags)
          for (const standstillMs of [0, NEEDED_MS - 1, NEEDED_MS])
            for (const ignitionOffSeenAfterStandstill of both)
              for (const openRental of rentals)
                for (const armed of WAITING)
                  for (const storageWorks of both)
                    yield {
                      abilities: PARKED.abilities,
                      limits: LIMITS,
                      speedKmh,
                      gnssSpeedKmh,
                      ignitionOff,
                      doorsClosed,
                      standstillMs,
                      ignitionOffSeenAfterStandstill,
                      openRental,
                      armed,
                      storageWorks,
                      end: END_UNKNOWN,
                    };
}

const isGood = <T>(reading: Reading<T>, is: (value: T) => boolean): boolean =>
  reading.quality === "good" && is(reading.value);
const moves = ({ speedKmh, gnssSpeedKmh }: CarFacts): boolean =>
  isGood(speedKmh, (v) => v > 0.5) || isGood(gnssSpeedKmh, (v) => v > 5);
const theirs = (f: CarFacts): boolean => isGood(f.openRental, (open) => open === THEIRS);
const closes = (f: CarFacts): boolean =>
  !moves(f) &&
  !isGood(f.ignitionOff, (off) => !off) &&
  !isGood(f.openRental, (open) => open !== OURS);

/** What each action needs, said a second time and plainly, as the design states it. */
const EXPECTED: Readonly<Record<Action, (facts: CarFacts) => boolean>> = {
  unlock: (f) => !moves(f) && !theirs(f),
  trunk: (f) => !moves(f) && !theirs(f),
  find: (f) => !moves(f) && !theirs(f),
  lock: (f) => !moves(f) && !theirs(f) && !isGood(f.doorsClosed, (closed) => !closed),
  release: () => true,
  unlock_and_release: (f) => !moves(f) && !theirs(f),
  immobilise: stands,
  lock_and_immobilise: (f) => stands(f) && !isGood(f.doorsClosed, (closed) => !closed),
  end_rental: closes,
  terminate: closes,
  // It is asked for a booking here: by whoever asks for a customer.
  cancel: (f) => f.armed?.id === TARGET && f.armed.action !== "terminate",
};
function stands(f: CarFacts): boolean {
  return (
    f.speedKmh.quality === "good" &&
    !moves(f) &&
    f.standstillMs >= NEEDED_MS &&
    isGood(f.ignitionOff, (off) => off) &&
    f.ignitionOffSeenAfterStandstill &&
    isGood(f.openRental, (open) => open === undefined) &&
    f.storageWorks
  );
}

const ask = (action: Action, waitMs?: number): Parameters<typeof judgeAction>[0] => ({
  action,
  booking: OURS,
  target: TARGET,
  waitMs,
});

for (const action of ACTIONS) {
  test(`${action}: allowed just where it should be, in every combination`, () => {
    let allowed = 0;
    let cars = 0;
    for (const facts of everyCar()) {
      cars += 1;
      const ruling = judgeAction(ask(action), facts, DEFAULT_RENTAL_POLICY);
      const is = ruling.kind === "allowed";
      if (is !== EXPECTED[action](facts)) assert.unreachable(`${action} ${JSON.stringify(facts)}`);
      if (is) allowed += 1;
      else if (ruling.unmet.length === 0) assert.unreachable("a refusal names its reasons");
      if (ruling.kind === "wait") assert.unreachable("nothing waits that was not asked to");
    }
    assert.is(cars, 7 * 4 * 3 * 3 * 3 * 2 * 4 * 4 * 2);
    assert.ok(allowed > 0, "the row can be met");
  });
}

const noRentalKept = (f: CarFacts): boolean =>
  isGood(f.openRental, (open) => open === undefined) && f.storageWorks;
test("what inhibits the start is taken back by release and by letting somebody in; nothing takes back a terminate so", () => {
  const stops = (armed: CarFacts["armed"]): boolean =>
    armed?.action === "immobilise" || armed?.action === "lock_and_immobilise";
  for (const action of ACTIONS)
    for (const armed of WAITING) {
      const ruling = judgeAction(ask(action), { ...PARKED, armed }, DEFAULT_RENTAL_POLICY);
      const takesBack = ruling.kind === "allowed" && ruling.disarms;
      const may = action === "release" || action === "unlock_and_release";
      assert.is(takesBack, may && stops(armed), `${action} ${JSON.stringify(armed)}`);
    }
});

test("the end of a rental is taken back by who names no booking, the operator's own people", () => {
  const facts: CarFacts = { ...PARKED, armed: { id: TARGET, action: "terminate" } };
  const staff = judgeAction({ action: "cancel", target: TARGET }, facts, DEFAULT_RENTAL_POLICY);
  assert.is(staff.kind, "allowed");
  const renters = judgeAction(ask("cancel"), facts, DEFAULT_RENTAL_POLICY);
  assert.ok(renters.kind === "refused");
  assert.equal(
    renters.unmet.map(({ condition }) => condition),
    ["operators_to_cancel"],
  );
});

/** What must hold for an action to wait. What is not named never does. */
const WAITS: Readonly<Partial<Record<Action, (facts: CarFacts) => boolean>>> = {
  immobilise: noRentalKept,
  lock_and_immobilise: noRentalKept,
  terminate: (f) => !isGood(f.openRental, (open) => open !== OURS),
};

for (const action of ACTIONS) {
  test(`${action}: waits only for a car to stand, and never within a rental`, () => {
    let waits = 0;
    for (const facts of everyCar()) {
      const ruling = judgeAction(ask(action, 60_000), facts, DEFAULT_RENTAL_POLICY);
      if (ruling.kind === "allowed") {
        if (!EXPECTED[action](facts)) assert.unreachable("waiting allows nothing more");
        continue;
      }
      // Just where all that is missing is that the car stands (and is shut), and nothing else waits.
      const should = WAITS[action]?.(facts) === true && facts.armed === undefined;
      if ((ruling.kind === "wait") !== should) assert.unreachable(JSON.stringify(facts));
      if (ruling.kind !== "wait") continue;
      waits += 1;
      const stops = action === "immobilise" || action === "lock_and_immobilise";
      const noRental = isGood(facts.openRental, (open) => open === undefined);
      if (stops && !(noRental && facts.storageWorks)) assert.unreachable("armed within a rental");
      if (facts.armed !== undefined) assert.unreachable("one at a time");
    }
    const mayWait = ["immobilise", "lock_and_immobilise", "terminate"].includes(action);
    assert.is(waits > 0, mayWait);
  });
}

/** Lists of what the lock of a car can do, and what is left of each action there. */
const CARS: readonly {
  readonly why: string;
  readonly can: readonly LockAction[];
  readonly does: Readonly<Partial<Record<Action, readonly LockAction[]>>>;
}[] = [
  {
    why: "a body computer that locks and unlocks",
    can: ["lock", "unlock"],
    does: { lock: ["lock"], unlock: ["unlock"], unlock_and_release: ["unlock"] },
  },
  {
    why: "a start that can be inhibited and not be allowed again",
    can: ["lock", "unlock", "inhibit_start"],
    does: { lock: ["lock"], unlock: ["unlock"], immobilise: ["inhibit_start"] },
  },
  {
    why: "a start that can be allowed",
    can: ["unlock", "allow_start"],
    does: {
      unlock: ["unlock"],
      release: ["allow_start"],
      unlock_and_release: ["allow_start", "unlock"],
    },
  },
  { why: "nothing", can: [], does: {} },
];
for (const { why, can, does } of CARS) {
  test(`an action that a car has not is refused with its own reason: ${why}`, () => {
    for (const action of ACTIONS) {
      const pulses = INTERLOCKS[action]?.pulses ?? [];
      if (pulses.length === 0 || action === "lock_and_immobilise") continue;
      const facts: CarFacts = {
        ...PARKED,
        abilities: new Set(can),
        openRental: good<string | undefined>(action === "end_rental" ? OURS : undefined),
      };
      const ruling = judgeAction(ask(action), facts, {
        ...DEFAULT_RENTAL_POLICY,
        endConditions: [],
      });
      const wanted = action === "end_rental" ? does.lock : does[action];
      if (wanted === undefined) {
        assert.equal(
          ruling.kind === "refused" ? ruling.unmet.map(({ condition }) => condition) : ruling,
          ["not_available"],
          action,
        );
        continue;
      }
      assert.ok(ruling.kind === "allowed", action);
      assert.equal(ruling.pulses, wanted, action);
      const isLess = wanted.length < pulses.length;
      assert.is(ruling.senses, isLess ? "unlock" : action);
    }
  });
}

test("what a car cannot do is named beside all else that is unmet, and is not waited for", () => {
  const facts: CarFacts = { ...DRIVING, abilities: new Set(["lock"]) };
  const wished = { ...ask("lock_and_immobilise"), waitMs: 60_000 };
  const ruling = judgeAction(wished, facts, DEFAULT_RENTAL_POLICY);
  assert.is(ruling.kind, "refused");
  const unmet = ruling.kind === "allowed" ? [] : ruling.unmet.map(({ condition }) => condition);
  assert.is(unmet[0], "not_available");
  assert.ok(unmet.includes("standstill"));
});

test("only the rows of immobilising inhibit the start", () => {
  const inhibiting = ACTIONS.filter((action) =>
    INTERLOCKS[action]?.pulses.includes("inhibit_start"),
  );
  assert.equal(inhibiting, ["immobilise", "lock_and_immobilise"]);
});

test("every unmet condition is named at once, in words", () => {
  const facts: CarFacts = {
    ...PARKED,
    speedKmh: good(30),
    ignitionOff: { quality: "stale" },
    doorsClosed: good(false),
    standstillMs: 0,
    ignitionOffSeenAfterStandstill: false,
    openRental: good<string | undefined>(THEIRS),
    storageWorks: false,
  };
  const ruling = judgeAction(ask("lock_and_immobilise"), facts, DEFAULT_RENTAL_POLICY);
  const unmet = ruling.kind === "allowed" ? [] : ruling.unmet;
  assert.equal(
    unmet.map(({ condition }) => condition),
    [
      "doors_closed",
      "standstill",
      "ignition_off_unknown",
      "ignition_off_after_standstill",
      "no_open_rental",
      "storage",
    ],
  );
  for (const { words } of unmet) assert.match(words, /^[A-Z].*\.$/);
});

test("wheels that stand while the position moves contradict each other", () => {
  const facts: CarFacts = { ...PARKED, gnssSpeedKmh: good(30) };
  const ruling = judgeAction(ask("immobilise"), facts, DEFAULT_RENTAL_POLICY);
  assert.ok(ruling.kind === "refused");
  assert.equal(
    ruling.unmet.map(({ condition }) => condition),
    ["standstill", "speed_sources_agree"],
  );
});

test("an action without a row is refused", () => {
  const { unlock, ...others } = INTERLOCKS;
  assert.ok(unlock !== undefined && Object.keys(others).length === ACTIONS.length - 1);
  const unknown = JSON.parse('"open_sesame"');
  const ruling = judgeAction({ action: unknown }, PARKED, DEFAULT_RENTAL_POLICY);
  assert.ok(ruling.kind === "refused" && ruling.unmet[0]?.condition === "not_available");
});

const ourRental: CarFacts = { ...PARKED, openRental: good<string | undefined>(OURS) };
const everything = END_CONDITIONS.map((condition) => ({ condition, unknown: "flag" as const }));

test("the end of a rental: every unmet condition of the tenant's at once", () => {
  const end = Object.fromEntries(END_CONDITIONS.map((name) => [name, good(false)]));
  const facts = { ...ourRental, end: { ...END_UNKNOWN, ...end } };
  const policy = { ...DEFAULT_RENTAL_POLICY, endConditions: everything };
  const ruling = judgeAction(ask("end_rental"), facts, policy);
  assert.ok(ruling.kind === "refused");
  assert.equal(
    ruling.unmet.map(({ condition }) => condition),
    [...END_CONDITIONS],
  );
  for (const { words } of ruling.unmet) assert.match(words, /^[A-Z].*\.$/);
});

for (const condition of END_CONDITIONS) {
  const judge = (reading: Reading<boolean>, unknown: "flag" | "refuse") => {
    const end: Record<EndCondition, Reading<boolean>> = { ...END_UNKNOWN, [condition]: reading };
    const policy = { ...DEFAULT_RENTAL_POLICY, endConditions: [{ condition, unknown }] };
    return judgeAction(ask("end_rental"), { ...ourRental, end }, policy);
  };
  test(`end of a rental, ${condition}: met, unmet, unknown by policy`, () => {
    const met = judge(good(true), "refuse");
    assert.ok(met.kind === "allowed" && met.flagged.length === 0);
    assert.is(judge(good(false), "flag").kind, "refused");
    const flagged = judge({ quality: "stale" }, "flag");
    assert.ok(flagged.kind === "allowed");
    assert.is(flagged.flagged[0]?.condition, `${condition}_unknown`);
    const refused = judge({ quality: "stale" }, "refuse");
    assert.ok(refused.kind === "refused");
    assert.is(refused.unmet[0]?.condition, `${condition}_unknown`);
  });
}

test("by default the end of a rental with broken sensors is let through and flagged", () => {
  const ruling = judgeAction(ask("end_rental"), ourRental, DEFAULT_RENTAL_POLICY);
  assert.ok(ruling.kind === "allowed");
  assert.is(ruling.flagged.length, DEFAULT_RENTAL_POLICY.endConditions.length);
});

test("without a booking no rental is ended, and none is in the way", () => {
  const policy = DEFAULT_RENTAL_POLICY;
  assert.is(judgeAction({ action: "end_rental" }, ourRental, policy).kind, "refused");
  assert.is(judgeAction({ action: "unlock" }, ourRental, policy).kind, "allowed");
});

test.run();
