import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { runScenarios } from "../../support/guest.ts";

const guest = needs("user-mode-linux", "can-utils", "iproute2", "kmod");

/** What isotpdump must take 100 bytes and three bytes back for, in blocks of four with 1 ms between frames. */
const COUNT = Uint8Array.from({ length: 100 }, (_, i) => i);
const bytesOf = (from: number, to: number): string =>
  Array.from({ length: 7 }, (_, i) => (from + i < to ? (COUNT[from + i] ?? 0) : 0xcc))
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"))
    .join(" ");
const FLOW = "[FC] FC: 0 = CTS # BS: 4 # STmin: 0x01 = 1 ms";
const DUMPED = [
  "[FF] ln: 100 data: 00 01 02 03 04 05",
  FLOW,
  ...Array.from({ length: 14 }, (_, i) => {
    const frame = `[CF] sn: ${((i + 1) & 15).toString(16).toUpperCase()} data: ${bytesOf(6 + 7 * i, 100)}`;
    return i % 4 === 3 ? [frame, FLOW] : [frame];
  }).flat(),
  "[SF] ln: 3 data: 01 02 03 CC CC CC CC",
];

guest("ISO-TP on a real bus, as can-utils' own listeners read it", async () => {
  const results = await runScenarios("isotp", "isotp_29_bits");
  for (const name of ["isotp", "isotp_29_bits"]) {
    const found = Object(results.get(name));
    assert.is(found.received, true, name);
    assert.equal(found.back, ["010203"], name);
    // The answer may come between two frames of the question.
    assert.equal([...found.kinds].sort(), [...DUMPED].sort(), name);
    assert.is(found.perf, "(BS: 4 # STmin: 1 msec) : 100 byte", name);
  }
});

test.run();
