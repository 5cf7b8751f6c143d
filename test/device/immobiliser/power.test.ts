/** 12 V care: which state when, what wakes, and that a woken car opens within 20 s, all in simulated time. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  nextPower,
  POWER_LIMITS,
  POWER_TABLE,
  type Power,
  type PowerEffect,
  type PowerInput,
  type PowerState,
  startPower,
  type WakeSource,
} from "@kerbside/immobiliser";
import { POWER_STATES } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, InstantLock, lockRig } from "../../support/lock-rig.ts";
import { manualClock } from "../../support/runtime.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ignition = (on: boolean): PowerInput => ({ type: "ignition", on });
const volts = (value: number | undefined): PowerInput => ({ type: "voltage", volts: value });
const rental = (open: boolean): PowerInput => ({ type: "rental", open });
const booking = (nextMs: number | undefined): PowerInput => ({ type: "booking", nextMs });
const wake = (source: WakeSource): PowerInput => ({ type: "wake", source });
const tick: PowerInput = { type: "tick" };
const unseen: PowerInput = { type: "ignition_unseen" };

type At = readonly [atMs: number, input: PowerInput];
function run(inputs: readonly At[]): { power: Power; effects: readonly PowerEffect[] } {
  let power = startPower(0, POWER_LIMITS);
  const effects: PowerEffect[] = [];
  for (const [atMs, input] of inputs) {
    const step = nextPower(power, input, atMs, POWER_LIMITS);
    power = step.power;
    effects.push(...step.effects);
  }
  return { power, effects };
}

test("what each state keeps awake is the table that was agreed on", () => {
  const table = POWER_STATES.map((state) => {
    const row = POWER_TABLE[state];
    const awake = [row.modem, row.keepAliveS, row.gnss, row.can, row.reader, row.lockLink];
    return [state, ...awake, row.processor, row.wakes.join("+")].join(" ");
  });
  assert.equal(table.toSorted(), [
    "deep_sleep paging 0 off wake_on_frame wake_on_card off suspended door+card+booking+modem+ignition",
    "driving connected 60 on listening on on on ",
    "parked connected 300 off wake_on_frame on on on ",
    "rental_soon connected 60 off listening on on on ",
  ]);
});

test("a car whose bus fell silent with the ignition on is parked after a minute, and sleeps when nobody comes", () => {
  const silent: readonly At[] = [
    [0, ignition(true)],
    [3 * HOUR, unseen],
  ];
  const at = (...more: readonly At[]): PowerState => run([...silent, ...more]).power.state;
  const minute = 3 * HOUR + MINUTE;
  assert.is(at([minute - 1, tick]), "driving", "a plug that shakes on the way");
  assert.is(at([minute, tick]), "parked", "however long the drive before was");
  assert.is(at([minute, tick], [minute, ignition(true)]), "driving", "it is seen again");
  assert.is(at([minute - 1, ignition(true)], [4 * HOUR, tick]), "driving");
  assert.is(at([minute, tick], [5 * HOUR - 1, tick]), "parked");
  assert.is(at([minute, tick], [5 * HOUR, tick]), "deep_sleep");
  assert.is(at([minute, volts(11)]), "deep_sleep", "nothing is left to start it with");
  assert.is(at([0, rental(true)], [9 * HOUR, tick]), "parked", "a rental is open");
  const off = run([
    [0, tick],
    [HOUR, unseen],
    [2 * HOUR, tick],
  ]);
  assert.is(
    off.power.state,
    "deep_sleep",
    "that an ignition that is off is seen no more is no activity",
  );
});

const ROWS: readonly { why: string; seen: readonly At[]; ends: PowerState }[] = [
  { why: "started", seen: [[0, tick]], ends: "parked" },
  { why: "ignition on", seen: [[0, ignition(true)]], ends: "driving" },
  {
    why: "driving with a weak battery",
    seen: [
      [0, ignition(true)],
      [HOUR, volts(10)],
    ],
    ends: "driving",
  },
  {
    why: "parked after a drive",
    seen: [
      [0, ignition(true)],
      [HOUR, ignition(false)],
    ],
    ends: "parked",
  },
  { why: "nobody needs it for 2 h", seen: [[2 * HOUR, tick]], ends: "deep_sleep" },
  { why: "a moment less", seen: [[2 * HOUR - 1, tick]], ends: "parked" },
  {
    why: "an activity counts the 2 h anew",
    seen: [
      [HOUR, { type: "activity" }],
      [2 * HOUR, tick],
    ],
    ends: "parked",
  },
  {
    why: "a rental keeps it reachable",
    seen: [
      [0, rental(true)],
      [9 * HOUR, tick],
    ],
    ends: "parked",
  },
  {
    why: "after the rental it sleeps",
    seen: [
      [0, rental(true)],
      [HOUR, rental(false)],
      [3 * HOUR, tick],
    ],
    ends: "deep_sleep",
  },
  {
    why: "a rental with a low battery sleeps too",
    seen: [
      [0, rental(true)],
      [HOUR, volts(11.9)],
    ],
    ends: "deep_sleep",
  },
  { why: "low, but only just started", seen: [[1000, volts(11.9)]], ends: "parked" },
  { why: "voltage not known", seen: [[HOUR, volts(undefined)]], ends: "parked" },
  { why: "just not low", seen: [[HOUR, volts(12)]], ends: "parked" },
  { why: "a booking in 30 min", seen: [[HOUR, booking(HOUR + 30 * MINUTE)]], ends: "rental_soon" },
  {
    why: "a booking in a little more",
    seen: [[HOUR, booking(HOUR + 30 * MINUTE + 1)]],
    ends: "parked",
  },
  {
    why: "a booking soon keeps a low battery awake",
    seen: [
      [HOUR, volts(11.7)],
      [HOUR, booking(HOUR)],
    ],
    ends: "rental_soon",
  },
  {
    why: "critical sleeps whatever is booked",
    seen: [
      [HOUR, booking(HOUR)],
      [HOUR, volts(11.5)],
    ],
    ends: "deep_sleep",
  },
  {
    why: "no booking any more",
    seen: [
      [HOUR, booking(HOUR)],
      [HOUR, booking(undefined)],
    ],
    ends: "parked",
  },
  {
    why: "woken with a critical battery it opens first",
    seen: [
      [HOUR, volts(11)],
      [HOUR, wake("card")],
    ],
    ends: "parked",
  },
  {
    why: "and sleeps after",
    seen: [
      [HOUR, volts(11)],
      [HOUR, wake("card")],
      [HOUR + 5 * MINUTE, tick],
    ],
    ends: "deep_sleep",
  },
];
for (const { why, seen, ends } of ROWS) {
  test(`${why}: ${ends}`, () => assert.is(run(seen).power.state, ends));
}

test("each state is entered once and told with its row and reason", () => {
  const { effects } = run([
    [0, ignition(true)],
    [1, tick],
    [2, ignition(false)],
    [3 * HOUR, tick],
    [4 * HOUR, wake("modem")],
  ]);
  assert.equal(
    effects.map((effect) => effect.type === "enter" && [effect.from, effect.state, effect.reason]),
    [
      ["parked", "driving", "ignition"],
      ["driving", "parked", "woken"],
      ["parked", "deep_sleep", "idle"],
      ["deep_sleep", "parked", "wake_modem"],
    ],
  );
  for (const effect of effects)
    if (effect.type === "enter") assert.is(effect.row, POWER_TABLE[effect.state]);
});

test("before it sleeps the next booking's wake is set, early enough to be reachable", () => {
  const { effects } = run([
    [0, booking(8 * HOUR)],
    [2 * HOUR, tick],
  ]);
  assert.equal(effects[0], { type: "wake_at", bootMs: 8 * HOUR - POWER_LIMITS.rentalSoonMs });
});

test("every wake source brings it out of deep sleep", () => {
  for (const source of POWER_TABLE.deep_sleep.wakes) {
    const { power } = run([
      [3 * HOUR, tick],
      [4 * HOUR, wake(source)],
    ]);
    assert.is(power.state, "parked", source);
    assert.is(POWER_TABLE[power.state].modem, "connected");
  }
  assert.equal([...POWER_TABLE.deep_sleep.wakes].sort(), [
    "booking",
    "card",
    "door",
    "ignition",
    "modem",
  ]);
});

test("a sleeping car keeps awake no more than an awake one, in any column", () => {
  assert.equal(Object.keys(POWER_TABLE).sort(), [...POWER_STATES].sort());
  const { deep_sleep: sleep, driving } = POWER_TABLE;
  for (const key of ["modem", "gnss", "can", "reader", "lockLink", "processor"] as const)
    assert.is.not(sleep[key], driving[key]);
});

/** What a module needs from a wake line to being connected: bounds of its parts, milliseconds. */
const WAKE = { resumeMs: 800, registeredMs: 6000, connectedMs: 3000, commandMs: 500 };

