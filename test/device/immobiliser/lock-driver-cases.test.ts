/** The lock driver message by message: what each report and result does to the actuation under way, and what is told. */
import {
  ACTUATION_MS_MAX,
  LOCK_NOISE_FRAMES_MIN,
  LOCK_NOISE_WINDOW_MS,
  LOCK_WAKE_MS_MAX,
  LockDriver,
  type LockSeen,
} from "@kerbside/immobiliser";
import {
  type LineEvents,
  type LockLinkSendable,
  LockLinkSession,
  type LockMessage,
  type LockMessageOf,
  randomBytes,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCKED, UNLOCKED } from "../../support/lock-rig.ts";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

const KEY = randomBytes(32);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const REPORT: LockMessageOf<"statusReport"> = {
  type: "statusReport",
  ...LOCKED,
  selfTest: "passed",
  lastActuationId: 4,
  lastOutcome: "none",
  resetCount: 0,
  midPulse: false,
};

class Bench {
  readonly clock: ManualClock = manualClock();
  readonly seen: LockSeen[] = [];
  readonly received: LockMessage[] = [];
  answers = true;
  carries = true;
  #events: LineEvents | undefined;
  readonly #controller: LockLinkSession = new LockLinkSession({
    role: "controller",
    pairingKey: KEY,
    id: new Uint8Array(8),
    random: { bytes: randomBytes },
    firmware: { major: 1, minor: 0, patch: 0 },
  });
  readonly driver: LockDriver = new LockDriver({
    link: async (events) => {
      this.#events = events;
      return {
        write: (bytes) => {
          if (this.carries) this.#carry(bytes);
          return true;
        },
        close: () => undefined,
      };
    },
    pairingKey: KEY,
    moduleId: new Uint8Array(8).fill(1),
    clock: this.clock,
    random: { bytes: randomBytes, fraction: () => 0 },
    log: silentLog,
    onSeen: (one) => this.seen.push(one),
  });

  #carry(bytes: Uint8Array): void {
    const { messages, bytesOut } = this.#controller.receive(bytes, this.clock.bootMs());
    if (bytesOut.length > 0) queueMicrotask(() => this.#events?.data(bytesOut));
    for (const message of messages) {
      if (message.type === "ack" || message.type === "nak") continue;
      this.received.push(message);
      if (message.type === "statusRequest" && this.answers) this.say(REPORT);
    }
  }

  static async up(): Promise<Bench> {
    const bench = new Bench();
    bench.driver.start();
    await bench.pass(1000);
    return bench;
  }

  say(message: LockLinkSendable): void {
    const sent = this.#controller.send(message, this.clock.bootMs());
    assert.ok(sent.sent);
    queueMicrotask(() => this.#events?.data(sent.bytesOut));
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 250) {
      this.clock.pass(250);
      const out = this.#controller.tick(this.clock.bootMs()).bytesOut;
      if (out.length > 0 && this.carries) this.#events?.data(out);
      await turn();
    }
  }
}

async function now<T>(promise: Promise<T>): Promise<T | "waits"> {
  for (let i = 0; i < 5; i += 1) await turn();
  return Promise.race([promise, Promise.resolve("waits" as const)]);
}

test("a line that comes up is told, asked for a report with a self-test, and its report is told and kept", async () => {
  const bench = await Bench.up();
  assert.equal(bench.received, [{ type: "statusRequest", selfTest: true }]);
  assert.equal(bench.seen, [
    { type: "link", state: "up" },
    { type: "report", report: REPORT },
  ]);
  assert.equal(bench.driver.report(), REPORT);
  bench.driver.stop();
});

test("an actuation has an id above all before it, here and there, and ends with its own result", async () => {
  const bench = await Bench.up();
  const first = bench.driver.actuate("unlock");
  await turn();
  assert.equal(bench.received.at(-1), { type: "actuate", actuationId: 5, action: "unlock" });
  const result = { type: "actuationResult", ...UNLOCKED } as const;
  bench.say({ ...result, actuationId: 4, outcome: "done" });
  assert.is(await now(first), "waits", "another's result");
  bench.say({ ...result, actuationId: 5, outcome: "done" });
  const told = { outcome: "done", sensed: UNLOCKED } as const;
  assert.equal(await now(first), told);
  assert.equal(bench.seen.at(-1), { type: "actuated", action: "unlock", actuated: told });
  const count = bench.seen.length;
  bench.say({ ...result, actuationId: 5, outcome: "jam" });
  await now(first);
  assert.is(bench.seen.length, count, "a result that nobody waits for");
  const second = bench.driver.actuate("lock");
  await turn();
  assert.equal(bench.received.at(-1), { type: "actuate", actuationId: 6, action: "lock" });
  assert.equal(await now(bench.driver.actuate("trunk")), { outcome: "not_sent" });
  bench.driver.stop();
  assert.equal(await now(second), { outcome: "no_answer" });
});

