/** The pure machines step by step: the whole of what comes out, where other tests look at how it ends. */
import {
  ACTIVE_MS,
  freshReading,
  isBusAsleep,
  judgeAction,
  type Motion,
  type MotionInput,
  motionFacts,
  nextMotion,
  nextPower,
  nextRental,
  POWER_LIMITS,
  POWER_TABLE,
  type Power,
  type PowerEffect,
  type PowerInput,
  type PowerLimits,
  type Reading,
  type Rental,
  startPower,
} from "@kerbside/immobiliser";
import { DEFAULT_RENTAL_POLICY } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PARKED } from "../../support/lock-rig.ts";

const LIMITS = { standstillMs: 2000, standstillKmhMax: 0.5 };
const standing = (ignition: "on" | "off" | "unknown"): Motion => ({
  value: "standing",
  sinceMs: 1000,
  ignition,
});
const PARKED_SINCE: Motion = { value: "parked", sinceMs: 1000 };
const off = (value: boolean): MotionInput => ({
  type: "ignition",
  off: { quality: "good", value },
});
/** A reading that is stale, and still carries what it last was. */
const carries = { quality: "stale", value: true } as const;

const STEPS: readonly {
  readonly why: string;
  readonly from: Motion;
  readonly input: MotionInput;
  readonly atMs?: number;
  readonly to: Motion;
}[] = [
  {
    why: "seen standing, nothing is known of the ignition",
    from: { value: "moving" },
    input: { type: "speed", reading: { quality: "good", value: 0 } },
    to: { value: "standing", sinceMs: 9000, ignition: "unknown" },
  },
  { why: "ignition on", from: standing("unknown"), input: off(false), to: standing("on") },
  {
    why: "off, but it was never seen on",
    from: standing("unknown"),
    input: off(true),
    to: standing("off"),
  },
  { why: "off after on", from: standing("on"), input: off(true), to: PARKED_SINCE },
  {
    why: "off after on, at once",
    from: standing("on"),
    input: off(true),
    atMs: 2999,
    to: standing("off"),
  },
  {
    why: "off after on, just long enough",
    from: standing("on"),
    input: off(true),
    atMs: 3000,
    to: PARKED_SINCE,
  },
  {
    why: "lost, with the last value in it",
    from: standing("on"),
    input: { type: "ignition", off: carries },
    to: standing("unknown"),
  },
  { why: "parked, ignition on", from: PARKED_SINCE, input: off(false), to: standing("on") },
  { why: "parked, off again", from: PARKED_SINCE, input: off(true), to: PARKED_SINCE },
  {
    why: "parked, lost",
    from: PARKED_SINCE,
    input: { type: "ignition", off: { quality: "stale" } },
    to: PARKED_SINCE,
  },
  {
    why: "moving, ignition off",
    from: { value: "moving" },
    input: off(true),
    to: { value: "moving" },
  },
  {
    why: "unknown, ignition off",
    from: { value: "unknown" },
    input: off(true),
    to: { value: "unknown" },
  },
];
for (const { why, from, input, atMs = 9000, to } of STEPS)
  test(`motion: ${why}`, () => assert.equal(nextMotion(from, input, atMs, LIMITS), to));

test("how long it stands is counted from the first time it was seen to", () => {
  const speed: Reading<number> = { quality: "good", value: 0 };
  const ignition: Reading<boolean> = { quality: "good", value: true };
  const rows: readonly (readonly [Motion, number])[] = [
    [standing("on"), 5000],
    [{ value: "moving" }, 0],
    [{ value: "unknown" }, 0],
  ];
  for (const [state, standstillMs] of rows)
    assert.equal(motionFacts(state, speed, ignition, 6000, false), {
      speedKmh: speed,
      ignitionOff: ignition,
      standstillMs,
      ignitionOffSeenAfterStandstill: false,
    });
});

test("a bus sleeps when it was heard and is silent since; one never heard is not known to", () => {
  const parameters = { asleepAfterMs: 500 };
  assert.is(isBusAsleep(undefined, 1e9, parameters), false);
  assert.is(isBusAsleep(0, 499, parameters), false);
  assert.is(isBusAsleep(0, 500, parameters), true);
  assert.is(isBusAsleep(1000, 1500, parameters), true);
});

