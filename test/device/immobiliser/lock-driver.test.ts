/** The lock driver's own time: opening again and again, the watchdog, versions, noise windows, ends; simulated clock. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  LOCK_NOISE_WINDOW_MS,
  LOCK_WAKE_MS_MAX,
  LockDriver,
  type LockSeen,
  serialLink,
} from "@kerbside/immobiliser";
import {
  decodeLockPayload,
  encodeGreeting,
  LINE_REOPEN_MS_MAX,
  LINE_WATCHDOG_MS,
  type LineEvents,
  type Line as LineOpener,
  LockLinkDecoder,
  LockLinkSession,
  type LogFields,
  lockGreetingKey,
  randomBytes,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { LOCKED } from "../../support/lock-rig.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";

const KEY = randomBytes(32);

/** A line in memory with a controller's session at its other end; it can refuse, take no bytes, and be cut. */
class Line {
  readonly clock: ManualClock = manualClock();
  readonly seen: LockSeen[] = [];
  readonly warned: string[] = [];
  readonly written: Uint8Array[] = [];
  refuses = false;
  /** Lets the driver's bytes through to the controller. */
  carries = true;
  takes = true;
  tried = 0;
  opened = 0;
  closed = 0;
  events: LineEvents | undefined;
  waiting: (() => void) | undefined;
  opensLater = false;
  readonly session: LockLinkSession = new LockLinkSession({
    role: "controller",
    pairingKey: KEY,
    id: new Uint8Array(8),
    random: { bytes: randomBytes },
    firmware: { major: 1, minor: 2, patch: 3 },
  });
  readonly driver: LockDriver = new LockDriver({
    link: (events) => this.#open(events),
    pairingKey: KEY,
    moduleId: new Uint8Array(8).fill(1),
    clock: this.clock,
    random: { bytes: randomBytes, fraction: () => 0 },
    log: {
      info: () => undefined,
      warn: (event: string, _fields?: LogFields) => this.warned.push(event),
      error: () => assert.unreachable("no bug"),
    },
    onSeen: (one) => this.seen.push(one),
  });

