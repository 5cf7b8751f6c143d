import { progressText, readShippedProfile, stampE2e } from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { can, withFiles } from "./harness.ts";

const DBC = `BO_ 291 Engine: 8 A
 SG_ rpm : 0|16@1+ (0.25,0) [0|0] "rpm" A
 SG_ temp : 16|8@1- (1,-40) [0|0] "C" A

BO_ 2566848766 Far: 8 A
 SG_ serial : 0|64@1+ (1,0) [0|0] "" A

BO_ 5 Floats: 8 A
 SG_ a : 0|32@1- (1,0) [0|0] "" A
 SG_ b : 32|32@1- (1,0) [0|0] "" A

BO_ 6 Mux: 2 A
 SG_ sel M : 0|8@1+ (1,0) [0|0] "" A
 SG_ one m1 : 8|8@1+ (1,0) [0|0] "" A
SIG_VALTYPE_ 5 a : 1;
SIG_VALTYPE_ 5 b : 1;
`;

/** Lines as they must be printed, to the character: other programs read them. */
const LINES = [
  {
    why: "scaled and raw",
    frame: "(1700000000.123456) can0 123#A00F5A0000000000",
    line: '{"t":1700000000.123456,"bus":"can0","id":291,"ext":false,"message":"Engine","signals":{"rpm":1000,"temp":50},"raw":{"rpm":4000,"temp":90}}',
  },
  {
    why: "integers above 2^53: a double among the signals, a decimal string among the raw values",
    frame: "(166.000000) vcan1 18FF00FE#FFFFFFFFFFFFFFFF",
    line: '{"t":166,"bus":"vcan1","id":419365118,"ext":true,"message":"Far","signals":{"serial":1.8446744073709552e+19},"raw":{"serial":"18446744073709551615"}}',
  },
  {
    why: "2^53 itself is a number",
    frame: "(0.500000) vcan1 18FF00FE#0000000000002000",
    line: '{"t":0.5,"bus":"vcan1","id":419365118,"ext":true,"message":"Far","signals":{"serial":9.007199254740992e+15},"raw":{"serial":9007199254740992}}',
  },
  {
    why: "values that are no JSON numbers",
    frame: "(1.000001) can0 005#0000C07F000080FF",
    line: '{"t":1.000001,"bus":"can0","id":5,"ext":false,"message":"Floats","signals":{"a":"NaN","b":"-Infinity"},"raw":{"a":"NaN","b":"-Infinity"}}',
  },
  {
    why: "a frame shorter than its message",
    frame: "(1.000000) can0 123#A00F",
    line: '{"t":1,"bus":"can0","id":291,"ext":false,"message":"Engine","signals":{"rpm":1000},"raw":{"rpm":4000}}',
  },
  {
    why: "a multiplexor value that the DBC does not know",
    frame: "(1.000000) can0 006#0709",
    line: '{"t":1,"bus":"can0","id":6,"ext":false,"message":"Mux","signals":{},"raw":{},"unknownMultiplexor":{"sel":7}}',
  },
];
for (const { why, frame, line } of LINES) {
  test(`decode --raw: ${why}`, async () => {
    await withFiles({ "x.dbc": DBC }, async (path) => {
      const ran = await can(["decode", "--raw", "--dbc", path("x.dbc"), "-"], {
        stdin: [`${frame}\n`],
      });
      assert.is(ran.out, `${line}\n`);
      assert.is(ran.code, 0);
    });
  });
}

test("decode: without --raw there is no raw, and without time t is null", async () => {
  await withFiles(
    { "x.dbc": DBC, "log.csv": "ID,Data Bytes\n00000123,A0 0F 5A\n" },
    async (path) => {
      const ran = await can(["decode", "--dbc", path("x.dbc"), path("log.csv")]);
      const expected =
        '{"t":null,"bus":"0","id":291,"ext":false,"message":"Engine","signals":{"rpm":1000,"temp":50}}\n';
      assert.is(ran.out, expected);
      assert.is(ran.err, "1 frame decoded\n");
    },
  );
});