test("a reading grows stale on a bus that is awake, after its time and not before", () => {
  const good: Reading<number> = { quality: "good", value: 3 };
  const limits = { awakeFreshMs: 100 };
  assert.equal(freshReading(good, 100, false, limits), good);
  assert.equal(freshReading(good, 101, false, limits), { quality: "stale" });
  assert.equal(freshReading(good, 1e9, true, limits), good);
  assert.equal(freshReading({ quality: "invalid" }, 1e9, false, limits), { quality: "invalid" });
});

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
type At = readonly [atMs: number, input: PowerInput];
function run(seen: readonly At[], limits: PowerLimits = POWER_LIMITS) {
  let power: Power = startPower(0, limits);
  let last: readonly PowerEffect[] = [];
  for (const [atMs, input] of seen) {
    const step = nextPower(power, input, atMs, limits);
    power = step.power;
    last = step.effects;
  }
  return { power, last };
}
const volts = (value: number | undefined): PowerInput => ({ type: "voltage", volts: value });
const booking = (nextMs: number | undefined): PowerInput => ({ type: "booking", nextMs });
const ACTIVITY: PowerInput = { type: "activity" };
const TICK: PowerInput = { type: "tick" };

const ENTERED: readonly {
  readonly why: string;
  readonly seen: readonly At[];
  readonly state: Power["state"];
  readonly reason: string;
  readonly wakeMs?: number;
}[] = [
  { why: "critical", seen: [[HOUR, volts(11.5)]], state: "deep_sleep", reason: "voltage_critical" },
  { why: "low", seen: [[HOUR, volts(11.9)]], state: "deep_sleep", reason: "voltage_low" },
  { why: "idle", seen: [[2 * HOUR, TICK]], state: "deep_sleep", reason: "idle" },
  { why: "a booking", seen: [[HOUR, booking(HOUR)]], state: "rental_soon", reason: "booking" },
  {
    why: "after a drive in a rental",
    seen: [
      [0, { type: "rental", open: true }],
      [0, { type: "ignition", on: true }],
      [HOUR, { type: "ignition", on: false }],
    ],
    state: "parked",
    reason: "rental",
  },
  {
    why: "after a drive",
    seen: [
      [0, { type: "ignition", on: true }],
      [HOUR, { type: "ignition", on: false }],
    ],
    state: "parked",
    reason: "parked",
  },
  {
    why: "asleep with a booking to wake for",
    seen: [
      [0, booking(8 * HOUR)],
      [2 * HOUR, TICK],
    ],
    state: "deep_sleep",
    reason: "idle",
    wakeMs: 8 * HOUR - 30 * MINUTE,
  },
  {
    why: "asleep for want of power as the booking is near: woken at once where it can be",
    seen: [
      [HOUR, booking(HOUR + 10 * MINUTE)],
      [HOUR + 1, volts(11)],
    ],
    state: "deep_sleep",
    reason: "voltage_critical",
    wakeMs: HOUR + 1,
  },
];
for (const { why, seen, state, reason, wakeMs } of ENTERED)
  test(`power: ${why}: ${state} for ${reason}`, () => {
    const { power, last } = run(seen);
    assert.is(power.state, state);
    const enter = last.at(-1);
    assert.ok(enter?.type === "enter");
    assert.equal([enter.state, enter.reason], [state, reason]);
    assert.is(enter.row, POWER_TABLE[state]);
    const wake = wakeMs === undefined ? [] : [{ type: "wake_at", bootMs: wakeMs }];
    assert.equal(last.slice(0, -1), wake);
  });

