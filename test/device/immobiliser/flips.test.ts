/** Bits flipped on the lock link: a frame that is not as it was sent never actuates. Every one bit, every two, more by chance. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { actuateOnTheLine, flipped } from "../../support/actuate-frame.ts";

test("every single bit and every pair of bits of an unlock: nothing is actuated, and the true frame is", () => {
  const { frame, actuations } = actuateOnTheLine();
  const bits = frame.length * 8;
  let tried = 0;
  for (let a = 0; a < bits; a += 1)
    for (let b = a; b < bits; b += 1) {
      tried += 1;
      const taken = actuations(flipped(frame, a === b ? [a] : [a, b]));
      if (taken > 0)
        assert.unreachable(`bits ${a} and ${b} of ${Buffer.from(frame).toString("hex")}`);
    }
  assert.ok(tried > 20_000, `${tried}`);
  assert.is(actuations(frame), 1, "the frame itself is good, and was not spent");
  assert.is(actuations(frame), 0, "but once");
});

test("any byte of it replaced by any other, cut anywhere, or doubled: nothing, or the one that was sent", () => {
  const { frame, actuations } = actuateOnTheLine();
  for (let at = 0; at < frame.length; at += 1) {
    for (let value = 0; value < 256; value += 1) {
      if (value === frame[at]) continue;
      const changed = flipped(frame, []);
      changed[at] = value;
      // A delimiter put before the frame's first byte, or in place of its last, leaves the frame as it is.
      if (actuations(changed) > 0) assert.unreachable(`byte ${at} set to ${value}`);
    }
    const isCut = at < frame.length - 1;
    if (isCut && actuations(Uint8Array.from([...frame.subarray(0, at), 0])) > 0)
      assert.unreachable(`cut at ${at}`);
  }
  assert.is(actuations(Uint8Array.from([...frame, ...frame])), 1);
});

test.run();