test("decode: what is left out is counted on standard error", async () => {
  const log = `(1.0) can0 123#0000000000000000
(1.0) can0 7FF#00
(1.0) can0 7FF#00
(1.0) can0 123#R
(1.0) can0 20000080#0000000000000000
(1.0) can0 006#FF00
nonsense
`;
  await withFiles({ "x.dbc": DBC, "x.log": log }, async (path) => {
    const ran = await can(["decode", "--dbc", path("x.dbc"), path("x.log")]);
    assert.is(ran.code, 0);
    assert.is(ran.out.trim().split("\n").length, 2);
    assert.is(
      ran.err,
      `${path("x.log")}:7: expected a line of candump\n2 frames decoded, 1 of them with an unknown multiplexor value, 2 unknown to the DBC (of 1 id), 2 error or remote frames, 1 line not understood\n`,
    );
  });
});

test("decode: several DBC files, and the later counts", async () => {
  const other = 'BO_ 291 Newer: 8 A\n SG_ x : 0|8@1+ (1,0) [0|0] "" A\n\nBO_ 7 Other: 1 A\n';
  const frames = ["(1.0) c 123#01\n(1.0) c 007#01\n(1.0) c 006#0102\n"];
  await withFiles({ "a.dbc": DBC, "b.dbc": other }, async (path) => {
    for (const args of [
      ["--dbc", path("a.dbc"), "--dbc", path("b.dbc")],
      ["--dbc", path("a.dbc"), path("b.dbc")],
    ]) {
      const ran = await can(["decode", ...args], { stdin: frames });
      const names = ran.out.match(/"message":"\w+"/g);
      assert.equal(names, ['"message":"Newer"', '"message":"Other"', '"message":"Mux"']);
    }
  });
});

test("decode --profile: VSS signals, with null for what the car does not know", async () => {
  const { dbc, messages } = readShippedProfile("kerbside-sim");
  const vin = "KB1SIM00000000042";
  const part = (at: number, length: number): bigint =>
    BigInt(`0x${Buffer.from(vin.slice(at, at + length)).toString("hex")}`);
  const speed = messages.find(({ name }) => name === "SPEED");
  assert.ok(speed !== undefined);
  const still = dbc.encode("SPEED", { VehicleSpeed: 50 });
  stampE2e(speed, still, 3);
  const wrong = still.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  const frames: [number, Uint8Array][] = [
    [528, dbc.encode("CLUSTER", { Odometer: 4294967295, FuelLevel: 40, Range: 312.5 }, {})],
    [528, dbc.encode("CLUSTER", { Odometer: 4711, FuelLevel: 255, Range: 0 }, { raw: true })],
    [256, still],
    [256, wrong],
    [1776, dbc.encode("VEHICLE_ID", { Vin01To07: part(0, 7) }, { raw: true })],
    [1776, dbc.encode("VEHICLE_ID", { Vin08To14: part(7, 7) }, { raw: true })],
    [1776, dbc.encode("VEHICLE_ID", { Vin15To17: part(14, 3) }, { raw: true })],
    [0x7ef, new Uint8Array(8)],
  ];
  const log = frames.map(([id, data]) => {
    const hex = Buffer.from(data).toString("hex");
    return `(1.0) can0 ${id.toString(16).padStart(3, "0")}#${hex}\n`;
  });
  const ran = await can(["decode", "--profile", "kerbside-sim"], { stdin: log });
  assert.is(ran.code, 0, ran.err);
  const lines = ran.out.trimEnd().split("\n");
  const signals = lines.map((line) => JSON.parse(line).signals);
  const fuel = "Vehicle.Powertrain.FuelSystem.RelativeLevel";
  const distance = "Vehicle.TraveledDistance";
  assert.equal([signals[0][distance], signals[0][fuel]], [null, 40]);
  assert.equal([signals[1][distance], signals[1][fuel]], [4711, null]);
  assert.is(signals[0]["Vehicle.Powertrain.Range"], 312500);
  assert.is(signals[2]["Vehicle.Speed"], 50);
  assert.is(signals[3]["Vehicle.Speed"], null, "its checksum is wrong");
  const vins = [{}, {}, { "Vehicle.VehicleIdentification.VIN": vin }];
  assert.equal(signals.slice(4), vins, "a text comes with the frame that completes it");
  assert.is(ran.err, "7 frames decoded, 1 unknown to the DBC (of 1 id)\n");
});

