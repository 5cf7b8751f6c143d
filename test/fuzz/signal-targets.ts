/** Profiles, schemes, expressions, NMEA, the simulator's socket and ISO-TP: whatever comes is refused or read, in bounds. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  checkProfile,
  checkScheme,
  compileExpression,
  createIsoTpLink,
  ExpressionError,
  encodeFrameRecord,
  encodeRefusedRecord,
  encodeStateRecord,
  frameProblem,
  GREETING,
  hear,
  POSITION_START,
  readShippedProfile,
  readShippedScheme,
  SentenceSplitter,
  WireDecoder,
  WireError,
} from "@kerbside/can";
import { manualClock } from "../support/runtime.ts";
import type { Random } from "./random.ts";
import { type FuzzTarget, spoil } from "./target.ts";

const { profile } = readShippedProfile("kerbside-sim");
const PROFILE = Buffer.from(JSON.stringify(profile));
const DBC = readFileSync(
  new URL("../../device/can/profiles/kerbside-sim/kerbside-sim.dbc", import.meta.url),
);
const SCHEME = readShippedScheme("car-sharing");
const JSON_WORDS = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "null",
  "1e999",
  "-1",
  '"x"',
  "\\u0000",
  "__proto__",
];

function fuzzProfile(random: Random): void {
  const json = spoil(random, PROFILE, [...JSON_WORDS, '"math":"x*', '"signal":"SPEED.']);
  const { compiled, problems } = checkProfile({ file: "f", json, dbc: () => DBC });
  assert.ok(compiled !== undefined || problems.length > 0);
  for (const { path, message } of problems) assert.ok(path === "" || path.startsWith("/"), message);
}

function fuzzScheme(random: Random): void {
  const json = spoil(random, SCHEME, [...JSON_WORDS, '"on":"trip"', "Vehicle.Speed", " and "]);
  const { checked, problems } = checkScheme("f", json, profile);
  assert.ok(checked !== undefined || problems.length > 0);
}

const EXPRESSION_WORDS = [
  "x",
  "on",
  "s",
  "(",
  ")",
  "min(",
  "known(",
  "?",
  ":",
  "and",
  "==",
  "'t'",
  "1e9",
  "-",
  "!",
  "%",
];

function fuzzExpression(random: Random): void {
  const words = Array.from({ length: random.int(30) }, () => random.pick(EXPRESSION_WORDS));
  const source = random.bool(0.2)
    ? Buffer.from(random.bytes(random.int(200))).toString("latin1")
    : words.join(random.bool() ? " " : "");
  try {
    const types = { x: "number", on: "boolean", s: "string" } as const;
    const scope = (name: string): "number" | "boolean" | "string" | undefined =>
      name === "x" || name === "on" || name === "s" ? types[name] : undefined;
    const { evaluate, type } = compileExpression(source, scope);
    for (const known of [true, false]) {
      const values = { x: 1.5, on: true, s: "t" };
      const read = (name: string): number | boolean | string | undefined =>
        known && (name === "x" || name === "on" || name === "s") ? values[name] : undefined;
      const value = evaluate(read);
      assert.ok(value === undefined || typeof value === type, `${source}: ${value}`);
      assert.ok(typeof value !== "number" || Number.isFinite(value), source);
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    assert.ok(error.column >= 1);
  }
}

const NMEA = Buffer.from(
  "$GPRMC,120000.00,A,4806.0000,N,01130.0000,E,20,90.0,211126,,,A*48\r\n" +
    "$GPGGA,120000.00,4806.0000,N,01130.0000,E,1,08,0.9,520.5,M,47.0,M,,*6F\r\n",
);

function checked(body: string): Buffer {
  const sum = [...body].reduce((x, char) => x ^ char.charCodeAt(0), 0) & 0xff;
  return Buffer.from(`$${body}*${sum.toString(16).padStart(2, "0")}\r\n`, "latin1");
}

function fuzzNmea(random: Random): void {
  const spoilt = Buffer.from(spoil(random, NMEA, [",", "$", "*", "\n", "1e999", "-", "NaN"]));
  const lines = spoilt.toString("latin1").split("\n");
  // Half of them with a checksum that holds, or nothing would get past it.
  const bytes = random.bool()
    ? Buffer.concat(lines.map((line) => checked(line.replace(/^\$|\*.*$/gs, ""))))
    : spoilt;
  let state = POSITION_START;
  for (const sentence of new SentenceSplitter().push(bytes)) {
    const step = hear(state, sentence, random.int(100_000));
    state = step.state;
    if (step.heard.kind !== "fix") continue;
    const { latitude, longitude, accuracyM } = step.heard.fix;
    assert.ok(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && accuracyM >= 0, sentence);
  }
}

const WIRE = Buffer.concat([
  GREETING,
  encodeFrameRecord(
    { timeUs: 5, id: 0x123, ext: false, kind: "data", fd: false, data: Uint8Array.of(1, 2, 3) },
    0,
  ),
  encodeStateRecord("busOff", "why"),
  encodeRefusedRecord("late"),
  encodeFrameRecord(
    { timeUs: null, id: 0x18fef31c, ext: true, kind: "data", fd: true, data: new Uint8Array(64) },
    1,
  ),
]);

function fuzzWire(random: Random): void {
  const bytes = spoil(random, WIRE, ["F", "S", "R", "\0", "KBCAN/1\n"]);
  const decoder = new WireDecoder("f");
  try {
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + random.int(40);
      for (const record of decoder.push(bytes.subarray(at, end))) {
        if (record.type !== "frame" || record.frame.kind !== "data") continue;
        const { id, ext, data } = record.frame;
        assert.equal(frameProblem({ id, ext, data: data.subarray(0, 8) }), undefined);
      }
      at = end;
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
}

const ISOTP_FRAMES_MAX = 40;

function fuzzIsoTp(random: Random): void {
  const clock = manualClock();
  const fd = random.bool(0.3);
  let sent = 0;
  const link = createIsoTpLink({
    txId: 1,
    rxId: 2,
    ext: false,
    fd,
    clock,
    send: () => {
      sent += 1;
      return { sent: true };
    },
    onMessage: (message) => assert.ok(message.length > 0 && message.length <= 4095),
  });
  if (random.bool()) link.send(random.bytes(1 + random.int(500))).catch(() => undefined);
  for (let i = random.int(ISOTP_FRAMES_MAX); i >= 0; i--) {
    const data = random.bytes(random.int(fd ? 65 : 9));
    if (data.length > 0 && random.bool(0.9)) data[0] = (random.int(4) << 4) | random.int(16);
    link.take({ timeUs: null, bus: "", id: 2, ext: false, kind: "data", fd, data });
    clock.pass(random.int(300));
  }
  clock.pass(10_000);
  assert.ok(sent <= 500 + ISOTP_FRAMES_MAX, `${sent} frames`);
  link.close();
}

export const signalTargets: readonly FuzzTarget[] = [
  { name: "profile", why: "a profile is compiled, or refused with paths", run: fuzzProfile },
  { name: "scheme", why: "a scheme is accepted, or refused with paths", run: fuzzScheme },
  { name: "expression", why: "a value of its type, unknown, or an error", run: fuzzExpression },
  { name: "nmea", why: "a fix on this earth, or none", run: fuzzNmea },
  { name: "bus", why: "frames that a bus could carry, or the connection ends", run: fuzzWire },
  { name: "isotp", why: "messages within bounds, and a bounded answer", run: fuzzIsoTp },
];