test("what keeps a weak car awake: a wake for 5 minutes, an activity for one, and no less than was left", () => {
  const asleep: readonly At[] = [[HOUR, volts(11)]];
  const rows: readonly { readonly after: readonly At[]; readonly awakeMs: number }[] = [
    { after: [[HOUR, { type: "wake", source: "card" }]], awakeMs: 5 * MINUTE },
    { after: [[HOUR, ACTIVITY]], awakeMs: MINUTE },
    {
      after: [
        [HOUR, { type: "wake", source: "card" }],
        [HOUR + MINUTE, ACTIVITY],
      ],
      awakeMs: 5 * MINUTE,
    },
    {
      after: [
        [HOUR, { type: "wake", source: "card" }],
        [HOUR + 4 * MINUTE + 30_000, ACTIVITY],
      ],
      awakeMs: 5 * MINUTE + 30_000,
    },
  ];
  assert.is(ACTIVE_MS, MINUTE);
  for (const { after, awakeMs } of rows) {
    const until = HOUR + awakeMs;
    assert.is(run([...asleep, ...after, [until - 1, TICK]]).power.state, "parked");
    assert.is(run([...asleep, ...after, [until, TICK]]).power.state, "deep_sleep");
  }
  const short = { ...POWER_LIMITS, wokenMs: 10_000 };
  const active: readonly At[] = [...asleep, [HOUR, ACTIVITY]];
  assert.is(run([...active, [HOUR + 9999, TICK]], short).power.state, "parked");
  assert.is(run([...active, [HOUR + 10_000, TICK]], short).power.state, "deep_sleep");
});

test("an activity counts the idle time anew, and so do ignition and rental", () => {
  for (const input of [
    ACTIVITY,
    { type: "wake", source: "door" },
    { type: "ignition", on: false },
    { type: "rental", open: false },
  ] as const) {
    assert.is(
      run([
        [HOUR, input],
        [3 * HOUR - 1, TICK],
      ]).power.state,
      "parked",
      input.type,
    );
    assert.is(
      run([
        [HOUR, input],
        [3 * HOUR, TICK],
      ]).power.state,
      "deep_sleep",
      input.type,
    );
  }
});

const OPEN: Rental = { value: "open", booking: "b-1", openedBy: "command", phase: "unstarted" };
const RENTALS: readonly {
  readonly why: string;
  readonly from: Rental;
  readonly input: Parameters<typeof nextRental>[1];
  readonly to: ReturnType<typeof nextRental>;
}[] = [
  {
    why: "no rental, ignition on",
    from: { value: "none" },
    input: { type: "ignition", on: true },
    to: { rental: { value: "none" }, effects: [] },
  },
  {
    why: "a lost record, moved",
    from: { value: "unknown" },
    input: { type: "moved" },
    to: { rental: { value: "unknown" }, effects: [] },
  },
  {
    why: "driving, ignition on again",
    from: { ...OPEN, phase: "driving" },
    input: { type: "ignition", on: true },
    to: { rental: { ...OPEN, phase: "driving" }, effects: [] },
  },
  {
    why: "driving, moved",
    from: { ...OPEN, phase: "driving" },
    input: { type: "moved" },
    to: { rental: { ...OPEN, phase: "driving" }, effects: [] },
  },
  {
    why: "parked, ignition off again",
    from: { ...OPEN, phase: "parked" },
    input: { type: "ignition", on: false },
    to: { rental: { ...OPEN, phase: "parked" }, effects: [] },
  },
  {
    why: "parked, driven off",
    from: { ...OPEN, phase: "parked" },
    input: { type: "moved" },
    to: { rental: { ...OPEN, phase: "driving" }, effects: [{ type: "record" }] },
  },
  {
    why: "nobody came",
    from: OPEN,
    input: { type: "tick", idleMs: 5000 },
    to: {
      rental: { value: "none" },
      effects: [
        { type: "record" },
        { type: "ended", booking: "b-1", how: "unstarted", flagged: [] },
      ],
    },
  },
  {
    why: "none is open, and one is ended",
    from: { value: "none" },
    input: { type: "closed", booking: "b-1", how: "ended", flagged: [] },
    to: { rental: { value: "none" }, effects: [] },
  },
];
for (const { why, from, input, to } of RENTALS)
  test(`rental: ${why}`, () => {
    assert.equal(nextRental(from, input, { ...DEFAULT_RENTAL_POLICY, unstartedMs: 5000 }), to);
  });

test("an action that the module cannot do is refused as that", () => {
  assert.equal(
    judgeAction(
      {
        action: "stale_session" as never,
        booking: undefined,
        waitMs: undefined,
        target: undefined,
      },
      PARKED,
      DEFAULT_RENTAL_POLICY,
    ),
    {
      kind: "refused",
      unmet: [{ condition: "not_available", words: "This car's module cannot do that." }],
    },
  );
});

test.run();
