import { LogFormatError, readLog } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { brief, readAll } from "./read.ts";

const FORMATS: { name: string; text: string; timesUs: (number | null)[]; frames: string[] }[] = [
  {
    name: "BUSMASTER",
    text: `***BUSMASTER Ver 2.4.0***
***START DATE AND TIME 23:9:2015 22:17:28:928***
***HEX***
***SYSTEM MODE***
***<Time><Tx/Rx><Channel><CAN ID><Type><DLC><DataBytes>***
23:59:59:992 Rx 0 0000021A s 8 FE 36 12 FE 69 05 07 AD
23:59:59:9925 Tx 1 10ABCDEF x 2 01 02
00:00:00:2 Rx 0 0000023A sr 8
***[STOP LOGGING SESSION]***
`,
    timesUs: [
      Date.UTC(2015, 8, 23, 23, 59, 59, 992) * 1000,
      Date.UTC(2015, 8, 23, 23, 59, 59, 992) * 1000 + 500,
      Date.UTC(2015, 8, 24, 0, 0, 0, 2) * 1000,
    ],
    frames: ["0 21a#fe3612fe690507ad", "1 10abcdef#0102", "0 23a# remote"],
  },
  {
    name: "CRTD",
    text: `166.064000 CXX GVRET-PC Reverse Engineering Tool Output V138
166.064000 R11 0000021A FE 36 12 FE 69 05 07 AD
166.064001 2T29 10ABCDEF 01 02
`,
    timesUs: [166064000, 166064001],
    frames: ["0 21a#fe3612fe690507ad", "2 10abcdef#0102"],
  },
  {
    name: "GVRET CSV",
    text: `Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8
166064000,0000021A,false,Rx,0,8,FE,36,12,FE,69,05,07,AD,
166064001,10ABCDEF,true,Rx,1,2,01,02,00,00,00,00,00,00,
`,
    timesUs: [166064000, 166064001],
    frames: ["0 21a#fe3612fe690507ad", "1 10abcdef#0102"],
  },
  {
    name: "generic CSV",
    text: "ID,Data Bytes\n0000021A,FE 36 12 FE 69 05 07 AD \n10ABCDEF,01 02 \n",
    timesUs: [null, null],
    frames: ["0 21a#fe3612fe690507ad", "0 10abcdef#0102"],
  },
  {
    name: "Microchip CAN BUS Analyzer",
    text: `//---------------------------------
Microchip Technology Inc.
CAN BUS Analyzer
SavvyCAN Exporter
Logging Started: 23/9/2015 22:17:43
//---------------------------------
166064;RX;0x0000021A;8;0xFE;0x36;0x12;0xFE;0x69;0x05;0x07;0xAD;
166065;TX;0x10ABCDEF;2;0x01;0x02;
`,
    timesUs: [166064000, 166065000],
    frames: ["0 21a#fe3612fe690507ad", "0 10abcdef#0102"],
  },
  {
    name: "CAR BUS Analyzer",
    text:
      "@ TEXT @ 2 @ 64 @ 0 @ 55 @ 10078 @ 00:00:10.078 @\t\r" +
      "46,016\t1\t0004\t21A\t8\tFE 36 12 FE 69 05 07 AD\t00000000\tZ       \t\r" +
      "46,734\t2\t0004\t10ABCDEF\t2\t01 02\t00000000\t$       \t\r",
    timesUs: [46016000, 46734000],
    frames: ["1 21a#fe3612fe690507ad", "2 10abcdef#0102"],
  },
];

for (const { name, text, timesUs, frames } of FORMATS) {
  for (const [ends, as] of [
    ["as written", text],
    ["CRLF", text.replaceAll(/[\r\n]/g, "\r\n")],
    ["no last line end", text.slice(0, -1)],
  ]) {
    for (const chunk of [1 << 20, 1]) {
      test(`${name}, ${ends}, in chunks of ${chunk}`, () => {
        const read = readAll(as ?? "", chunk);
        assert.equal(read.problems, []);
        assert.is(read.format, name);
        assert.equal(read.frames.map(brief), frames);
        assert.equal(
          read.frames.map((f) => f.timeUs),
          timesUs,
        );
      });
    }
  }
  test(`${name}: a line that is cut costs that line`, () => {
    const cut = `${text}${text
      .trimEnd()
      .split(/[\r\n]/)
      .at(-2)
      ?.slice(0, 14)}\n`;
    const read = readAll(cut);
    assert.equal(read.frames.slice(0, frames.length).map(brief), frames);
    assert.ok(read.problems.length + read.frames.length >= frames.length);
  });
}

const CELLS: { why: string; line: string; problem: string | null }[] = [
  { why: "64 bytes", line: `10ABCDEF,${" 11".repeat(64)}`, problem: null },
  { why: "65 bytes", line: `10ABCDEF,${" 11".repeat(65)}`, problem: "65 data bytes" },
  { why: "the largest id", line: "1FFFFFFF,", problem: null },
  { why: "an id too large", line: "20000000,", problem: "id 20000000 has more than 29 bits" },
  { why: "an id that is none", line: "hello,", problem: "the id is no number" },
  { why: "a byte that is none", line: "123,XX", problem: '"XX" is no data byte' },
];
for (const { why, line, problem } of CELLS) {
  test(`cells of a CSV: ${why}`, () => {
    const read = readAll(`ID,Data Bytes\n${line}\n`);
    assert.is(read.frames.length, problem === null ? 1 : 0);
    assert.is(read.problems[0]?.message ?? null, problem);
  });
}

test("what is no log is refused, with its name", () => {
  for (const text of ["hello\n", "\u0000\u0001\n".repeat(100), "a,b,c\n1,2,3\n"]) {
    assert.throws(
      () => readAll(text),
      (e: unknown) => e instanceof LogFormatError && e.message.startsWith("x.log: none of the"),
    );
  }
});

test("an empty log is an empty log", () => {
  assert.equal(readAll("").frames, []);
  assert.equal(readAll("\n\n").frames, []);
});

test("a line without end does not fill memory", () => {
  const reader = readAll(`(1.0) can0 001#11\n${"0".repeat(1 << 20)}\n(1.0) can0 002#22\n`, 4096);
  assert.equal(reader.frames.map(brief), ["can0 001#11", "can0 002#22"]);
  assert.equal(reader.problems, [{ file: "x.log", line: 2, message: "a line without end" }]);
});

test("as an iterable, every frame is its own", async () => {
  const bytes = Buffer.from("(1.0) can0 001#11\n(2.0) can0 002#2233\n");
  const frames = [];
  for await (const frame of readLog([bytes.subarray(0, 20), bytes.subarray(20)])) {
    frames.push(frame);
  }
  assert.equal(frames.map(brief), ["can0 001#11", "can0 002#2233"]);
});

test.run();
