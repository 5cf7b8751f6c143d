/**
 * Captured commands played back in every order, after starts and with the record rolled back. Verification comes
 * first, as in the agent: epoch and life by `verifyCommand`, then counter and known ids by the executor.
 */
import { copyFileSync } from "node:fs";
import {
  type Action,
  type Command,
  randomBytes,
  signCommand,
  signingKey,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type AttackedCar,
  attackedCar,
  restart,
  take as takeUnder,
} from "../../support/attacked-car.ts";
import { commandOf } from "../../support/lock-rig.ts";

const KEY = signingKey(randomBytes(32));
const CAPTURED = 10_000;
const ACTIONS: readonly Action[] = ["lock", "unlock", "trunk", "find", "release"];

const PUBLIC = verifyKey(KEY.publicKey);
const take = (attacked: AttackedCar, envelope: Uint8Array): Promise<string> =>
  takeUnder(attacked, PUBLIC, envelope);
const sign = (attacked: AttackedCar, action: Action, change: Partial<Command> = {}): Uint8Array =>
  signCommand(KEY, commandOf(action, { epoch: attacked.epoch, ...change }));

test(`${CAPTURED} captured commands, played back at once, after a start, and with the record rolled back`, async () => {
  const attacked = await attackedCar();
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
  await restart(attacked, () => {
    for (const suffix of [".a", ".b"])
      copyFileSync(`${attacked.dir}/old${suffix}`, `${attacked.dir}/journal${suffix}`);
  });
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
  const attacked = await attackedCar();
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
  const attacked = await attackedCar();
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
