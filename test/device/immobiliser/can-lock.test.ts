/** Locking by CAN: nothing but the frames of the allow-list, in turn and in time, and no success that is not seen. */
import {
  CanLockDriver,
  CanLockGate,
  type CanLocking,
  type CanLockSend,
  canLockFrame,
  crc8J1850,
  verdictOf,
} from "@kerbside/immobiliser";
import { LOCK_ACTIONS, type LockSensed } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCKED, UNLOCKED } from "../../support/lock-rig.ts";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

const LOCKING: CanLocking = {
  sensedWithinMs: 1500,
  actions: {
    lock: {
      id: 0x2a0,
      ext: false,
      data: Uint8Array.of(0x01, 0, 0, 0x55),
      counter: { byte: 1, shift: 4, bits: 4 },
      checksum: { byte: 2, kind: "crc8_j1850" },
      periodMs: 50,
      repeats: 4,
    },
    unlock: {
      id: 0x18ff_2a00,
      ext: true,
      data: Uint8Array.of(0x02, 0),
      checksum: { byte: 1, kind: "xor8" },
      periodMs: 50,
      repeats: 2,
    },
  },
};

test("CRC-8 of SAE J1850: its check value", () => {
  assert.is(crc8J1850(Buffer.from("123456789")), 0x4b);
});

test("counter and checksum go where the row says, and the count wraps", () => {
  const row = LOCKING.actions.lock;
  assert.ok(row !== undefined);
  for (const count of [0, 1, 15, 16, 17]) {
    const { data } = canLockFrame(row, count);
    assert.is((data[1] ?? 0) >> 4, count % 16);
    assert.equal([data[0], (data[1] ?? 0) & 15, data[3]], [0x01, 0, 0x55], "the rest is the row's");
    assert.is(data[2], crc8J1850([data[0] ?? 0, data[1] ?? 0, data[3] ?? 0]));
  }
  const unlock = LOCKING.actions.unlock;
  assert.ok(unlock !== undefined);
  assert.equal(canLockFrame(unlock, 3).data, Uint8Array.of(2, 2));
  const { checksum: _none, ...bare } = unlock;
  assert.equal(canLockFrame(bare, 3).data, Uint8Array.of(2, 0), "a row without a checksum");
  const low = { ...unlock, counter: { byte: 0, shift: 1, bits: 3 } };
  assert.equal(
    [0, 1, 7, 8, 9].map((count) => canLockFrame(low, count).data[0]),
    [2, 2, 14, 2, 2],
    "what the row has there stays",
  );
});

