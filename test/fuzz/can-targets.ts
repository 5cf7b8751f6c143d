/** Whatever bytes come as a DBC file or a log: refused or reported, never a crash, and never wrong values. */
import assert from "node:assert/strict";
import {
  type CanFrame,
  compileDbc,
  DbcError,
  formatCandump,
  LogFormatError,
  LogReader,
  parseDbc,
} from "@kerbside/can";
import { randomDbc } from "../device/can/dbc/random-dbc.ts";
import { asRawValue, referenceDecode, referencePhysical } from "../device/can/dbc/reference.ts";
import type { Random } from "./random.ts";
import { type FuzzTarget, spoil } from "./target.ts";

const DBC_WORDS: readonly string[] = [
  ...["BO_ 5 M: 8 A\n", ' SG_ s m1M : 0|8@1+ (1,0) [0|0] "" A\n', "SG_MUL_VAL_ 1 m0 sel 0-9;\n"],
  ...['VAL_ 1 sel 1 "x" ;\n', "SIG_VALTYPE_ 1 s1 : 1;\n", 'CM_ SG_ 1 s1 "', 'BA_ "X" BO_ 1 2;\n'],
  ...[
    "NS_ :\n",
    "BU_: ",
    'VERSION "',
    '"',
    '\\"',
    ";",
    "\n",
    "//",
    "1e308",
    "-1",
    "0|",
    "@0-",
    "m0M",
  ],
  ...[
    "4294967295",
    "18446744073709551615",
    "VECTOR__INDEPENDENT_SIG_MSG",
    "(0,0)",
    "1e-400",
    "__proto__",
  ],
];

/** Decoding is slower than parsing: a part of the inputs is decoded too. */
const DECODED_PART = 0.2;
const MESSAGES_DECODED_MAX = 4;

function fuzzDbc(random: Random): void {
  const bytes = random.bool(0.05)
    ? random.bytes(random.int(2000))
    : spoil(random, Buffer.from(randomDbc(random, 1 + random.int(4))), DBC_WORDS);
  const dbc = parseDbc(bytes, { file: "f" });
  for (const { line, column } of dbc.problems) assert.ok(line >= 1 && column >= 1);
  try {
    parseDbc(bytes, { strict: true });
    assert.equal(dbc.problems.length, 0);
  } catch (error) {
    if (!(error instanceof DbcError)) throw error;
    assert.ok(dbc.problems.length > 0);
  }
  if (!random.bool(DECODED_PART)) return;
  for (const compiled of compileDbc(dbc).messages.slice(0, MESSAGES_DECODED_MAX)) {
    const { message } = compiled;
    const data = random.bytes(random.bool() ? Math.min(64, message.length) : random.int(65));
    const expected = referenceDecode(message, data);
    const signals = compiled.decode(data);
    const raw = compiled.decodeRaw(data);
    assert.equal(signals === null, expected === null);
    for (const [name, value] of expected ?? []) {
      // Of signals with one name the later present one counts; which is which only the reference knows.
      const same = message.signals.filter((s) => s.name === name);
      const [signal] = same;
      if (signal === undefined || same.length > 1) continue;
      assert.ok(Object.is(signals?.[name], referencePhysical(signal, value)), name);
      assert.ok(Object.is(raw?.[name], asRawValue(signal, value)), name);
    }
  }
}

const LOG_STARTS: readonly string[] = [
  "***BUSMASTER Ver 2.4.0***\n***HEX***\n***SYSTEM MODE***\n22:20:14:992 Rx 0 0000021A s 8 FE 36 12 FE 69 05 07 AD\n",
  "166.064000 CXX x\n166.064000 R11 0000021A FE 36 12\n166.1 2R29 10ABCDEF 01\n",
  "Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n166064000,0000021A,false,0,3,FE,36,12,00,00,00,00,00,\n",
  "ID,Data Bytes\n0000021A,FE 36 12\n10ABCDEF,\n",
  "166064;RX;0x0000021A;3;0xFE;0x36;0x12;\n",
  "@ TEXT @ 2 @\t\r46,016\t1\t0004\t45A\t2\t5A 04\t00000000\tZ\t\r",
  "(1.5) can0 123#1122\n(1.6) can0 18FEF1FE##10011223344556677889900\n(1.7) can0 123#R\n",
  " (1.5)  can0  TX - -  123   [2]  11 22   '.\"'\n  can0  20000080   [8]  00`00`00`00`00`00`00`00   ERRORFRAME\n",
];
const LOG_WORDS: readonly string[] = [
  ...[
    "(",
    ")",
    "#",
    "##",
    "[8]",
    "R",
    "\t",
    "\r",
    "\r\n",
    "\n",
    ",",
    ";",
    "0x",
    "FFFFFFFF",
    ".",
    "_",
  ],
  ...[
    "***DEC***\n",
    "***RELATIVE MODE***\n",
    "ERRORFRAME",
    "remote request",
    "`",
    "99999999999999999999",
  ],
];

function readLog(bytes: Uint8Array, chunk: number): string | null {
  const lines: string[] = [];
  const onFrame = (frame: CanFrame): void => {
    const { id, ext, data, timeUs, fd, kind } = frame;
    assert.ok(
      Number.isInteger(id) && id >= 0 && id <= (ext || kind === "error" ? 0x1fffffff : 0x7ff),
    );
    assert.ok(data.length <= (fd || kind === "error" ? 64 : 8));
    assert.ok(timeUs === null || Number.isFinite(timeUs));
    lines.push(formatCandump(frame));
  };
  const onProblem = ({ line, message }: { line: number; message: string }): void => {
    assert.ok(line >= 1 && message !== "");
    lines.push(`${line}: ${message}`);
  };
  const reader = new LogReader({ file: "f", onFrame, onProblem });
  try {
    for (let i = 0; i < bytes.length; i += chunk) reader.push(bytes.subarray(i, i + chunk));
    reader.end();
  } catch (error) {
    if (!(error instanceof LogFormatError)) throw error;
    return null;
  }
  return lines.join("\n");
}

function fuzzLog(random: Random): void {
  const clean = Buffer.from(random.pick(LOG_STARTS).repeat(1 + random.int(3)));
  const bytes = random.bool(0.05) ? random.bytes(random.int(500)) : spoil(random, clean, LOG_WORDS);
  const whole = readLog(bytes, 1 << 20);
  assert.equal(readLog(bytes, 1 + random.int(20)), whole);
}

export const canTargets: readonly FuzzTarget[] = [
  {
    name: "dbc",
    why: "any bytes as a DBC file are read or reported; what was read decodes as the bit-by-bit decoder does",
    run: fuzzDbc,
  },
  {
    name: "log",
    why: "any bytes as a log give frames within bounds or problems with lines, however they are cut into chunks",
    run: fuzzLog,
  },
];