  readonly #open: LineOpener = async (events) => {
    this.tried += 1;
    if (this.refuses) throw new Error("lock link: no such port");
    if (this.opensLater) await new Promise<void>((resolve) => (this.waiting = resolve));
    this.opened += 1;
    this.events = events;
    return {
      write: (bytes) => {
        if (!this.takes) return false;
        this.written.push(Uint8Array.from(bytes));
        if (this.carries) this.#carry(bytes);
        return true;
      },
      close: () => {
        this.closed += 1;
        events.closed("closed");
      },
    };
  };

  #carry(bytes: Uint8Array): void {
    const now = this.clock.bootMs();
    const { messages, bytesOut } = this.session.receive(bytes, now);
    if (bytesOut.length > 0) queueMicrotask(() => this.events?.data(bytesOut));
    if (messages.some(({ type }) => type === "statusRequest")) this.report(0);
  }

  report(lastActuationId: number): void {
    const sent = this.session.send(
      {
        type: "statusReport",
        ...LOCKED,
        selfTest: "passed",
        lastActuationId,
        lastOutcome: "none",
        resetCount: 0,
        midPulse: false,
      },
      this.clock.bootMs(),
    );
    if (sent.sent) queueMicrotask(() => this.events?.data(sent.bytesOut));
  }

  /** Lets time pass with room for what is awaited. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 250) {
      this.clock.pass(250);
      const out = this.session.tick(this.clock.bootMs()).bytesOut;
      if (out.length > 0 && this.carries) this.events?.data(out);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  links(): readonly string[] {
    return this.seen.flatMap((one) => (one.type === "link" ? [one.state] : []));
  }
}

test("a port that cannot be opened is tried again, ever more seldom, until it can", async () => {
  const line = new Line();
  line.refuses = true;
  line.driver.start();
  await line.pass(20_000);
  assert.ok(line.tried >= 10 && line.tried <= 14, `${line.tried} tries`);
  assert.is(line.warned.filter((event) => event === "lock.open_failed").length, 4, "then no more");
  assert.is((await line.driver.actuate("unlock")).outcome, "not_sent");
  line.refuses = false;
  await line.pass(LINE_REOPEN_MS_MAX + 500);
  assert.ok(line.driver.report() !== undefined);
  line.driver.stop();
  assert.is(line.closed, 1);
});

test("an open line without a session is closed and opened anew by the watchdog", async () => {
  const line = new Line();
  line.carries = false;
  line.driver.start();
  await line.pass(LINE_WATCHDOG_MS - 1000);
  assert.is(line.opened, 1);
  await line.pass(3000);
  assert.is(line.closed, 1);
  assert.ok(line.opened >= 2);
  line.carries = true;
  await line.pass(6000);
  assert.ok(line.driver.report() !== undefined);
  line.driver.stop();
});

test("a session that falls silent is told, and greeted anew", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(1000);
  line.carries = false;
  await line.pass(3000);
  assert.is(line.driver.report(), undefined);
  line.carries = true;
  await line.pass(6000);
  assert.equal(line.links(), ["up", "silent", "up"]);
  line.driver.stop();
});

test("the line's counts are told once a window", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(3 * LOCK_NOISE_WINDOW_MS);
  assert.is(line.seen.filter(({ type }) => type === "counts").length, 3);
  line.driver.stop();
});

test("a line that takes no bytes: not sent, and not kept", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(1000);
  line.takes = false;
  assert.is((await line.driver.actuate("unlock")).outcome, "not_sent");
  line.takes = true;
  await line.pass(1000);
  assert.is(line.seen.filter(({ type }) => type === "actuated").length, 0);
  line.driver.stop();
});

test("an actuation that is never answered is given up on; others' ids do not answer it", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(1000);
  const asked = line.driver.actuate("unlock");
  line.report(7);
  await line.pass(4000);
  assert.is(line.seen.filter(({ type }) => type === "actuated").length, 0);
  await line.pass(1500);
  assert.is((await asked).outcome, "no_answer");
  line.driver.stop();
});

test("stopped while the port is opening: it is closed as soon as it is open, and nothing is tried after", async () => {
  const line = new Line();
  line.opensLater = true;
  line.driver.start();
  line.driver.stop();
  line.waiting?.();
  await line.pass(20_000);
  assert.is(line.opened, 1);
  assert.is(line.closed, 1);
  assert.equal(line.warned, []);
});

test("a controller of another version is told as such, and is no controller", async () => {
  const line = new Line();
  line.carries = false;
  line.driver.start();
  await new Promise((resolve) => setImmediate(resolve));
  const hello = line.written[0];
  assert.ok(hello !== undefined);
  const [frame] = new LockLinkDecoder().push(hello);
  assert.ok(frame !== undefined);
  const asked = decodeLockPayload(frame.type, frame.payload);
  assert.ok(asked.type === "hello");
  const welcome = encodeGreeting(lockGreetingKey(KEY), {
    type: "welcome",
    version: 0,
    controllerId: new Uint8Array(8),
    moduleNonce: asked.moduleNonce,
    controllerNonce: randomBytes(16),
    firmwareMajor: 9,
    firmwareMinor: 0,
    firmwarePatch: 0,
  });
  line.events?.data(welcome);
  assert.equal(line.links(), ["incompatible"]);
  assert.is((await line.driver.actuate("unlock")).outcome, "not_sent");
  line.driver.stop();
});

test("at rest the line is closed, which is no fault; a wake waits for the controller's report", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(1000);
  line.driver.rest();
  assert.is(line.driver.report(), undefined);
  await line.pass(60_000);
  assert.is(line.opened, 1, "nothing is tried");
  assert.is((await line.driver.actuate("unlock")).outcome, "not_sent");
  await line.driver.awake();
  line.driver.wake();
  let isAwake = false;
  const awake = line.driver.awake().then(() => {
    isAwake = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(isAwake, line.driver.report() !== undefined);
  await line.pass(1000);
  await awake;
  assert.ok(line.driver.report() !== undefined);
  assert.equal(line.links(), ["up", "up"]);
  line.driver.stop();
});

test("a controller that does not come back after a rest is waited for no longer than the bound", async () => {
  const line = new Line();
  line.driver.start();
  await line.pass(1000);
  line.driver.rest();
  line.refuses = true;
  line.driver.wake();
  const before = line.driver.awake();
  line.driver.wake();
  await before;
  let isAwake = false;
  void line.driver.awake().then(() => {
    isAwake = true;
  });
  await line.pass(LOCK_WAKE_MS_MAX - 500);
  assert.not(isAwake);
  await line.pass(1000);
  assert.ok(isAwake);
  line.driver.stop();
});

test("what was opened before a rest and comes after it is closed unused", async () => {
  const line = new Line();
  line.opensLater = true;
  line.driver.start();
  const first = line.waiting;
  line.opensLater = false;
  line.driver.wake();
  await line.pass(1000);
  const before = line.opened;
  first?.();
  await line.pass(1000);
  assert.is(line.opened, before + 1);
  assert.is(line.closed, 1);
  assert.ok(line.driver.report() !== undefined);
  line.driver.stop();
});

test("a socket that nobody serves is an error in words", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "kerbside-driver-")), "nobody");
  try {
    await serialLink(path, 115_200)({ data: () => undefined, closed: () => undefined });
  } catch (error) {
    assert.match(String(error), /lock link: .*ENOENT/);
    return;
  }
  assert.unreachable("it opened");
});

test.run();
