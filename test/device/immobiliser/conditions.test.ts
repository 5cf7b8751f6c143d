/** Each condition of the interlocks by itself, the table of rows said a second time, and the words that backends show. */
import {
  type CarFacts,
  CONDITIONS,
  type ConditionName,
  END_CONDITION_WORDS,
  END_UNKNOWN,
  INTERLOCKS,
  judgeAction,
  LOCK_FAULTS,
} from "@kerbside/immobiliser";
import { ACTIONS, DEFAULT_RENTAL_POLICY, END_CONDITIONS } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DRIVING, PARKED } from "../../support/lock-rig.ts";

const good = <T>(value: T) => ({ quality: "good", value }) as const;
const stale = { quality: "stale" } as const;
const none = good<string | undefined>(undefined);
const ours = good<string | undefined>("b-1");
const theirs = good<string | undefined>("b-2");
const OF_BOOKING = { booking: "b-1" };
const STOP = { id: "aa", action: "immobilise" } as const;
const END = { id: "aa", action: "terminate" } as const;

type Judged = readonly [holds: string, facts: Partial<CarFacts>, ask?: object];
const JUDGED: Readonly<Record<ConditionName, readonly Judged[]>> = {
  not_moving: [
    ["met", {}],
    ["met", { gnssSpeedKmh: good(5) }],
    ["unmet", { speedKmh: good(0.6) }],
    ["unmet", { gnssSpeedKmh: good(5.1) }],
    ["unmet", { speedKmh: stale, gnssSpeedKmh: good(5.1) }],
    ["unmet", { speedKmh: good(9), gnssSpeedKmh: good(0) }],
    ["unknown", { speedKmh: stale }],
  ],
  speed_sources_agree: [
    ["met", {}],
    ["met", { gnssSpeedKmh: good(0) }],
    ["unmet", { gnssSpeedKmh: good(6) }],
    ["met", { speedKmh: stale, gnssSpeedKmh: good(6) }],
    ["met", { speedKmh: good(6), gnssSpeedKmh: good(6) }],
    ["met", { speedKmh: good(6), gnssSpeedKmh: good(0) }],
  ],
  standstill: [
    ["met", { standstillMs: 2000 }],
    ["unmet", { standstillMs: 1999 }],
    ["unmet", { standstillMs: 2000, limits: { standstillMs: 2001, standstillKmhMax: 0 } }],
    ["unmet", { standstillMs: 1999, limits: { standstillMs: 0, standstillKmhMax: 0 } }],
    ["unmet", { speedKmh: good(9) }],
    ["unknown", { speedKmh: stale }],
    ["unknown", { speedKmh: stale, standstillMs: 0 }],
  ],
  ignition_off: [
    ["met", {}],
    ["unmet", { ignitionOff: good(false) }],
    ["unknown", { ignitionOff: stale }],
  ],
  ignition_off_after_standstill: [
    ["met", {}],
    ["unmet", { ignitionOffSeenAfterStandstill: false }],
  ],
  doors_closed: [
    ["met", {}],
    ["unmet", { doorsClosed: good(false) }],
    ["unknown", { doorsClosed: stale }],
  ],
  no_open_rental: [
    ["met", { openRental: none }],
    ["unmet", { openRental: ours }],
    ["unknown", { openRental: stale }],
  ],
  no_other_rental: [
    ["met", { openRental: none }, OF_BOOKING],
    ["met", { openRental: ours }, OF_BOOKING],
    ["unmet", { openRental: theirs }, OF_BOOKING],
    ["unknown", { openRental: stale }, OF_BOOKING],
    ["met", { openRental: theirs }],
    ["met", { openRental: stale }],
  ],
  rental_open: [
    ["met", { openRental: ours }, OF_BOOKING],
    ["unmet", { openRental: theirs }, OF_BOOKING],
    ["unmet", { openRental: none }, OF_BOOKING],
    ["unknown", { openRental: stale }, OF_BOOKING],
    ["unmet", { openRental: none }],
  ],
  command_armed: [
    ["met", { armed: STOP }, { target: "aa" }],
    ["unmet", { armed: { ...STOP, id: "bb" } }, { target: "aa" }],
    ["unmet", { armed: undefined }, { target: "aa" }],
    ["unmet", { armed: undefined }],
  ],
  operators_to_cancel: [
    ["met", { armed: END }, { target: "aa" }],
    ["unmet", { armed: END }, { target: "aa", ...OF_BOOKING }],
    ["met", { armed: STOP }, { target: "aa", ...OF_BOOKING }],
    ["met", { armed: undefined }, OF_BOOKING],
  ],
  storage: [
    ["met", {}],
    ["unmet", { storageWorks: false }],
  ],
};

