import { type CanFrame, formatCandump } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { freshSeed, randomOf } from "../../../fuzz/random.ts";
import { brief, readAll } from "./read.ts";

/** What candump of can-utils 2020.12 printed, by option, of the same seven frames sent to a vcan. */
const PRINTED: Record<string, string> = {
  "-ta": ` (1795249289.143367)  vcan0  123   [8]  11 22 33 44 55 66 77 88
 (1795249289.157269)  vcan0  18FEF1FE   [2]  01 02
 (1795249289.170211)  vcan0       123   [0]  remote request
 (1795249289.183479)  vcan0       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC
 (1795249289.209369)  vcan0       123   [0] \n (1795249289.237725)  vcan0       5A1   [8]  remote request
 (1795249289.269236)  vcan0  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME
`,
  "-x -tA": ` (2026-11-21 08:21:30.238668)  vcan0  TX - -  123   [8]  11 22 33 44 55 66 77 88
 (2026-11-21 08:21:30.253708)  vcan0  TX - -  18FEF1FE   [2]  01 02
 (2026-11-21 08:21:30.266764)  vcan0  TX - -       123   [0]  remote request
 (2026-11-21 08:21:30.280109)  vcan0  TX B E       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC
 (2026-11-21 08:21:30.306041)  vcan0  TX - -       123   [0] \n (2026-11-21 08:21:30.335297)  vcan0  TX - -       5A1   [8]  remote request
 (2026-11-21 08:21:30.367565)  vcan0  TX - -  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME
`,
  "-tz -a": ` (000.000000)  vcan0  123   [8]  11 22 33 44 55 66 77 88   '."3DUfw.'
 (000.014018)  vcan0  18FEF1FE   [2]  01 02                     '..'
 (000.027774)  vcan0       123   [0]  remote request
 (000.040997)  vcan0       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC
 (000.067806)  vcan0       123   [0]                            ''
 (000.096786)  vcan0       5A1   [8]  remote request
 (000.126969)  vcan0  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME
`,
  "-td -i": ` (000.000000)  vcan0  123   [8]  00010001 00100010 00110011 01000100 01010101 01100110 01110111 10001000
 (000.013850)  vcan0  18FEF1FE   [2]  00000001 00000010
 (000.013157)  vcan0       123   [0]  remote request
 (000.013212)  vcan0       123  [12]  00010001 00100010 00110011 01000100 01010101 01100110 01110111 10001000 10011001 10101010 10111011 11001100
 (000.028766)  vcan0       123   [0] \n (000.025277)  vcan0       5A1   [8]  remote request
 (000.028256)  vcan0  20000080   [8]  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000   ERRORFRAME
`,
  "-S -a": `  vcan0  123   [8]  88\`77\`66\`55\`44\`33\`22\`11   \`.wfUD3".\`
  vcan0  18FEF1FE   [2]  02\`01                     \`..\`
  vcan0       123   [0]  remote request
  vcan0       123  [12]  CC\`BB\`AA\`99\`88\`77\`66\`55\`44\`33\`22\`11
  vcan0       123   [0]                            \`\`
  vcan0       5A1   [8]  remote request
  vcan0  20000080   [8]  00\`00\`00\`00\`00\`00\`00\`00   ERRORFRAME
`,
  "-c -c -c -ta": ` \u001b[1m\u001b[34m(1795249295.740550)  vcan0  123   [8]  11 22 33 44 55 66 77 88\u001b[0m
 \u001b[1m\u001b[34m(1795249295.754462)  vcan0  18FEF1FE   [2]  01 02\u001b[0m
 \u001b[1m\u001b[34m(1795249295.767628)  vcan0       123   [0]  remote request\u001b[0m
 \u001b[1m\u001b[34m(1795249295.781044)  vcan0       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC\u001b[0m
 \u001b[1m\u001b[34m(1795249295.806721)  vcan0       123   [0] \u001b[0m
 \u001b[1m\u001b[34m(1795249295.834176)  vcan0       5A1   [8]  remote request\u001b[0m
 \u001b[1m\u001b[34m(1795249295.861228)  vcan0  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME\u001b[0m
`,
  "-e": `  vcan0  123   [8]  11 22 33 44 55 66 77 88
  vcan0  18FEF1FE   [2]  01 02
  vcan0       123   [0]  remote request
  vcan0       123  [12]  11 22 33 44 55 66 77 88 99 AA BB CC
  vcan0       123   [0] \n  vcan0       5A1   [8]  remote request
  vcan0  20000080   [8]  00 00 00 00 00 00 00 00   ERRORFRAME
\tbus-error
`,
  "-L": `(1795249296.838370) vcan0 123#1122334455667788
(1795249296.852135) vcan0 18FEF1FE#0102
(1795249296.865252) vcan0 123#R
(1795249296.878592) vcan0 123##7112233445566778899AABBCC
(1795249296.905671) vcan0 123#
(1795249296.931747) vcan0 5A1#R8
(1795249296.957707) vcan0 20000080#0000000000000000
`,
  "-L -x": `(1795249299.018993) vcan0 123#1122334455667788 T
(1795249299.032884) vcan0 18FEF1FE#0102 T
(1795249299.045838) vcan0 123#R T
(1795249299.059189) vcan0 123##7112233445566778899AABBCC T
(1795249299.085312) vcan0 123# T
(1795249299.099904) vcan0 5A1#R8 T
(1795249299.127671) vcan0 20000080#0000000000000000 T
`,
};
const SENT = [
  "vcan0 123#1122334455667788",
  "vcan0 18fef1fe#0102",
  "vcan0 123# remote",
  "vcan0 123##112233445566778899aabbcc",
  "vcan0 123#",
  "vcan0 5a1# remote",
  "vcan0 00000080#0000000000000000 error",
];