test("the first actuation of all is number 1", async () => {
  const bench = await Bench.up();
  bench.say({ ...REPORT, lastActuationId: 0 });
  await turn();
  const first = bench.driver.actuate("unlock");
  await turn();
  assert.equal(bench.received.at(-1), { type: "actuate", actuationId: 1, action: "unlock" });
  bench.driver.stop();
  await first;
});

test("the bounds are those that are written of them", () => {
  assert.equal(
    [ACTUATION_MS_MAX, LOCK_WAKE_MS_MAX, LOCK_NOISE_WINDOW_MS, LOCK_NOISE_FRAMES_MIN],
    [5000, 3000, 10_000, 5],
  );
});

const STANDS_IN: readonly {
  readonly why: string;
  readonly change: Partial<typeof REPORT>;
  readonly ends: boolean;
}[] = [
  { why: "its own end", change: { lastActuationId: 5, lastOutcome: "jam" }, ends: true },
  {
    why: "still in mid-pulse",
    change: { lastActuationId: 5, lastOutcome: "jam", midPulse: true },
    ends: false,
  },
  { why: "of the one before", change: { lastActuationId: 4, lastOutcome: "jam" }, ends: false },
  { why: "no outcome of it", change: { lastActuationId: 5, lastOutcome: "none" }, ends: false },
];
for (const { why, change, ends } of STANDS_IN)
  test(`a report stands in for a result that was lost only where it tells its end: ${why}`, async () => {
    const bench = await Bench.up();
    const asked = bench.driver.actuate("unlock");
    const report = { ...REPORT, ...UNLOCKED, ...change };
    bench.say(report);
    const answer = await now(asked);
    if (ends) {
      assert.ok(answer !== "waits" && answer.outcome === "jam");
      assert.is(answer.sensed.boltDriver, "unlocked");
    } else assert.is(answer, "waits");
    bench.driver.stop();
  });

test("who has answered is not given up on later", async () => {
  const bench = await Bench.up();
  const first = bench.driver.actuate("unlock");
  bench.say({ type: "actuationResult", actuationId: 5, outcome: "done", ...UNLOCKED });
  assert.ok((await now(first)) !== "waits");
  await bench.pass(ACTUATION_MS_MAX - 1000);
  const second = bench.driver.actuate("lock");
  await bench.pass(2000);
  assert.is(await now(second), "waits", "the first one's time is not the second's");
  bench.driver.stop();
});

test("a line that falls silent is not asked for a report", async () => {
  const bench = await Bench.up();
  const before = bench.received.length;
  bench.answers = false;
  bench.carries = false;
  await bench.pass(3000);
  assert.equal(bench.seen.at(-1), { type: "link", state: "silent" });
  assert.is(bench.driver.report(), undefined);
  assert.equal(bench.received.slice(before), []);
  bench.driver.stop();
});

test("stopped, or at rest, nothing is counted any more; awake again it is", async () => {
  const bench = await Bench.up();
  const counts = (): number => bench.seen.filter(({ type }) => type === "counts").length;
  bench.driver.rest();
  await bench.pass(2 * LOCK_NOISE_WINDOW_MS);
  assert.is(counts(), 0);
  bench.driver.wake();
  await bench.pass(LOCK_NOISE_WINDOW_MS);
  assert.is(counts(), 1);
  bench.driver.stop();
  await bench.pass(2 * LOCK_NOISE_WINDOW_MS);
  assert.is(counts(), 1);
});

test("a driver that never started can be stopped, and one that never slept is awake", async () => {
  const bench = new Bench();
  assert.is(await now(bench.driver.awake()), undefined);
  bench.driver.stop();
  bench.driver.rest();
});

test("who waits for a wake is let go by a report, a stop, the next wake, or time", async () => {
  const rows: readonly (readonly [why: string, end: (bench: Bench) => unknown])[] = [
    ["a stop", (bench) => bench.driver.stop()],
    ["the next wake", (bench) => bench.driver.wake()],
    ["time", (bench) => bench.pass(LOCK_WAKE_MS_MAX)],
  ];
  for (const [why, end] of rows) {
    const bench = await Bench.up();
    bench.driver.rest();
    bench.carries = false;
    bench.driver.wake();
    const awake = bench.driver.awake();
    assert.is(await now(awake), "waits", why);
    await end(bench);
    assert.is(await now(awake), undefined, why);
    bench.driver.stop();
  }
  const bench = await Bench.up();
  bench.driver.wake();
  const awake = bench.driver.awake();
  assert.is(await now(awake), undefined, "the line came up and reported");
  bench.driver.stop();
});

test.run();