const WRONG: { why: string; args: string[]; code: number; says: RegExp }[] = [
  { why: "no command", args: [], code: 2, says: /can COMMAND/ },
  { why: "a command that is none", args: ["fly"], code: 2, says: /no command "fly"/ },
  { why: "a name that every object has", args: ["constructor"], code: 2, says: /no command/ },
  { why: "no DBC", args: ["decode"], code: 2, says: /--dbc FILE is missing/ },
  { why: "an unknown flag", args: ["decode", "--wat"], code: 2, says: /--wat/ },
  { why: "two logs", args: ["decode", "--dbc", "x", "a", "b"], code: 2, says: /one log at a time/ },
  { why: "no such DBC", args: ["decode", "--dbc", "/no/x.dbc"], code: 1, says: /no such file/ },
  { why: "no such profile", args: ["decode", "--profile", "/no/p"], code: 1, says: /\/no\/p/ },
  { why: "an interval", args: ["monitor", "--interval", "1"], code: 2, says: /50 to 60000/ },
];
for (const { why, args, code, says } of WRONG) {
  test(`used wrongly: ${why}`, async () => {
    const ran = await can(args);
    assert.is(ran.code, code);
    assert.match(ran.err, says);
    assert.is(ran.out, "");
  });
}

test("a DBC with a problem is read, and refused under --strict", async () => {
  const bad = `${DBC}\nBO_ what\n`;
  await withFiles(
    { "x.dbc": bad, "x.log": "(1.0) c 123#01\n", "no.dbc": "hello" },
    async (path) => {
      const tolerant = await can(["decode", "--dbc", path("x.dbc"), path("x.log")]);
      assert.is(tolerant.code, 0);
      assert.match(tolerant.err, /x\.dbc:\d+:\d+: error: expected a message id, found "what"\n/);
      const strict = await can(["decode", "--strict", "--dbc", path("x.dbc"), path("x.log")]);
      assert.is(strict.code, 1);
      assert.is(strict.out, "");
      const none = await can(["decode", "--dbc", path("no.dbc"), path("x.log")]);
      assert.is(none.code, 1);
      assert.match(none.err, /no message was found in it/);
      const noLog = await can(["decode", "--dbc", path("x.dbc"), path("no.dbc")], { stdin: ["?"] });
      assert.is(noLog.code, 1);
    },
  );
});

test("a person who looks at a long file sees how far it is", async () => {
  assert.match(progressText(30, 120, 5000, 2), /^█{6}░{18} {2}25 % {2}2500 frames\/s {2}6 s left$/);
  assert.is(progressText(30, null, 5000, 2), "5000 frames, 2500 frames/s");
});

test("help names every flag", async () => {
  for (const args of [["--help"], ["decode", "--help"], ["monitor", "--help"]]) {
    const ran = await can(args);
    assert.is(ran.code, 0);
    assert.match(ran.out, /kerbside-agent can/);
  }
});

test("a reader that goes away ends the command in peace", async () => {
  const lines = "(1.0) can0 123#A00F5A0000000000\n".repeat(50_000);
  await withFiles({ "x.dbc": DBC, "x.log": lines }, async (path) => {
    const { PassThrough } = await import("node:stream");
    const stdout = new PassThrough();
    stdout.once("data", () => {
      stdout.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    });
    const ran = await can(["decode", "--dbc", path("x.dbc"), path("x.log")], { more: { stdout } });
    assert.is(ran.code, 0, ran.err);
  });
});

test.run();
