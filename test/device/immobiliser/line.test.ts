/** The lock driver on a real tty: noise, flipped bits, cuts, a slow line, a reset in mid-pulse. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LockDriver, type LockSeen, serialLink } from "@kerbside/immobiliser";
import { type LockAction, randomBytes } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { TestController } from "../../support/lock-controller.ts";
import { type PtyPair, ptyPair } from "../../support/pty-pair.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";

type Bench = {
  readonly pty: PtyPair;
  readonly controller: TestController;
  readonly driver: LockDriver;
  readonly seen: LockSeen[];
  readonly stop: () => Promise<void>;
};

async function bench(): Promise<Bench> {
  const pty = await ptyPair(await mkdtemp(join(tmpdir(), "kerbside-line-")));
  const key = randomBytes(32);
  const controller = await TestController.onTty(pty.controller, key);
  const seen: LockSeen[] = [];
  const driver = new LockDriver({
    link: serialLink(pty.module, 115_200),
    pairingKey: key,
    moduleId: new Uint8Array(8).fill(1),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    onSeen: (one) => seen.push(one),
  });
  driver.start();
  await until("a session", () => driver.report() !== undefined);
  return {
    pty,
    controller,
    driver,
    seen,
    stop: async () => {
      driver.stop();
      await controller.close();
      await pty.cut();
    },
  };
}
const onPty = needs("socat");

onPty("a tty: self-test asked for and nothing moved by it, then unlock and lock", async () => {
  const b = await bench();
  assert.equal(b.controller.pulses, []);
  for (const action of ["unlock", "lock"] as const)
    assert.is((await b.driver.actuate(action)).outcome, "done");
  assert.equal(b.controller.pulses, ["unlock", "lock"]);
  await b.stop();
});

onPty(
  "a line that spoils one byte in fifty: what is done was asked for once, what is told was so",
  async () => {
    const b = await bench();
    const seed = Math.trunc(Math.random() * 2 ** 31);
    process.stdout.write(`# seed ${seed}\n`);
    let state = seed;
    const chance = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state / 2 ** 32;
    };
    b.controller.spoil = (bytes) =>
      bytes.map((byte) => (chance() < 0.02 ? byte ^ (1 << Math.trunc(chance() * 8)) : byte));
    const actions: readonly LockAction[] = ["unlock", "lock", "unlock", "lock", "unlock", "lock"];
    for (const action of actions) {
      const before = b.controller.pulses.length;
      const actuated = await b.driver.actuate(action);
      const did = b.controller.pulses.slice(before);
      assert.ok(did.length <= 1 && did.every((pulse) => pulse === action), did.join());
      if (actuated.outcome === "done") assert.is(did.length, 1);
      if (actuated.outcome === "not_sent") assert.is(did.length, 0);
    }
    await b.stop();
  },
);

onPty(
  "a line cut and joined again: a new session, and nothing that was asked meanwhile is sent",
  async () => {
    const b = await bench();
    assert.is((await b.driver.actuate("unlock")).outcome, "done");
    await b.pty.cut();
    await until("the driver knows", () => b.driver.report() === undefined);
    for (let i = 0; i < 5; i += 1) assert.is((await b.driver.actuate("lock")).outcome, "not_sent");
    await b.pty.join();
    await b.controller.openTty(b.pty.controller);
    await until("a new session", () => b.driver.report() !== undefined);
    assert.is((await b.driver.actuate("lock")).outcome, "done");
    assert.equal(b.controller.pulses, ["unlock", "lock"]);
    const links = b.seen.flatMap((one) => (one.type === "link" ? [one.state] : []));
    assert.equal(links, ["up", "silent", "up"]);
    await b.stop();
  },
);

onPty("a line that holds an unlock back: it never comes late, and is told as unknown", async () => {
  const b = await bench();
  const held: Uint8Array[] = [];
  b.controller.spoil = (bytes, towards) => {
    if (towards === "module") return bytes;
    held.push(Uint8Array.from(bytes));
    return new Uint8Array();
  };
  const asked = b.driver.actuate("unlock");
  await until("the session is over", () => b.driver.report() === undefined);
  // Everything that was held back arrives at once, at a controller that would be glad of it.
  b.controller.spoil = (bytes, towards) =>
    towards === "module" ? bytes : Buffer.concat([...held.splice(0), bytes]);
  const { outcome } = await asked;
  assert.is(outcome, "no_answer");
  assert.equal(b.controller.pulses, []);
  await until("a new session", () => b.driver.report() !== undefined);
  assert.is((await b.driver.actuate("lock")).outcome, "done");
  assert.equal(b.controller.pulses, ["lock"]);
  await b.stop();
});

onPty("a slow line: bytes one by one still make frames", async () => {
  const b = await bench();
  let queue: number[] = [];
  // One byte for each look; what waits goes out with the next bytes that come.
  b.controller.spoil = (bytes, towards) => {
    if (towards === "module") return bytes;
    queue.push(...bytes);
    const now = queue.slice(0, Math.max(1, queue.length - 1));
    queue = queue.slice(now.length);
    return Uint8Array.from(now);
  };
  const { outcome } = await b.driver.actuate("unlock");
  assert.is(outcome, "done");
  assert.equal(b.controller.pulses, ["unlock"]);
  await b.stop();
});

onPty("a reset in mid-pulse is told as such, and not tried again", async () => {
  const b = await bench();
  b.controller.fault = "reset_in_pulse";
  const actuated = await b.driver.actuate("unlock");
  assert.is(actuated.outcome, "interrupted");
  assert.equal(b.controller.pulses, ["unlock"]);
  await b.stop();
});

onPty("two at once: the second is not sent; after a stop none is", async () => {
  const b = await bench();
  b.controller.fault = "silent";
  const first = b.driver.actuate("unlock");
  assert.is((await b.driver.actuate("lock")).outcome, "not_sent");
  b.driver.stop();
  assert.is((await first).outcome, "no_answer");
  assert.is((await b.driver.actuate("lock")).outcome, "not_sent");
  await b.stop();
});

test.run();
