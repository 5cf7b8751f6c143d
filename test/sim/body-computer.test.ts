/** What makes the simulated body computer lock: frames as the module's gate makes them, and nothing that differs. */
import { type CanFrame, readShippedProfile } from "@kerbside/can";
import { type CanLockFrame, canLockFrame } from "@kerbside/immobiliser";
import { fromHex } from "@kerbside/protocol";
import { createBodyComputer } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";

const { locking } = readShippedProfile("kerbside-sim").profile;

function row(action: "lock" | "unlock"): CanLockFrame {
  const rule = locking?.actions[action];
  if (rule === undefined) throw new Error(`the shipped profile has no frame for ${action}`);
  return { ...rule, ext: rule.ext ?? false, data: fromHex(rule.data) };
}

function frame(action: "lock" | "unlock", count: number): CanFrame {
  const { id, ext, data } = canLockFrame(row(action), count);
  return { timeUs: null, bus: "sim", id, ext, data, kind: "data", fd: false };
}

type Sent = readonly (readonly [frame: CanFrame, atMs: number])[];
const burst = (action: "lock" | "unlock", from: number, frames: number, startMs = 0): Sent =>
  Array.from({ length: frames }, (_, at) => [frame(action, from + at), startMs + 40 * at] as const);
const spoilt = (change: Partial<CanFrame>): Sent =>
  burst("lock", 0, 4).map(([one, atMs]) => [{ ...one, ...change }, atMs] as const);
const flip = (at: number, bit: number): Sent =>
  burst("lock", 0, 4).map(([one, atMs]) => {
    const data = Uint8Array.from(one.data);
    data[at] = (data[at] ?? 0) ^ (1 << bit);
    return [{ ...one, data }, atMs] as const;
  });

const ROWS: readonly {
  readonly why: string;
  readonly sent: Sent;
  readonly does: readonly string[];
}[] = [
  { why: "a burst of four acts once", sent: burst("lock", 0, 4), does: ["lock"] },
  { why: "the counter wraps", sent: burst("unlock", 14, 4), does: ["unlock"] },
  { why: "two frames are too few", sent: burst("lock", 0, 2), does: [] },
  {
    why: "one after the other",
    sent: [...burst("lock", 0, 4), ...burst("unlock", 0, 4, 1000)],
    does: ["lock", "unlock"],
  },
  {
    why: "again, as a request of its own",
    sent: [...burst("lock", 0, 4), ...burst("lock", 4, 4, 1000)],
    does: ["lock", "lock"],
  },
  {
    why: "a recorded frame repeated",
    sent: [0, 40, 80, 120].map((ms) => [frame("lock", 3), ms] as const),
    does: [],
  },
  {
    why: "a gap in the counter",
    sent: [0, 1, 3, 4].map((n) => [frame("lock", n), 40 * n] as const),
    does: [],
  },
  {
    why: "too slow",
    sent: [0, 1, 2, 3].map((n) => [frame("lock", n), 300 * n] as const),
    does: [],
  },
  { why: "another id", sent: spoilt({ id: 945 }), does: [] },
  { why: "an extended id", sent: spoilt({ ext: true }), does: [] },
  { why: "a remote frame", sent: spoilt({ kind: "remote" }), does: [] },
  { why: "a byte too many", sent: spoilt({ data: new Uint8Array(5) }), does: [] },
  ...[0, 1, 2, 3].flatMap((at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((bit) => ({
      why: `bit ${bit} of byte ${at} flipped`,
      sent: flip(at, bit),
      does: [],
    })),
  ),
];

for (const { why, sent, does } of ROWS) {
  test(why, () => {
    const body = createBodyComputer();
    const done = sent.flatMap(([one, atMs]) => body.take(one, atMs) ?? []);
    assert.equal(done, does);
  });
}

test.run();
