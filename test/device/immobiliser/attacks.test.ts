/**
 * Captured commands played back in every order, after starts and with the record rolled back. Verification comes
 * first, as in the agent: epoch and life by `verifyCommand`, then counter and known ids by the executor.
 */
import { copyFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Action,
  type Command,
  randomBytes,
  signCommand,
  signingKey,
  verifyKey,
} from "@kerbside/protocol";
import { verifyCommand } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, InstantLock, type LockRig, lockRig } from "../../support/lock-rig.ts";
import { manualClock } from "../../support/runtime.ts";

const KEY = signingKey(randomBytes(32));
const CAPTURED = 10_000;
const ACTIONS: readonly Action[] = ["lock", "unlock", "trunk", "find", "release"];

type Car = { rig: LockRig; epoch: Uint8Array; readonly lock: InstantLock; readonly dir: string };

async function car(): Promise<Car> {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-attacks-"));
  const lock = new InstantLock();
  return { dir, lock, rig: await lockRig(dir, lock, manualClock()), epoch: randomBytes(16) };
}

/** A start of the agent: a new epoch, the same files. */
async function restart(attacked: Car): Promise<void> {
  await attacked.rig.stop();
  attacked.rig = await lockRig(attacked.dir, attacked.lock, manualClock());
  attacked.epoch = randomBytes(16);
}

/** What the car makes of an envelope: as the uplink's intake does it. */
async function take({ rig, epoch }: Car, envelope: Uint8Array): Promise<string> {
  const { tenant, vehicle } = commandOf("find");
  const context = {
    address: { tenant, vehicle },
    commandKey: verifyKey(KEY.publicKey),
    epoch,
    sessionMs: 0,
  };
  const verdict = verifyCommand(context, envelope);
  if (verdict.kind === "dropped") return "dropped";
  const { command, requestHash } = verdict;
  if (verdict.kind !== "run") {
    return rig.executor.recorded(command, requestHash) === undefined ? verdict.kind : "replayed";
  }
  const answer = await rig.executor.execute(command, requestHash);
  return answer.replayed ? "replayed" : answer.verdict.status;
}

const sign = (attacked: Car, action: Action, change: Partial<Command> = {}): Uint8Array =>
  signCommand(KEY, commandOf(action, { epoch: attacked.epoch, ...change }));

test(`${CAPTURED} captured commands, played back at once, after a start, and with the record rolled back`, async () => {
  const attacked = await car();
  const captured: Uint8Array[] = [];
  const half = CAPTURED / 2;
  for (let i = 0; i < CAPTURED; i += 1) {
    const envelope = sign(attacked, ACTIONS[i % ACTIONS.length] ?? "find");
    captured.push(envelope);
    // Every hundredth is done by the car; an attacker holds the others back.
    if (i % 100 === 0) assert.is(await take(attacked, envelope), "executed");
    if (i === half)
      for (const suffix of [".a", ".b"])
        copyFileSync(`${attacked.dir}/journal${suffix}`, `${attacked.dir}/old${suffix}`);
  }
  const last = sign(attacked, "lock");
  assert.is(await take(attacked, last), "executed");
  const pulses = attacked.lock.pulses.length;
  const seen = new Map<string, number>();
  const playBack = async (): Promise<void> => {
    seen.clear();
    for (const envelope of captured) {
      const what = await take(attacked, envelope);
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
    assert.is(attacked.lock.pulses.length, pulses, `nothing moves: ${JSON.stringify([...seen])}`);
    assert.not(seen.has("executed"));
  };
  await playBack();
  assert.is((seen.get("refused") ?? 0) + (seen.get("replayed") ?? 0), CAPTURED);
  await restart(attacked);
  await playBack();
  assert.is((seen.get("stale_session") ?? 0) + (seen.get("replayed") ?? 0), CAPTURED);
  await attacked.rig.stop();
  for (const suffix of [".a", ".b"])
    copyFileSync(`${attacked.dir}/old${suffix}`, `${attacked.dir}/journal${suffix}`);
  attacked.rig = await lockRig(attacked.dir, attacked.lock, manualClock());
  attacked.epoch = randomBytes(16);
  await playBack();
  await attacked.rig.stop();
});

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((item, at) =>
    permutations([...items.slice(0, at), ...items.slice(at + 1)]).map((rest) => [item, ...rest]),
  );
}

test("all 120 orders of 5 commands: each is done at most once, and none after a later one", async () => {
  const attacked = await car();
  for (const order of permutations([0, 1, 2, 3, 4])) {
    const envelopes = ACTIONS.map((action) => sign(attacked, action));
    let highest = -1;
    for (const at of order) {
      const envelope = envelopes[at];
      assert.ok(envelope !== undefined);
      const before = attacked.lock.pulses.length;
      const what = await take(attacked, envelope);
      assert.is(what, at > highest ? "executed" : "refused", order.join());
      assert.is(attacked.lock.pulses.length - before, at > highest ? 1 : 0);
      highest = Math.max(highest, at);
    }
  }
  await attacked.rig.stop();
});

test("every bit of a command flipped: none is done", async () => {
  const attacked = await car();
  const envelope = sign(attacked, "unlock");
  for (let bit = 0; bit < envelope.length * 8; bit += 1) {
    const flipped = Uint8Array.from(envelope);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.is(await take(attacked, flipped), "dropped", `bit ${bit}`);
  }
  assert.equal(attacked.lock.pulses, []);
  assert.is(await take(attacked, envelope), "executed");
  await attacked.rig.stop();
});

test.run();
