import { randomInt } from "node:crypto";
import {
  concatBytes,
  encodeLockFrame,
  LOCK_ACTIONS,
  LOCK_LATE_MS_MAX,
  LOCK_MESSAGES,
  LOCK_SILENCE_MS_MAX,
  type LockLinkSendable,
  type LockLinkSession,
  type LockMessage,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { newPair, PAIRING_KEY, type Pair, randomFrom, readyPair, SENSED } from "./lock-pair.ts";

const SEED = randomInt(2 ** 32);

function sent(session: LockLinkSession, message: LockLinkSendable, nowMs: number): Uint8Array {
  const step = session.send(message, nowMs);
  if (!step.sent) throw new Error(`not sent: ${message.type}`);
  return step.bytesOut;
}

const unlock = (pair: Pair, id: number, nowMs: number): Uint8Array =>
  sent(pair.module, { type: "actuate", actuationId: id, action: "unlock" }, nowMs);

const REPORT: LockMessage = {
  type: "statusReport",
  ...SENSED,
  selfTest: "passed",
  lastActuationId: 4_000_000_000,
  lastOutcome: "no_travel",
  resetCount: 65_535,
  midPulse: true,
};

test("lock link: every action arrives, is acknowledged, and its result comes back", () => {
  const pair = readyPair();
  LOCK_ACTIONS.forEach((action, index) => {
    const actuationId = index + 1;
    pair.toController(sent(pair.module, { type: "actuate", actuationId, action }, 100), 100);
    assert.equal(pair.atController.at(-1), { type: "actuate", actuationId, action });
    assert.is(pair.atModule.at(-1)?.type, "ack");
    const result = { type: "actuationResult", actuationId, outcome: "jam", ...SENSED } as const;
    pair.toModule(sent(pair.controller, result, 100), 100);
    assert.equal(pair.atModule.at(-1), result);
    assert.is(pair.atController.at(-1)?.type, "ack");
  });
});

test("lock link: a status report arrives as it was sent, with every field at an edge", () => {
  const pair = readyPair();
  if (REPORT.type === "statusReport") pair.toModule(sent(pair.controller, REPORT, 10), 10);
  assert.equal(pair.atModule, [REPORT]);
});

test("lock link: nothing is sent before the greeting, after silence, or after closing", () => {
  const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  const ask: LockLinkSendable = { type: "statusRequest", selfTest: false };
  assert.equal(pair.module.send(ask, 0), { sent: false });
  const ready = readyPair();
  assert.equal(ready.module.send(ask, LOCK_SILENCE_MS_MAX), { sent: false });
  ready.module.close();
  assert.equal(ready.module.send(ask, 0), { sent: false });
});

test("lock link: an end cannot send what is for the other to send", () => {
  const pair = readyPair();
  assert.throws(() =>
    pair.controller.send({ type: "actuate", actuationId: 1, action: "unlock" }, 0),
  );
});

test("lock link: heartbeats keep a session for an hour; silence ends it and the module asks again", () => {
  const pair = readyPair();
  const nowMs = pair.pass(0, 3_600_000);
  assert.equal(pair.module.state.value === "ready" && pair.module.state.sinceMs, 0);
  assert.equal(pair.controller.state.value === "ready" && pair.controller.state.sinceMs, 0);
  const later = nowMs + LOCK_SILENCE_MS_MAX;
  assert.ok(pair.module.tick(later).bytesOut.length > 0);
  assert.is(pair.module.state.value, "greeting");
  pair.controller.tick(later);
  assert.equal(pair.controller.state, { value: "closed", reason: "silence" });
  pair.pass(later, 1000);
  assert.is(pair.module.state.value, "ready");
});

test("lock link: an unanswered module asks again, more and more rarely", () => {
  const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  pair.module.open(0);
  const at: number[] = [];
  for (let nowMs = 50; nowMs <= 20_000; nowMs += 50)
    if (pair.module.tick(nowMs).bytesOut.length > 0) at.push(nowMs);
  assert.equal(at, [250, 750, 1750, 3750, 7750, 11_750, 15_750, 19_750]);
});

test("lock link: ends with different pairing keys never greet", () => {
  const pair = newPair({ module: PAIRING_KEY, controller: new Uint8Array(32).fill(9) });
  pair.toController(pair.module.open(0), 0);
  assert.is(pair.controller.state.value, "closed");
  assert.is(pair.controller.counts.macErrors, 1);
});

test("lock link: a controller reset in mid-session is greeted again after silence", () => {
  const pair = readyPair();
  pair.controller.close();
  pair.pass(0, LOCK_SILENCE_MS_MAX + 1000);
  assert.is(pair.module.state.value, "ready");
  assert.is(pair.controller.state.value, "ready");
});

type Attack = { why: string; run: (pair: Pair) => void };
const ATTACKS: readonly Attack[] = [
  {
    why: "the same frame again",
    run: (pair) => {
      const bytes = unlock(pair, 1, 0);
      pair.toController(bytes, 0);
      pair.atController.length = 0;
      for (let times = 0; times < 100; times += 1) pair.toController(bytes, times);
      assert.is(pair.controller.counts.replays, 100);
    },
  },
  {
    why: "an older frame after a newer one",
    run: (pair) => {
      const first = unlock(pair, 1, 0);
      pair.toController(unlock(pair, 2, 0), 0);
      pair.atController.length = 0;
      pair.toController(first, 0);
    },
  },
  {
    why: "a frame sent back to its sender",
    run: (pair) => {
      const bytes = unlock(pair, 1, 0);
      assert.equal(pair.module.receive(bytes, 0).messages, []);
      assert.is(pair.module.counts.macErrors, 1);
    },
  },
  {
    why: "a frame of the session before",
    run: (pair) => {
      const bytes = unlock(pair, 1, 0);
      pair.toController(pair.module.open(10), 10);
      pair.atController.length = 0;
      pair.toController(bytes, 10);
      assert.is(pair.controller.counts.macErrors, 1);
    },
  },
  {
    why: "a frame held back until it is late, while nothing else is",
    run: (pair) => {
      const nowMs = pair.pass(0, 250);
      const bytes = unlock(pair, 1, nowMs);
      for (let ms = nowMs; ms <= nowMs + LOCK_LATE_MS_MAX + 100; ms += 100) {
        pair.controller.tick(ms);
      }
      pair.toController(bytes, nowMs + LOCK_LATE_MS_MAX + 100);
      assert.is(pair.controller.counts.late, 1);
    },
  },
  {
    why: "a frame held back behind heartbeats that are let through slowly",
    run: (pair) => {
      const held: Uint8Array[] = [];
      for (let ms = 250; ms <= 60_000; ms += 250) {
        held.push(pair.module.tick(ms).bytesOut);
        if (ms % 1750 === 0) pair.controller.receive(held.shift() ?? new Uint8Array(), ms);
        pair.module.receive(pair.controller.tick(ms).bytesOut, ms);
      }
      held.push(new Uint8Array());
      const late = pair.module.send({ type: "actuate", actuationId: 1, action: "unlock" }, 60_000);
      if (late.sent) held.push(late.bytesOut);
      for (const [index, bytes] of held.entries())
        pair.atController.push(...pair.controller.receive(bytes, 60_000 + index * 500).messages);
    },
  },
  {
    why: "the module's first frames, held back until long after the greeting",
    run: () => {
      const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
      const welcome = pair.controller.receive(pair.module.open(0), 0).bytesOut;
      const first = pair.module.receive(welcome, 0).bytesOut;
      const bytes = unlock(pair, 1, 0);
      const later = LOCK_LATE_MS_MAX + 1;
      assert.equal(pair.controller.receive(concatBytes(first, bytes), later).messages, []);
      assert.is(pair.controller.state.value, "greeting");
    },
  },
  {
    why: "a frame under the greeting key or the pairing key",
    run: (pair) => {
      const payload = Uint8Array.of(0, 0, 0, 9, 2);
      const frame = { type: LOCK_MESSAGES.actuate.code, counter: 50, heard: 0, payload };
      pair.toController(encodeLockFrame(PAIRING_KEY, "module", frame), 0);
      assert.is(pair.controller.counts.macErrors, 1);
    },
  },
];

for (const { why, run } of ATTACKS)
  test(`lock link: no message comes of ${why}`, () => {
    const pair = readyPair();
    run(pair);
    assert.equal(
      pair.atController.filter(({ type }) => type === "actuate"),
      [],
    );
  });

test("lock link: a replayed hello neither ends nor takes over the session", () => {
  const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  const hello = pair.module.open(0);
  pair.toController(hello, 0);
  for (let times = 0; times < 20; times += 1) pair.controller.receive(hello, times);
  pair.toController(unlock(pair, 1, 30), 30);
  assert.is(pair.atController.length, 1);
});

test("lock link: a welcome for another hello opens nothing", () => {
  const pair = newPair({ module: PAIRING_KEY, controller: PAIRING_KEY });
  const old = pair.controller.receive(pair.module.open(0), 0).bytesOut;
  pair.module.open(1);
  assert.equal(pair.module.receive(old, 2).messages, []);
  assert.is(pair.module.state.value, "greeting");
  assert.is(pair.module.counts.replays, 1);
});

test("lock link: every permutation of 5 frames gives rising ids only", () => {
  const orders = (rest: readonly number[]): number[][] =>
    rest.length === 0
      ? [[]]
      : rest.flatMap((first) =>
          orders(rest.filter((n) => n !== first)).map((tail) => [first, ...tail]),
        );
  for (const order of orders([0, 1, 2, 3, 4])) {
    const pair = readyPair();
    const frames = [1, 2, 3, 4, 5].map((id) => unlock(pair, id, 0));
    for (const index of order) pair.toController(frames[index] ?? new Uint8Array(), 0);
    const ids = pair.atController.map((m) => (m.type === "actuate" ? m.actuationId : 0));
    assert.equal(ids, [...ids].sort());
    assert.is(ids.at(-1), 5);
  }
});

test("lock link: a frame with any one bit flipped gives no message, and the next one does", () => {
  const pair = readyPair();
  let id = 0;
  const length = unlock(pair, id + 1, 0).length;
  for (let bit = 0; bit < length * 8; bit += 1) {
    id += 1;
    const bytes = unlock(pair, id, 0).slice();
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const before = pair.atController.length;
    pair.toController(bytes, 0);
    // The zero bytes around a frame carry nothing: without one of them it is still the same frame.
    const inside = bit >> 3 > 0 && bit >> 3 < length - 1;
    if (inside) assert.is(pair.atController.length, before, `bit ${bit}`);
    const last = unlock(pair, 10_000 + id, 0);
    pair.toController(last, 0);
    assert.equal(pair.atController.at(-1), {
      type: "actuate",
      actuationId: 10_000 + id,
      action: "unlock",
    });
  }
});

test(`lock link: ten thousand random damages never give a message that was not sent, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const pair = readyPair();
  let last = 0;
  for (let round = 1; round <= 10_000; round += 1) {
    const bytes = [...unlock(pair, round, 0)];
    for (let hits = 1 + random() * 4; hits > 0; hits -= 1) {
      const at = Math.floor(random() * bytes.length);
      const kind = random();
      if (kind < 0.4) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      else if (kind < 0.6) bytes.splice(at, 1 + Math.floor(random() * 8));
      else if (kind < 0.8) bytes.splice(at, 0, Math.floor(random() * 256));
      else bytes.length = at;
    }
    const { messages } = pair.controller.receive(Uint8Array.from(bytes), 0);
    for (const message of messages) {
      const id =
        message.type === "actuate" && message.action === "unlock" ? message.actuationId : 0;
      // A frame that lost nothing but its end is completed by the zero byte that begins the next.
      assert.ok(id > last && id <= round, `seed ${SEED} round ${round}`);
      last = id;
    }
  }
  pair.toController(concatBytes(Uint8Array.of(0), unlock(pair, 20_000, 0)), 0);
  assert.is(pair.atController.length, 1);
});

test.run();
