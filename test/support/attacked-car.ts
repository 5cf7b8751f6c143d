/** A car whose commands were captured: what it makes of an envelope, as the agent's intake and executor do it. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes, type VerifyKey } from "@kerbside/protocol";
import { verifyCommand } from "@kerbside/uplink";
import { commandOf, InstantLock, type LockRig, lockRig } from "./lock-rig.ts";
import { manualClock } from "./runtime.ts";

export type AttackedCar = {
  rig: LockRig;
  epoch: Uint8Array;
  readonly lock: InstantLock;
  readonly dir: string;
};

export async function attackedCar(): Promise<AttackedCar> {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-attacks-"));
  const lock = new InstantLock();
  return { dir, lock, rig: await lockRig(dir, lock, manualClock()), epoch: randomBytes(16) };
}

/** A start of the agent: a new epoch, the same files, to which `meanwhile` may have been done. */
export async function restart(
  attacked: AttackedCar,
  meanwhile: () => void = () => undefined,
): Promise<void> {
  await attacked.rig.stop();
  meanwhile();
  attacked.rig = await lockRig(attacked.dir, attacked.lock, manualClock());
  attacked.epoch = randomBytes(16);
}

/** Verification first: epoch and life, then counter and known ids by the executor. */
export async function take(
  { rig, epoch }: AttackedCar,
  commandKey: VerifyKey,
  envelope: Uint8Array,
): Promise<string> {
  const { tenant, vehicle } = commandOf("find");
  rig.epoch = epoch;
  const context = { address: { tenant, vehicle }, commandKey, epoch, sessionMs: 0 };
  const verdict = verifyCommand(context, envelope);
  if (verdict.kind === "dropped") return "dropped";
  const { command, requestHash } = verdict;
  if (verdict.kind !== "run") {
    return rig.executor.recorded(command, requestHash) === undefined ? verdict.kind : "replayed";
  }
  const answer = await rig.executor.execute(command, requestHash);
  return answer.replayed ? "replayed" : answer.verdict.status;
}
