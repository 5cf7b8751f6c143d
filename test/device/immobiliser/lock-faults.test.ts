/** What is wrong with the lock, told apart, and what changed while the power was off. */
import {
  bootDifferences,
  LOCK_FAULTS_NONE,
  LOCK_NOISE_FRAMES_MIN,
  type LockFaultEffect,
  type LockSeen,
  NOTHING_SENSED,
  nextLockFaults,
} from "@kerbside/immobiliser";
import type { LOCK_OUTCOMES, LockAction, LockLinkCounts, LockSensed } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCKED } from "../../support/lock-rig.ts";

type Report = Extract<LockSeen, { type: "report" }>["report"];
const report = (change: Partial<Report> = {}): LockSeen => ({
  type: "report",
  report: {
    type: "statusReport",
    ...LOCKED,
    selfTest: "passed",
    lastActuationId: 1,
    lastOutcome: "done",
    resetCount: 3,
    midPulse: false,
    ...change,
  },
});
const counts = (change: Partial<LockLinkCounts>): LockSeen => ({
  type: "counts",
  counts: {
    frames: 100,
    noiseBytes: 0,
    crcErrors: 0,
    macErrors: 0,
    replays: 0,
    late: 0,
    malformed: 0,
    ...change,
  },
});
const link = (state: "up" | "silent" | "incompatible"): LockSeen => ({ type: "link", state });
const ended = (
  outcome: (typeof LOCK_OUTCOMES)[number],
  sensed: LockSensed = LOCKED,
  action: LockAction = "lock",
): LockSeen => ({ type: "actuated", action, actuated: { outcome, sensed } });

function run(seen: readonly LockSeen[]): readonly string[] {
  let faults = LOCK_FAULTS_NONE;
  const effects: LockFaultEffect[] = [];
  for (const one of seen) {
    const step = nextLockFaults(faults, one);
    faults = step.faults;
    effects.push(...step.effects);
  }
  return effects.map((effect) =>
    effect.type === "tamper" ? `tamper ${effect.open}` : `${effect.type} ${effect.fault}`,
  );
}

