/** Trusted time under every clock that lies: a cloud's answer moves it, nothing else does, and it never goes back. */
import {
  type Address,
  randomBytes,
  signingKey,
  signTime,
  type TimeAnswer,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import {
  type FloorFile,
  hinted,
  judgeCertificate,
  type Known,
  NOTHING_KNOWN,
  readTime,
  signed,
  TrustedTime,
} from "@kerbside/time";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";

const NOW = Date.UTC(2026, 10, 1);
const YEAR = 365 * 86_400_000;
const ADDRESS: Address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const KEY = signingKey(randomBytes(32));
const EPOCH = randomBytes(16);

function memory(): FloorFile & { content: Uint8Array | undefined } {
  const file = {
    content: undefined as Uint8Array | undefined,
    write: async (content: Uint8Array) => {
      file.content = content;
    },
  };
  return file;
}

function desk(clock: ManualClock, file: FloorFile = memory(), bootId = "boot-1"): TrustedTime {
  const timeKey = () => verifyKey(KEY.publicKey);
  return new TrustedTime({ address: ADDRESS, timeKey, file, bootId, clock, log: silentLog });
}

function answer(nonce: Uint8Array, change: Partial<TimeAnswer> = {}, key = KEY): Uint8Array {
  const plain = { ...ADDRESS, epoch: EPOCH, nonce, wallMs: NOW, doubtMs: 100, ...change };
  return signTime(key, plain);
}

/** Asks and is answered. */
function told(
  time: TrustedTime,
  change: Partial<TimeAnswer> = {},
): ReturnType<TrustedTime["take"]> {
  const nonce = randomBytes(16);
  time.announced(nonce, EPOCH);
  return time.take(answer(nonce, change));
}

test("a first boot at 1970 knows nothing until the cloud says so", () => {
  const time = desk(manualClock(0));
  assert.equal(time.read(), { value: "unknown", floorMs: 0 });
  assert.is(told(time).taken, true);
  const reading = time.read();
  assert.ok(reading.value === "known" && Math.abs(reading.wallMs - NOW) <= reading.doubtMs);
});

test("answers that are not the cloud's, not for this car, or not new are not taken", () => {
  const nonce = randomBytes(16);
  const forger = signingKey(randomBytes(32));
  const rows = [
    { why: "another key signed it", message: answer(nonce, {}, forger), reason: "unauthenticated" },
    { why: "it is noise", message: randomBytes(60), reason: "malformed" },
    {
      why: "it is for another car",
      message: answer(nonce, { vehicle: vehicleId("car-2") }),
      reason: "other_car",
    },
    {
      why: "it is of another tenant",
      message: answer(nonce, { tenant: tenantId("other") }),
      reason: "other_car",
    },
    {
      why: "it answers another nonce",
      message: answer(randomBytes(16)),
      reason: "unknown_nonce",
    },
    {
      why: "it answers another epoch",
      message: answer(nonce, { epoch: randomBytes(16) }),
      reason: "other_epoch",
    },
  ];
  for (const { why, message, reason } of rows) {
    const time = desk(manualClock());
    time.announced(nonce, EPOCH);
    assert.equal(time.take(message), { taken: false, reason }, why);
    assert.is(time.read().value, "unknown", why);
  }
});

test("a nonce is good once, one that was replaced is good no more, and a slow answer is none", () => {
  const clock = manualClock();
  const time = desk(clock);
  const [first, second] = [randomBytes(16), randomBytes(16)];
  time.announced(first, EPOCH);
  time.announced(second, EPOCH);
  assert.equal(time.take(answer(first)), { taken: false, reason: "unknown_nonce" });
  assert.is(time.take(answer(second)).taken, true);
  assert.equal(time.take(answer(second, { wallMs: NOW + YEAR })), {
    taken: false,
    reason: "unknown_nonce",
  });
  time.announced(first, EPOCH);
  clock.pass(61_000);
  assert.equal(time.take(answer(first)), { taken: false, reason: "too_late" });
});

test("time does not run back: an authentic answer below the floor is not taken", () => {
  const clock = manualClock();
  const time = desk(clock);
  told(time);
  clock.pass(3_600_000);
  assert.equal(told(time, { wallMs: NOW }), { taken: false, reason: "below_floor" });
  assert.equal(told(time, { wallMs: NOW - 10 * YEAR }), { taken: false, reason: "below_floor" });
  assert.is(told(time, { wallMs: NOW + 10 * YEAR }).taken, true, "the cloud may move it forward");
});

test("the machine's wall clock set back, ahead or by ten years changes nothing", () => {
  const clock = manualClock();
  const time = desk(clock);
  told(time);
  const before = time.read();
  for (const wall of [0, NOW - 10 * YEAR, NOW + 10 * YEAR, Number.MAX_SAFE_INTEGER]) {
    clock.setWall(wall);
    assert.equal(time.read(), before);
  }
});

test("what is known outlives a restart of the agent; after a reboot only the floor does", async () => {
  const clock = manualClock();
  const file = memory();
  told(desk(clock, file));
  await Promise.resolve();
  clock.pass(1000);
  const again = desk(clock, file).read();
  assert.ok(again.value === "known" && Math.abs(again.wallMs - NOW - 1000) <= again.doubtMs);
  // A machine that names all its boots alike: bounds of a moment that lies ahead are none of this one's.
  const ahead = manualClock();
  ahead.pass(5000);
  const other = memory();
  told(desk(ahead, other));
  await Promise.resolve();
  assert.is(desk(manualClock(), other).read().value, "unknown");
  const rebooted = desk(manualClock(), file, "boot-2");
  const reading = rebooted.read();
  assert.is(reading.value, "unknown");
  assert.ok(reading.value === "unknown" && Math.abs(reading.floorMs - NOW) < 1000);
  assert.equal(told(rebooted, { wallMs: NOW - YEAR }), { taken: false, reason: "below_floor" });
});

test("a damaged floor counts as none", () => {
  const file = { ...memory(), content: randomBytes(40) };
  assert.equal(desk(manualClock(), file).read(), { value: "unknown", floorMs: 0 });
});

test("satellites and network clocks narrow the doubt and cannot jump it", () => {
  const clock = manualClock();
  const time = desk(clock);
  assert.is(time.hint("gnss", NOW, 10), false, "before the cloud has spoken they are nothing");
  told(time, { doubtMs: 5000 });
  assert.is(time.hint("gnss", NOW + 3000, 50), true);
  const near = time.read();
  assert.ok(
    near.value === "known" && near.doubtMs < 100 && Math.abs(near.wallMs - NOW - 3000) < 100,
  );
  for (const jump of [60_000, -60_000, 10 * YEAR, -10 * YEAR])
    assert.is(time.hint("ntp", NOW + jump, 50), false, `${jump} ms away`);
  assert.equal(time.read(), near);
});

test("whatever is heard in whatever order: the truth stays within the doubt and the floor rises", () => {
  const seed = randomBytes(4).reduce((sum, byte) => sum * 256 + byte, 0);
  process.stdout.write(`seed ${seed}\n`);
  const random = seeded(seed);
  for (let round = 0; round < 300; round += 1) {
    let known: Known = NOTHING_KNOWN;
    let bootMs = 0;
    // A boot clock that runs within its bound, and a cloud whose clock is within its doubt.
    const rate = 1 + (random() * 2 - 1) * 0.0004;
    const truth = (): number => NOW + bootMs * rate;
    for (let step = 0; step < 20; step += 1) {
      const askedMs = bootMs;
      const saidAt = truth();
      bootMs += random() * 3000;
      const doubtMs = random() * 2000;
      const wallMs = saidAt + (random() * 2 - 1) * doubtMs * 0.99;
      const before = known.floorMs;
      const isHint = random() < 0.3;
      const liar = truth() + (random() * 2 - 1) * 20 * YEAR;
      const next = isHint
        ? hinted(known, { bootMs, wallMs: liar, doubtMs: 10 })
        : signed(known, { askedMs, heardMs: bootMs, wallMs, doubtMs });
      if (next.taken) known = next.known;
      assert.ok(known.floorMs >= before, "the floor never falls");
      bootMs += random() * 86_400_000;
      const reading = readTime(known, bootMs);
      if (reading.value === "known")
        assert.ok(Math.abs(reading.wallMs - truth()) <= reading.doubtMs + 1, `round ${round}`);
    }
  }
});

test("whoever listens is told of each answer, and of the first hint alone", () => {
  const heard: [string, string][] = [];
  const clock = manualClock();
  const time = new TrustedTime({
    ...{ address: ADDRESS, file: memory(), bootId: "boot-1", clock, log: silentLog },
    timeKey: () => verifyKey(KEY.publicKey),
    onChange: (reading, source) => heard.push([source, reading.value]),
  });
  assert.is(time.hint("ntp", NOW, 10), false);
  told(time, { doubtMs: 5000 });
  time.hint("gnss", NOW, 10);
  time.hint("gnss", NOW, 10);
  told(time);
  assert.equal(heard, [
    ["cloud", "known"],
    ["gnss", "known"],
    ["cloud", "known"],
  ]);
});

test("without a key of the tenant no answer is taken", () => {
  const time = new TrustedTime({
    ...{ address: ADDRESS, file: memory(), bootId: "boot-1", log: silentLog },
    clock: manualClock(),
    timeKey: () => undefined,
  });
  assert.equal(told(time), { taken: false, reason: "no_key" });
});

test("the floor is written at the first answer, then once it has moved by a minute; a failure is logged", async () => {
  const clock = manualClock();
  const logged: string[] = [];
  let writes = 0;
  let fails = false;
  const time = new TrustedTime({
    ...{ address: ADDRESS, bootId: "boot-1", clock, timeKey: () => verifyKey(KEY.publicKey) },
    file: {
      content: undefined,
      write: async () => {
        writes += 1;
        if (fails) throw new Error("EIO");
      },
    },
    log: { ...silentLog, error: (event) => logged.push(event) },
  });
  told(time);
  assert.is(writes, 1);
  for (const [atMs, count] of [
    [30_000, 1],
    [61_000, 2],
    [90_000, 2],
  ] as const) {
    clock.pass(atMs - clock.bootMs());
    told(time, { wallMs: NOW + atMs });
    assert.is(writes, count, `${atMs} ms`);
  }
  fails = true;
  clock.pass(120_000);
  told(time, { wallMs: NOW + clock.bootMs() });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(logged, ["time.floor_not_kept"]);
});

test("an answer keeps what satellites said where both agree, and drops it where they do not", () => {
  const wide = signed(NOTHING_KNOWN, { askedMs: 0, heardMs: 0, wallMs: NOW, doubtMs: 5000 });
  assert.ok(wide.taken);
  const near = hinted(wide.known, { bootMs: 0, wallMs: NOW + 3000, doubtMs: 10 });
  assert.ok(near.taken);
  const agreed = signed(near.known, { askedMs: 0, heardMs: 0, wallMs: NOW + 3000, doubtMs: 500 });
  assert.ok(agreed.taken);
  assert.equal(agreed.known.narrow, { bootMs: 0, fromMs: NOW + 2990, toMs: NOW + 3010 });
  const apart = signed(near.known, { askedMs: 0, heardMs: 0, wallMs: NOW - 3000, doubtMs: 500 });
  assert.ok(apart.taken);
  assert.is(apart.known.narrow, undefined);
  // Bounds that have come apart since, as clocks drift: the signed ones count.
  const torn = { ...agreed.known, narrow: { bootMs: 0, fromMs: NOW + 9000, toMs: NOW + 9001 } };
  const reading = readTime(torn, 0);
  assert.ok(reading.value === "known" && Math.abs(reading.wallMs - NOW - 3000) <= 500);
});

test("a bug of ours is taken neither for a bad answer nor for a damaged floor", () => {
  const bug = new TypeError("a bug");
  const broken = {
    get: () => {
      throw bug;
    },
  };
  const isBug = (error: unknown): boolean => error === bug;
  const content = Object.defineProperty(new Uint8Array(9), "length", broken);
  assert.throws(() => desk(manualClock(), { ...memory(), content }), isBug);
  const key = Object.defineProperty({ ...verifyKey(KEY.publicKey) }, "handle", broken);
  const time = new TrustedTime({
    ...{ address: ADDRESS, file: memory(), bootId: "boot-1", log: silentLog },
    clock: manualClock(),
    timeKey: () => key,
  });
  assert.throws(() => told(time), isBug);
});

test("certificates are refused only where they are certainly out of their life", () => {
  const life = { notBeforeMs: NOW, notAfterMs: NOW + YEAR };
  const known = (wallMs: number) => ({ value: "known", wallMs, doubtMs: 1000 }) as const;
  const rows = [
    { why: "within it", time: known(NOW + 5000), verdict: "valid" },
    { why: "before it, beyond doubt", time: known(NOW - 5000), verdict: "not_yet" },
    { why: "before it, within the doubt", time: known(NOW - 500), verdict: "valid" },
    { why: "after it", time: known(NOW + YEAR + 5000), verdict: "expired" },
    { why: "a first boot", time: { value: "unknown", floorMs: 0 }, verdict: "valid" },
    {
      why: "over before the floor",
      time: { value: "unknown", floorMs: NOW + 2 * YEAR },
      verdict: "expired",
    },
  ] as const;
  for (const { why, time, verdict } of rows) assert.is(judgeCertificate(life, time), verdict, why);
});

test.run();