for (const [options, text] of Object.entries(PRINTED)) {
  for (const chunk of [1 << 20, 1, 13]) {
    test(`candump ${options} in chunks of ${chunk}`, () => {
      const { format, frames, problems } = readAll(text, chunk);
      assert.equal(problems, []);
      assert.is(format, "candump");
      assert.equal(frames.map(brief), SENT);
    });
  }
}

test("times are exact in microseconds", () => {
  const firstUs = (options: string): number | null | undefined =>
    readAll(PRINTED[options] ?? "").frames[0]?.timeUs;
  assert.is(firstUs("-ta"), 1795249289143367);
  assert.is(firstUs("-L"), 1795249296838370);
  assert.is(firstUs("-x -tA"), Date.UTC(2026, 10, 21, 8, 21, 30) * 1000 + 238668);
  assert.is(firstUs("-e"), null);
});

const BAD = [
  { why: "half a byte", line: "(1.0) can0 123#1", says: "data is not pairs of hexadecimal digits" },
  { why: "no hexadecimal digit", line: "(1.0) can0 123#1G", says: "data is not pairs of" },
  { why: "12 bits", line: "(1.0) can0 800#11", says: "the id has more than 11 bits" },
  { why: "30 bits", line: "(1.0) can0 40000000#11", says: "the id has more than 29 bits" },
  { why: "65 bytes", line: `(1.0) can0 123##1${"00".repeat(65)}`, says: "more than 64 data bytes" },
  { why: "something else", line: "hello world", says: "expected a line of candump" },
  { why: "fewer bytes than announced", line: " can0  123   [3]  11 22", says: "2 of 3 data bytes" },
  { why: "a time that is none", line: " (noon)  can0  123   [1]  11", says: '"noon" is no time' },
];
for (const { why, line, says } of BAD) {
  test(`a bad line is reported and costs only itself: ${why}`, () => {
    const { frames, problems } = readAll(`(1.0) can0 001#11\n${line}\n(1.0) can0 002#22\n`);
    assert.equal(frames.map(brief), ["can0 001#11", "can0 002#22"]);
    assert.is(problems.length, 1);
    assert.is(problems[0]?.line, 2);
    assert.ok(problems[0]?.message.startsWith(says), problems[0]?.message);
  });
}

/** At the edges of what the fast scanner takes, the general one must go on. */
const EDGES = [
  { line: "(0.000000) c 7FF#", says: "c 7ff#" },
  { line: "(0.000000) c 1#01", says: "c 001#01" },
  { line: "(0.000000) c 1FFFFFFF#0102030405060708", says: "c 1fffffff#0102030405060708" },
  { line: "(0.000000) c 123#010203040506070809", says: "c 123##010203040506070809" },
  { line: "(0.000000) c 123#01.02.03", says: "c 123#010203" },
  { line: "(0.0000001) c 123#01", says: "c 123#01" },
  { line: "(0.5) c 123#01", says: "c 123#01" },
  { line: "(0.000000)  c   123#01", says: "c 123#01" },
  { line: "(0.000000) c 123#0102_9", says: "c 123#0102" },
  { line: `(0.000000) c 123##0${"11".repeat(64)}`, says: `c 123##${"11".repeat(64)}` },
  { line: "(0.000000) c 123##4", says: "c 123##" },
];
for (const { line, says } of EDGES) {
  test(`candump: ${line.slice(0, 40)}`, () => {
    // Twice: the first frame of a bus never takes the fast way.
    const { frames, problems } = readAll(`(9.0) c 001#\n${line}\r\n${line}\n`);
    assert.equal(problems, []);
    assert.equal(frames.slice(1).map(brief), [says, says]);
    assert.ok((frames[1]?.timeUs ?? -1) >= 0 && (frames[1]?.timeUs ?? -1) <= 500_000);
  });
}

test("what is written is read back", () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`# seed ${random.seed}\n`);
  const frames = Array.from({ length: 500 }, (): CanFrame => {
    const kind = random.pick(["data", "data", "data", "remote", "error"] as const);
    const ext = kind === "error" || random.bool();
    const fd = kind === "data" && random.bool(0.3);
    return {
      timeUs: random.int(2 ** 32) * 1000 + random.int(1000),
      bus: random.pick(["can0", "vcan1", "a-b.c"]),
      id: random.int(ext ? 2 ** 29 : 2 ** 11),
      ext,
      kind,
      fd,
      data: random.bytes(kind === "remote" ? 0 : random.int(fd ? 65 : 9)),
    };
  });
  const read = readAll(`${frames.map(formatCandump).join("\n")}\n`, 100).frames;
  assert.equal(read, frames);
});

test.run();
