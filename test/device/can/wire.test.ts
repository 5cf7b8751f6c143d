import {
  type CanFrame,
  encodeFrameRecord,
  encodeRefusedRecord,
  encodeStateRecord,
  frameProblem,
  GREETING,
  WireDecoder,
  WireError,
  type WireRecord,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../../support/seeded.ts";

test("records survive any cutting of the stream, and damage never passes in silence", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const whole: CanFrame[] = Array.from({ length: 50 }, (_, i) => ({
    timeUs: i % 2 === 0 ? null : i,
    bus: "sim",
    id: Math.floor(random() * 0x800),
    ext: false,
    kind: "data",
    fd: false,
    data: Uint8Array.from({ length: Math.floor(random() * 9) }, () => Math.floor(random() * 256)),
  }));
  const bytes = Buffer.concat([
    GREETING,
    ...whole.map((f, i) => encodeFrameRecord(f, i)),
    encodeRefusedRecord("too late"),
    encodeStateRecord("busOff", "why"),
  ]);
  const expected = whole.map((f) => ({ ...f, bootMs: 5 }));
  for (let round = 0; round < 50; round++) {
    const decoder = new WireDecoder("sim");
    const records: WireRecord[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(random() * 40);
      records.push(...decoder.push(bytes.subarray(at, end), { bootMs: 5 }));
      at = end;
    }
    const frames = records.flatMap((record) => (record.type === "frame" ? [record.frame] : []));
    assert.equal(frames, expected, `seed ${seed}`);
    assert.equal(records.at(-2), { type: "refused", reason: "too late" });
    assert.equal(records.at(-1), { type: "state", state: "busOff", reason: "why" });
  }
  for (let round = 0; round < 2000; round++) {
    const damaged = Buffer.from(bytes);
    const at = Math.floor(random() * damaged.length);
    damaged[at] = Math.floor(random() * 256);
    try {
      for (const record of new WireDecoder("sim").push(damaged)) {
        if (record.type === "frame") {
          assert.is(frameProblem({ ...record.frame, kind: "data" }), undefined, `seed ${seed}`);
        }
      }
    } catch (error) {
      assert.instance(error, WireError, `seed ${seed}, byte ${at}: ${error}`);
    }
  }
});

test("a frame's moment on the monotonic clock says when it came; rounding never takes time back", () => {
  const at = (timeUs: number | null): Uint8Array =>
    encodeFrameRecord(
      { timeUs, id: 1, ext: false, kind: "data", fd: false, data: new Uint8Array(0) },
      0,
    );
  const decoder = new WireDecoder("can0");
  const times = (arrival: { bootMs: number; monotonicUs: number }, ...us: (number | null)[]) =>
    decoder
      .push(Buffer.concat(us.map(at)), arrival)
      .map((record) => record.type === "frame" && record.frame.bootMs);
  decoder.push(GREETING);
  assert.equal(
    times({ bootMs: 1000, monotonicUs: 50_000 }, 32_000, 41_600, 50_000),
    [982, 992, 1000],
  );
  assert.equal(times({ bootMs: 1001, monotonicUs: 51_400 }, 50_200), [1000], "0.8 ms later");
  assert.equal(times({ bootMs: 1002, monotonicUs: 52_000 }, 51_000, 60_000), [1001, 1002]);
  assert.equal(times({ bootMs: 1003, monotonicUs: 53_000 }, null), [1003], "no time of its own");
});

test.run();