test("unlock within 20 s of the modem's wake line, through the real executor in simulated time", async () => {
  const clock = manualClock();
  const lock = new InstantLock();
  lock.reachable = false;
  const rig = await lockRig(await mkdtemp(join(tmpdir(), "kerbside-power-")), lock, clock);
  let power = startPower(0, POWER_LIMITS);
  let connectedMs = Number.POSITIVE_INFINITY;
  const take = (input: PowerInput): void => {
    const step = nextPower(power, input, clock.bootMs(), POWER_LIMITS);
    power = step.power;
    for (const effect of step.effects) {
      if (effect.type !== "enter") continue;
      lock.reachable = effect.row.lockLink === "on" && effect.row.processor === "on";
      if (effect.row.modem !== "connected") connectedMs = Number.POSITIVE_INFINITY;
      else
        clock.after(WAKE.resumeMs + WAKE.registeredMs + WAKE.connectedMs, () => {
          connectedMs = clock.bootMs();
        });
    }
  };
  clock.pass(3 * HOUR);
  take(tick);
  assert.is(power.state, "deep_sleep");
  assert.is((await rig.ask(commandOf("unlock"))).verdict.status, "refused");
  clock.pass(5 * HOUR);
  const wokenMs = clock.bootMs();
  take(wake("modem"));
  while (clock.bootMs() < connectedMs) clock.pass(100);
  clock.pass(WAKE.commandMs);
  const { verdict } = await rig.ask(commandOf("unlock"));
  assert.is(verdict.status, "executed");
  assert.ok(clock.bootMs() - wokenMs <= 20_000, `${clock.bootMs() - wokenMs} ms`);
  // It stays awake for what follows, and then sleeps again.
  clock.pass(4 * MINUTE);
  take(tick);
  assert.is(power.state, "parked");
  clock.pass(3 * HOUR);
  take(tick);
  assert.is(power.state, "deep_sleep");
  assert.equal(lock.pulses, ["unlock"], "sleeping and waking move nothing");
  await rig.stop();
});

test.run();