const ajar: LockSensed = { ...LOCKED, doorRearLeft: "open" };
const ROWS: readonly { why: string; seen: readonly LockSeen[]; told: readonly string[] }[] = [
  { why: "all is well", seen: [link("up"), report(), ended("done")], told: [] },
  {
    why: "silence, once, until it answers",
    seen: [link("silent"), link("silent"), link("up")],
    told: ["raised lock.silent", "cleared lock.silent"],
  },
  {
    why: "a version that nobody speaks is not silence",
    seen: [link("silent"), link("incompatible"), link("up")],
    told: [
      "raised lock.silent",
      "cleared lock.silent",
      "raised lock.version",
      "cleared lock.version",
    ],
  },
  {
    why: "a jam, until a bolt does what it is told",
    seen: [ended("jam"), ended("jam"), ended("done", LOCKED, "inhibit_start"), ended("done")],
    told: ["raised lock.jam", "cleared lock.jam"],
  },
  ...(["lock", "unlock", "trunk"] as const).map((action) => ({
    why: `a bolt that did not leave its place, until ${action} moves it`,
    seen: [ended("no_travel"), ended("done", LOCKED, action)],
    told: ["raised lock.no_travel", "cleared lock.no_travel"],
  })),
  {
    why: "what moves no bolt says nothing of a jam",
    seen: [ended("jam"), ended("done", LOCKED, "inhibit_start")],
    told: ["raised lock.jam"],
  },
  {
    why: "a self-test that was not run says nothing",
    seen: [report({ selfTest: "failed" }), report({ selfTest: "not_run" })],
    told: ["raised lock.self_test"],
  },
  {
    why: "a contact of which nothing is known is as it was",
    seen: (["unknown", "opened", "unknown", "opened", "intact"] as const).map((tamper) =>
      report({ tamper }),
    ),
    told: ["tamper true", "tamper false"],
  },
  {
    why: "spoilt frames of all kinds are counted together, 16 bytes of noise for one",
    seen: [counts({ crcErrors: LOCK_NOISE_FRAMES_MIN - 2, macErrors: 1, noiseBytes: 16 })],
    told: ["raised lock.noise"],
  },
  {
    why: "one byte less",
    seen: [counts({ crcErrors: LOCK_NOISE_FRAMES_MIN - 2, macErrors: 1, noiseBytes: 15 })],
    told: [],
  },
  {
    why: "no travel behind closed doors",
    seen: [ended("no_travel")],
    told: ["raised lock.no_travel"],
  },
  {
    why: "no travel with a door ajar, then closed and dead: another fault takes its place",
    seen: [ended("no_travel", ajar), ended("no_travel")],
    told: ["raised lock.door_ajar", "raised lock.no_travel", "cleared lock.door_ajar"],
  },
  {
    why: "supply low by an outcome, over by a report well above",
    seen: [ended("supply_low"), report({ supplyMv: 9600 }), report({ supplyMv: 10_500 })],
    told: ["raised lock.supply_low", "cleared lock.supply_low"],
  },
  {
    why: "supply low by a report, over by a pulse that worked",
    seen: [report({ supplyMv: 9499 }), report({ supplyMv: 9400 }), ended("done")],
    told: ["raised lock.supply_low", "cleared lock.supply_low"],
  },
  { why: "supply just enough", seen: [report({ supplyMv: 9500 })], told: [] },
  {
    why: "the tamper contact, each change of it",
    seen: [
      report({ tamper: "opened" }),
      report({ tamper: "opened" }),
      report({ tamper: "unknown" }),
      report({ tamper: "intact" }),
    ],
    told: ["tamper true", "tamper false"],
  },
  {
    why: "a self-test that failed, and one that passed",
    seen: [report({ selfTest: "failed" }), report({ selfTest: "not_run" }), report()],
    told: ["raised lock.self_test", "cleared lock.self_test"],
  },
  {
    why: "a reset, each time; the first look is none",
    seen: [report({ resetCount: 7 }), report({ resetCount: 8 }), report({ resetCount: 8 })],
    told: ["raised lock.reset"],
  },
  {
    why: "a reset in the middle of a pulse",
    seen: [ended("interrupted")],
    told: ["raised lock.reset_in_pulse"],
  },
  {
    why: "noise over a window, then a quiet one",
    seen: [
      counts({ crcErrors: LOCK_NOISE_FRAMES_MIN }),
      counts({ crcErrors: LOCK_NOISE_FRAMES_MIN + 1 }),
    ],
    told: ["raised lock.noise", "cleared lock.noise"],
  },
  {
    why: "a spoilt frame or two, replays and late ones are no noise",
    seen: [counts({ crcErrors: 2, macErrors: 1, noiseBytes: 17, replays: 90, late: 90 })],
    told: [],
  },
  {
    why: "rubbish that is no frame at all",
    seen: [counts({ noiseBytes: 2000 })],
    told: ["raised lock.noise"],
  },
  {
    why: "what tells nothing of the mechanics",
    seen: [
      ended("none"),
      ended("refused"),
      ended("busy"),
      { type: "actuated", action: "lock", actuated: { outcome: "not_sent" } },
      { type: "actuated", action: "lock", actuated: { outcome: "no_answer" } },
    ],
    told: [],
  },
];
for (const { why, seen, told } of ROWS) {
  test(why, () => {
    assert.equal([...run(seen)].sort(), [...told].sort());
  });
}

const SEEN = ["yes", "no", "unknown"] as const;
test("only what is known before and after can have changed while the power was off", () => {
  for (const before of SEEN)
    for (const now of SEEN) {
      const differs = before !== "unknown" && now !== "unknown" && before !== now;
      const lock = bootDifferences(
        { ...NOTHING_SENSED, locked: before },
        { ...NOTHING_SENSED, locked: now },
      );
      assert.equal(
        lock.map(({ fault }) => fault),
        differs ? ["lock.changed_while_off"] : [],
      );
      const start = bootDifferences(
        { ...NOTHING_SENSED, immobilised: before, doorsClosed: "yes" },
        { ...NOTHING_SENSED, immobilised: now, doorsClosed: "no" },
      );
      assert.equal(
        start.map(({ fault }) => fault),
        differs ? ["immobiliser.changed_while_off"] : [],
      );
      if (differs)
        assert.match(lock[0]?.words ?? "", now === "yes" ? /^it is locked/ : /^it is not/);
      if (differs) assert.match(start[0]?.words ?? "", now === "yes" ? /inhibited/ : /free/);
      if (differs) assert.not.equal(lock[0]?.words, start[0]?.words);
    }
});

test.run();