for (const name of Object.keys(JUDGED) as ConditionName[])
  test(`${name}: holds, holds not, or cannot be told`, () => {
    for (const [holds, facts, ask = {}] of JUDGED[name])
      assert.is(CONDITIONS[name].judge({ ...PARKED, ...facts }, ask), holds, JSON.stringify(facts));
  });

const IMMOBILISE =
  "standstill, speed_sources_agree, ignition_off, ignition_off_after_standstill, no_open_rental, storage";
/** `?`: not knowing counts as holding. */
const ROWS: Readonly<Record<(typeof ACTIONS)[number], string>> = {
  unlock: "unlock if not_moving?, no_other_rental?",
  lock: "lock if not_moving?, doors_closed?, no_other_rental?",
  trunk: "trunk if not_moving?, no_other_rental?",
  find: "horn_lights if not_moving?, no_other_rental?",
  release: "allow_start if ; disarms",
  unlock_and_release: "allow_start+unlock if not_moving?, no_other_rental?; disarms; open_rental",
  immobilise: `inhibit_start if ${IMMOBILISE}; mayWait`,
  lock_and_immobilise: `inhibit_start+lock if doors_closed?, ${IMMOBILISE}; mayWait; further lock`,
  end_rental: "lock if rental_open?, not_moving?, ignition_off?; endPolicy; end_rental",
  terminate: " if rental_open?, not_moving?, ignition_off?; mayWait; terminate_rental",
  cancel: " if command_armed, operators_to_cancel; disarm",
};
const MARKS = { allow: "?", refuse: "" } as const;

test("the interlock table is the one that was agreed on, row by row", () => {
  for (const action of ACTIONS) {
    const row = INTERLOCKS[action];
    assert.ok(row !== undefined, action);
    const conditions = row.conditions.map(({ condition, unknown }) => condition + MARKS[unknown]);
    const flags = (["endPolicy", "mayWait", "disarms"] as const).filter((flag) => row[flag]);
    const said = [`${row.pulses.join("+")} if ${conditions.join(", ")}`, ...flags];
    if (row.afterwards !== undefined) said.push(row.afterwards);
    if (row.further !== undefined) said.push(`further ${row.further}`);
    assert.is(said.join("; "), ROWS[action], action);
    for (const { why } of row.conditions)
      assert.match(why, /^\w.* \w+ .*\w$/, `${action}: a reason`);
  }
});

test("what a backend may show: a sentence for each condition, words for each fault, no two alike", () => {
  const words = [...Object.values(CONDITIONS).map((one) => one.words)];
  words.push(...END_CONDITIONS.map((condition) => END_CONDITION_WORDS[condition]));
  for (const one of words) assert.match(one, /^[A-Z].+\.$/);
  const faults = Object.values(LOCK_FAULTS);
  for (const one of faults) assert.match(one, /^(a|the|no|frames) .+\w$/);
  assert.is(new Set([...words, ...faults]).size, words.length + faults.length);
});

test("of the end of a rental nothing is known until something is", () => {
  assert.equal(
    END_UNKNOWN,
    Object.fromEntries(END_CONDITIONS.map((condition) => [condition, { quality: "unknown" }])),
  );
});

test("a car that lacks what it takes says so, and no waiting helps", () => {
  const facts = { ...DRIVING, abilities: new Set(["lock"] as const) };
  const ruling = judgeAction(
    { action: "immobilise", waitMs: 60_000 },
    facts,
    DEFAULT_RENTAL_POLICY,
  );
  assert.is(ruling.kind, "refused");
  assert.equal(
    ruling.kind === "refused" &&
      ruling.unmet.find(({ condition }) => condition === "not_available"),
    { condition: "not_available", words: "This car cannot do that." },
  );
});

test.run();
