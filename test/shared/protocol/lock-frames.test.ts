import { randomInt } from "node:crypto";
import {
  decodeLockPayload,
  encodeLockFrame,
  LOCK_FRAME_BYTES_MAX,
  LOCK_MESSAGES,
  LOCK_PAYLOAD_BYTES_MAX,
  LockLinkDecoder,
  layoutBytes,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PAIRING_KEY, randomFrom } from "./lock-pair.ts";

const SEED = randomInt(2 ** 32);

test("lock link: every layout fits in a frame", () => {
  for (const row of Object.values(LOCK_MESSAGES))
    assert.ok(layoutBytes(row.layout) <= LOCK_PAYLOAD_BYTES_MAX);
});

test(`lock link: a decoder fed noise holds one frame, counts all, and reads the next, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const decoder = new LockLinkDecoder();
  const payload = Uint8Array.of(1, 0, 2, 0);
  const frame = { type: 5, counter: 7, heard: 3, payload };
  const bytes = encodeLockFrame(PAIRING_KEY, "module", frame);
  let noise = 0;
  for (let round = 0; round < 300; round += 1) {
    const chunk = Uint8Array.from({ length: random() * 400 }, () => 1 + random() * 255);
    noise += chunk.length;
    const frames = [...decoder.push(chunk)];
    for (const byte of bytes) frames.push(...decoder.push(Uint8Array.of(byte)));
    assert.is(frames.length, 1, `seed ${SEED} round ${round}`);
    assert.equal(frames[0]?.payload, payload);
  }
  assert.ok(decoder.counts.noiseBytes <= noise);
  assert.is(decoder.counts.frames, 300);
  assert.ok(bytes.length <= LOCK_FRAME_BYTES_MAX);
});

test("lock link: payloads of every length and content come through the stuffing", () => {
  const decoder = new LockLinkDecoder();
  for (let length = 0; length <= LOCK_PAYLOAD_BYTES_MAX; length += 1)
    for (const fill of [0x00, 0x01, 0xff]) {
      const payload = new Uint8Array(length).fill(fill);
      const frame = { type: fill, counter: fill, heard: length, payload };
      const [back] = decoder.push(encodeLockFrame(PAIRING_KEY, "controller", frame));
      assert.equal(back?.payload, payload);
      assert.equal([back?.type, back?.counter, back?.heard], [fill, fill, length]);
    }
  assert.throws(() =>
    encodeLockFrame(PAIRING_KEY, "module", {
      type: 1,
      counter: 1,
      heard: 0,
      payload: new Uint8Array(LOCK_PAYLOAD_BYTES_MAX + 1),
    }),
  );
});

const BAD_PAYLOADS: readonly { why: string; code: number; payload: readonly number[] }[] = [
  { why: "a message nobody knows", code: 0x7f, payload: [] },
  { why: "an actuation too short", code: 0x20, payload: [0, 0, 0, 1] },
  { why: "an actuation too long", code: 0x20, payload: [0, 0, 0, 1, 1, 0] },
  { why: "action 0", code: 0x20, payload: [0, 0, 0, 1, 0] },
  { why: "action 7", code: 0x20, payload: [0, 0, 0, 1, 7] },
  { why: "a flag of 2", code: 0x10, payload: [2] },
];
for (const { why, code, payload } of BAD_PAYLOADS)
  test(`lock link: refuses ${why}`, () => {
    assert.throws(() => decodeLockPayload(code, Uint8Array.from(payload)), /malformed|lock link/);
  });

test.run();