test("the gate: closed, not listed, too soon, spent, and every flipped bit", () => {
  const gate = new CanLockGate(LOCKING);
  const row = LOCKING.actions.lock;
  assert.ok(row !== undefined);
  const first = canLockFrame(row, 0);
  assert.equal(gate.pass(first, 0), { allowed: false, reason: "closed" });
  assert.is(gate.open("trunk"), undefined);
  assert.equal(gate.pass(first, 0), { allowed: false, reason: "closed" });
  assert.ok(gate.open("lock") !== undefined);
  for (let bit = 0; bit < first.data.length * 8; bit += 1) {
    const data = Uint8Array.from(first.data);
    data[bit >> 3] = (data[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(gate.pass({ ...first, data }, 0), { allowed: false, reason: "not_listed" });
  }
  const others: readonly CanLockSend[] = [
    { ...first, id: 0x2a1 },
    { ...first, ext: true },
    { ...first, data: first.data.subarray(1) },
    { ...first, data: first.data.subarray(0, 3) },
    { ...first, data: Uint8Array.of(...first.data, 0) },
    canLockFrame(row, 1),
  ];
  for (const other of others) assert.is(gate.pass(other, 0).allowed, false);
  assert.is(gate.pass(first, 0).allowed, true);
  assert.equal(gate.pass(first, 50), { allowed: false, reason: "not_listed" }, "counts rise");
  assert.equal(gate.pass(canLockFrame(row, 1), 49), { allowed: false, reason: "too_soon" });
  for (const [count, atMs] of [
    [1, 50],
    [2, 100],
    [3, 150],
  ] as const)
    assert.is(gate.pass(canLockFrame(row, count), atMs).allowed, true);
  assert.equal(gate.pass(canLockFrame(row, 4), 200), { allowed: false, reason: "spent" });
  gate.close();
  assert.is(gate.next(), undefined);
  gate.open("lock");
  assert.is(
    gate.pass(canLockFrame(row, 4), 1000).allowed,
    true,
    "counts go on for the next command",
  );
});

type Bench = {
  readonly driver: CanLockDriver;
  readonly clock: ManualClock;
  readonly sent: { readonly atMs: number; readonly frame: CanLockSend }[];
  sensed: LockSensed;
  /** When the car last said how its bolts are. */
  heardMs: number;
  taken: boolean;
  readonly logged: string[];
};
function bench(): Bench {
  const clock = manualClock();
  const sent: Bench["sent"] = [];
  const b: Bench = {
    clock,
    sent,
    sensed: UNLOCKED,
    heardMs: Number.POSITIVE_INFINITY,
    taken: true,
    logged: [],
    driver: new CanLockDriver({
      locking: LOCKING,
      send: (frame) => {
        if (b.taken) sent.push({ atMs: clock.bootMs(), frame });
        return b.taken;
      },
      sensed: (sinceMs = Number.NEGATIVE_INFINITY) =>
        b.heardMs > sinceMs ? b.sensed : { ...b.sensed, ...UNHEARD },
      clock,
      log: { ...silentLog, warn: (event) => b.logged.push(event) },
    }),
  };
  return b;
}

const UNHEARD = {
  boltDriver: "unknown",
  boltPassengers: "unknown",
  boltTrunk: "unknown",
} as const;

/** Lets simulated time pass with room for promises between the steps. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  const stepMs = Math.min(10, ms);
  for (let at = 0; at < ms; at += stepMs) {
    clock.pass(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a lock: the row's frames in their period, then what the car shows", async () => {
  const b = bench();
  const done = b.driver.actuate("lock");
  await pass(b.clock, 300);
  assert.equal(
    b.sent.map(({ atMs }) => atMs),
    [0, 50, 100, 150],
  );
  assert.equal(
    b.sent.map(({ frame }) => (frame.data[1] ?? 0) >> 4),
    [0, 1, 2, 3],
  );
  assert.is((await b.driver.actuate("unlock")).outcome, "not_sent", "one at a time");
  b.sensed = LOCKED;
  await pass(b.clock, 40);
  const actuated = await done;
  assert.is(actuated.outcome, "done");
  assert.is(verdictOf("lock", actuated).status, "executed");
  assert.is(b.sent.length, 4);
  assert.equal(b.driver.report(), LOCKED);
  assert.equal(b.logged, [], "nothing was tried that the gate refuses");
});

test("a car that shows nothing new was not locked", async () => {
  const b = bench();
  let ended = false;
  const done = b.driver.actuate("lock").then((actuated) => {
    ended = true;
    return actuated;
  });
  await pass(b.clock, 150 + 1490);
  assert.is(ended, false, "looked at until the end of its time");
  await pass(b.clock, 10);
  assert.is(ended, true);
  const actuated = await done;
  assert.is(actuated.outcome, "no_travel");
  assert.is(verdictOf("lock", actuated).status, "refused");
});

test("what the car said before the frames is no sign of having locked: a later word of it is", async () => {
  const b = bench();
  await pass(b.clock, 100);
  b.sensed = LOCKED;
  b.heardMs = 100;
  let ended = false;
  const silent = b.driver.actuate("lock").then((actuated) => {
    ended = true;
    return actuated;
  });
  await pass(b.clock, 1000);
  assert.is(ended, false);
  await pass(b.clock, 1000);
  assert.is(verdictOf("lock", await silent).status, "unknown");
  assert.equal(b.driver.report(), LOCKED, "at rest the last word counts");
  const heard = b.driver.actuate("lock");
  await pass(b.clock, 100);
  b.heardMs = b.clock.bootMs();
  await pass(b.clock, 200);
  assert.is(verdictOf("lock", await heard).status, "executed");
});

test("a car whose signals say nothing leaves unknown", async () => {
  const b = bench();
  b.sensed = { ...LOCKED, boltDriver: "unknown" };
  const done = b.driver.actuate("lock");
  await pass(b.clock, 2000);
  assert.is(verdictOf("lock", await done).status, "unknown");
});

test("a bus that takes nothing: not sent, and nothing comes later", async () => {
  const b = bench();
  b.taken = false;
  assert.is((await b.driver.actuate("lock")).outcome, "not_sent");
  b.taken = true;
  await pass(b.clock, 3000);
  assert.equal(b.sent, []);
});

test("a bus that goes away in mid-burst: the rest is never sent, what is seen decides", async () => {
  const b = bench();
  const done = b.driver.actuate("lock");
  await pass(b.clock, 60);
  b.taken = false;
  await pass(b.clock, 60);
  b.taken = true;
  await pass(b.clock, 2000);
  assert.is((await done).outcome, "no_travel");
  assert.is(b.sent.length, 2);
});

test("stopped in mid-burst it sends nothing more", async () => {
  const b = bench();
  const done = b.driver.actuate("lock");
  await pass(b.clock, 60);
  b.driver.stop();
  await pass(b.clock, 50);
  assert.is((await done).outcome, "no_answer");
  assert.equal(b.logged, []);
  await pass(b.clock, 2000);
  assert.is(b.sent.length, 2);
  assert.is((await b.driver.actuate("lock")).outcome, "not_sent");
});

test("one after the other: the second is sent when the first has ended", async () => {
  const b = bench();
  b.sensed = LOCKED;
  const first = b.driver.actuate("lock");
  await pass(b.clock, 300);
  assert.is((await first).outcome, "done");
  b.sensed = UNLOCKED;
  const second = b.driver.actuate("unlock");
  await pass(b.clock, 300);
  assert.is((await second).outcome, "done");
  assert.is(b.sent.length, 6);
});

test("actions without a row are not sent", async () => {
  const b = bench();
  for (const action of LOCK_ACTIONS) {
    if (LOCKING.actions[action] !== undefined) continue;
    assert.is((await b.driver.actuate(action)).outcome, "not_sent");
  }
  assert.equal(b.sent, []);
});

test("a row whose counter or checksum lies outside its bytes is no rule", () => {
  const row = { id: 1, ext: false, data: Uint8Array.of(1), periodMs: 50, repeats: 1 };
  for (const bad of [
    { ...row, counter: { byte: 1, shift: 0, bits: 4 } },
    { ...row, counter: { byte: 0, shift: 5, bits: 4 } },
    { ...row, checksum: { byte: 1, kind: "xor8" as const } },
    { ...row, checksum: { byte: 8, kind: "xor8" as const } },
  ]) {
    assert.throws(() => new CanLockGate({ sensedWithinMs: 1, actions: { lock: bad } }), /outside/);
  }
  const counter = { byte: 0, shift: 4, bits: 4 };
  for (const good of [
    row,
    { ...row, counter },
    { ...row, checksum: { byte: 0, kind: "xor8" } as const },
  ])
    new CanLockGate({ sensedWithinMs: 1, actions: { lock: good } });
});

test("a timer that is early by the clock does not cost the frames that are left", async () => {
  const clock = manualClock();
  const sent: number[] = [];
  // As /proc/uptime: hundredths of a second, cut off.
  const bootMs = (): number => Math.floor(clock.bootMs() / 10) * 10;
  const driver = new CanLockDriver({
    locking: LOCKING,
    send: () => sent.push(bootMs()) > 0,
    sensed: () => (sent.length < 4 ? UNLOCKED : LOCKED),
    clock: { ...clock, bootMs, after: (ms, run) => clock.after(ms - 3, run) },
    log: silentLog,
  });
  clock.pass(9);
  const done = driver.actuate("lock");
  for (let at = 0; at < 400; at += 1) await pass(clock, 1);
  assert.is((await done).outcome, "done");
  assert.is(sent.length, 4);
  for (const [i, atMs] of sent.entries()) {
    assert.ok(i === 0 || atMs - (sent[i - 1] ?? 0) >= 50, "never sooner than the period");
  }
});

test("a clock that stands still lets no second frame out: the gate has the last word", async () => {
  const sent: CanLockSend[] = [];
  const logged: string[] = [];
  let pauses = 0;
  const driver = new CanLockDriver({
    locking: LOCKING,
    send: (frame) => sent.push(frame) > 0,
    sensed: () => LOCKED,
    clock: {
      bootMs: () => 7,
      wallMs: () => 0,
      after: (_ms, run) => {
        pauses += 1;
        setImmediate(run);
        return { cancel: () => undefined };
      },
    },
    log: {
      ...silentLog,
      warn: (event, fields) => logged.push(`${event} ${JSON.stringify(fields)}`),
    },
  });
  await driver.actuate("lock");
  assert.is(sent.length, 1);
  assert.is(pauses, 4, "waited for so often, and then given up");
  assert.equal(logged, ['lock.frame_refused {"reason":"too_soon"}'], "and is not asked again");
});

test.run();
