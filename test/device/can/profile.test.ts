import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import {
  CHECKSUMS,
  checkProfile,
  checksumOf,
  loadProfile,
  type ProfileCheck,
  ProfileError,
  readShippedProfile,
  runProfile,
  shippedProfiles,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../../support/seeded.ts";

const DBC = `VERSION ""
BO_ 256 A: 8 X
 SG_ Speed : 0|16@1+ (0.1,0) [0|400] "km/h" X
 SG_ Door : 16|2@1+ (1,0) [0|3] "" X
 SG_ Fuel : 24|8@1+ (1,0) [0|255] "l" X
 SG_ Count : 32|4@1+ (1,0) [0|15] "" X
 SG_ Half : 36|4@1+ (1,0) [0|15] "" X
 SG_ Check : 40|8@1+ (1,0) [0|255] "" X
VAL_ 256 Door 0 "closed" 1 "open" 3 "SNA" ;
VAL_ 256 Fuel 255 "not available" ;
`;

type Json = Record<string, unknown>;

/** A profile that is right, with changes. */
function document(changes: Json = {}): Json {
  return {
    format: 1,
    name: "test-car",
    version: 1,
    title: "A car",
    powertrain: "combustion",
    dbc: ["a.dbc"],
    messages: { A: { periodMs: 20 } },
    signals: { "Vehicle.Speed": { dbc2vss: { signal: "A.Speed", interval_ms: 20 } } },
    capabilities: { actions: ["lock", "unlock"] },
    interlocks: {
      standstillMs: 2000,
      standstillKmhMax: 0.5,
      awakeFreshMs: 1000,
      asleepAfterMs: 5000,
    },
    limits: {},
    ...changes,
  };
}

const check = (json: unknown): ProfileCheck =>
  checkProfile({
    file: "p.json",
    json: typeof json === "string" ? json : JSON.stringify(json),
    dbc: (name) => (name === "a.dbc" ? new TextEncoder().encode(DBC) : undefined),
  });
const leaf = (name: string, dbc2vss: Json): Json => ({
  signals: { [name]: { dbc2vss: { interval_ms: 20, ...dbc2vss } } },
});
const OPEN = "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen";

const WRONG: readonly [why: string, json: unknown, path: string, message: RegExp][] = [
  ["no JSON", "{", "", /no JSON/],
  ["no object", "[]", "", /object/],
  ["an unknown key", document({ wheels: 4 }), "/wheels", /unknown key/],
  ["a key that reaches beyond", '{"__proto__":{}}', "", /not allowed/],
  ["too long", " ".repeat(2 ** 20 + 1), "", /more than/],
  [
    "no such signal of VSS",
    document(leaf("Vehicle.Sped", { signal: "A.Speed" })),
    "/signals/Vehicle.Sped",
    /unknown key/,
  ],
  ["no such file", document({ dbc: ["b.dbc"] }), "/dbc/0", /no such file/],
  ["a file elsewhere", document({ dbc: ["../a.dbc"] }), "/dbc/0", /pattern/],
  ["no such message", document({ messages: { B: {} } }), "/messages/B", /no DBC has/],
  [
    "no such message of a signal",
    document(leaf("Vehicle.Speed", { signal: "B.Speed" })),
    "/signals/Vehicle.Speed/dbc2vss/signal",
    /message B/,
  ],
  [
    "no such signal of a message",
    document(leaf("Vehicle.Speed", { signal: "A.Sped" })),
    "/signals/Vehicle.Speed/dbc2vss/signal",
    /no signal Sped/,
  ],
  [
    "neither signal nor text",
    document(leaf("Vehicle.Speed", {})),
    "/signals/Vehicle.Speed/dbc2vss",
    /either/,
  ],
  [
    "arithmetic that is none",
    document(leaf("Vehicle.Speed", { signal: "A.Speed", transform: { math: "x +" } })),
    "/signals/Vehicle.Speed/dbc2vss/transform/math",
    /column 4/,
  ],
  [
    "arithmetic of another type",
    document(leaf("Vehicle.Speed", { signal: "A.Speed", transform: { math: "x > 1" } })),
    "/signals/Vehicle.Speed/dbc2vss/transform/math",
    /expected a number/,
  ],
  [
    "arithmetic over something else",
    document(leaf("Vehicle.Speed", { signal: "A.Speed", transform: { math: "y" } })),
    "/signals/Vehicle.Speed/dbc2vss/transform/math",
    /no variable y/,
  ],
  [
    "both transforms",
    document(leaf("Vehicle.Speed", { signal: "A.Speed", transform: { math: "x", mapping: [] } })),
    "/signals/Vehicle.Speed/dbc2vss/transform",
    /./,
  ],
  [
    "a word that no value has",
    document(
      leaf(OPEN, { signal: "A.Door", transform: { mapping: [{ from: "ajar", to: true }] } }),
    ),
    `/signals/${OPEN}/dbc2vss/transform/mapping/0/from`,
    /called "ajar"/,
  ],
  [
    "a value that the leaf cannot have",
    document(leaf(OPEN, { signal: "A.Door", transform: { mapping: [{ from: "open", to: 1 }] } })),
    `/signals/${OPEN}/dbc2vss/transform/mapping/0/to`,
    /true or false/,
  ],
  [
    "a value mapped twice",
    document(
      leaf(OPEN, {
        signal: "A.Door",
        transform: {
          mapping: [
            { from: "open", to: true },
            { from: 1, to: false },
          ],
        },
      }),
    ),
    `/signals/${OPEN}/dbc2vss/transform/mapping/1/from`,
    /twice/,
  ],
  [
    "an unknown code without a word",
    document(leaf("Vehicle.Speed", { signal: "A.Speed", unknown: ["SNA"] })),
    "/signals/Vehicle.Speed/dbc2vss/unknown/0",
    /called "SNA"/,
  ],
  [
    "text of half bytes",
    document(leaf("Vehicle.VehicleIdentification.VIN", { text: ["A.Half"] })),
    "/signals/Vehicle.VehicleIdentification.VIN/dbc2vss/text/0",
    /whole bytes/,
  ],
  [
    "text without text",
    document(leaf("Vehicle.VehicleIdentification.VIN", { signal: "A.Speed" })),
    "/signals/Vehicle.VehicleIdentification.VIN/dbc2vss",
    /needs "text"/,
  ],
  [
    "a counter that cannot count so far",
    document({ messages: { A: { e2e: { counter: { signal: "Count", modulus: 17 } } } } }),
    "/messages/A/e2e/counter/signal",
    /hold 16/,
  ],
  [
    "a checksum of half a byte",
    document({
      messages: { A: { e2e: { checksum: { signal: "Half", algorithm: "xor8", dataId: 0 } } } },
    }),
    "/messages/A/e2e/checksum/signal",
    /one byte/,
  ],
  [
    "immobilising a car whose ignition is not seen",
    document({ capabilities: { actions: ["immobilise"] } }),
    "/capabilities/actions",
    /needs Vehicle.LowVoltageSystemState/,
  ],
  [
    "standstill of less than 2 s",
    document({
      interlocks: {
        standstillMs: 100,
        standstillKmhMax: 0.5,
        awakeFreshMs: 1000,
        asleepAfterMs: 5000,
      },
    }),
    "/interlocks/standstillMs",
    /2000/,
  ],
];
test("what is wrong in a profile is named with its path, and refuses the whole of it", () => {
  for (const [why, json, path, message] of WRONG) {
    const { compiled, problems } = check(json);
    assert.is(compiled, undefined, why);
    const found = problems.find((p) => p.path === path && message.test(p.message));
    assert.ok(found, `${why}: ${JSON.stringify(problems)}`);
    assert.is(found?.severity, "error");
  }
  assert.ok(check(document()).compiled);
  assert.throws(
    () => loadProfile({ file: "p.json", json: "{", dbc: () => undefined }),
    (error: unknown) => error instanceof ProfileError && error.problems.length === 1,
  );
});

test("what is most likely a mistake is told, and accepted", () => {
  const rows: readonly [why: string, json: Json, message: RegExp][] = [
    [
      "a word that means nothing is taken for a value",
      document(leaf("Vehicle.Powertrain.FuelSystem.RelativeLevel", { signal: "A.Fuel" })),
      /"not available" and is taken/,
    ],
    ["no period", document({ messages: {} }), /no expected period/],
    [
      "faster than its message",
      document(leaf("Vehicle.Speed", { signal: "A.Speed", interval_ms: 10 })),
      /faster than/,
    ],
  ];
  for (const [why, json, message] of rows) {
    const { compiled, problems } = check(json);
    assert.ok(compiled, why);
    assert.ok(
      problems.some((p) => p.severity === "warning" && message.test(p.message)),
      why,
    );
  }
});

test("checksums are those of their standards", () => {
  const digits = Uint8Array.from("123456789", (c) => c.charCodeAt(0));
  // The check values of the catalogue of CRC algorithms are over the data alone: no byte of an id, no byte left out.
  const table = (polynomial: number): number => {
    let crc = 0xff;
    for (const byte of digits) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x80 ? polynomial : 0);
      crc &= 0xff;
    }
    return crc ^ 0xff;
  };
  assert.is(table(0x1d), 0x4b, "CRC-8/SAE-J1850");
  assert.is(table(0x2f), 0xdf, "CRC-8/AUTOSAR");
  // The id's bytes come first (J1850) or last (AUTOSAR): so they may stand for the first or last digits.
  const j1850 = checksumOf("crc8-sae-j1850", 0x3132, digits.slice(2), -1);
  assert.is(j1850, 0x4b);
  assert.is(checksumOf("crc8-autosar", 0x39, digits.slice(0, 8), -1), 0xdf);
  assert.is(checksumOf("xor8", 0, Uint8Array.of(1, 2, 99), 2), 3);
  assert.is(checksumOf("sum8", 0x0102, Uint8Array.of(250, 10, 99), 2), (250 + 10 + 3) & 0xff);
  // As a car of that make sends it: id 0x2E4, 5 bytes, the last of which is the sum.
  assert.is(checksumOf("sum8-id-length", 0x2e4, Uint8Array.of(0xb2, 0, 0, 0, 0), 4), 0x9d);
  assert.is(CHECKSUMS.length, 5);
});

test("each profile that comes with the agent is right, with no warning", () => {
  assert.ok(shippedProfiles().includes("kerbside-sim"));
  for (const name of shippedProfiles()) {
    const out = run("check", join("device/can/profiles", name), "--strict");
    assert.is(out.status, 0, out.text);
    assert.is(readShippedProfile(name).profile.name, name, "named as its folder");
  }
  assert.throws(() => readShippedProfile("../../etc"), /no such profile/);
});

function run(...args: string[]): {
  readonly status: number;
  readonly text: string;
  readonly errors: string;
} {
  let text = "";
  let errors = "";
  const sink = (take: (chunk: string) => void): Writable =>
    new Writable({
      write: (chunk, _, done) => {
        take(String(chunk));
        done();
      },
    });
  const root = new URL("../../../", import.meta.url).pathname;
  const status = runProfile(
    args.map((arg) => (arg.startsWith("device/") ? join(root, arg) : arg)),
    { stdout: sink((chunk) => (text += chunk)), stderr: sink((chunk) => (errors += chunk)) },
  );
  return { status, text, errors };
}

test("the command checks files and schemes, lists, prints the schemas, and tells how it is used", () => {
  const scheme = "device/can/schemes/shipped/car-sharing.json";
  const good = run("check", "--scheme", scheme, "device/can/profiles/kerbside-sim");
  assert.is(good.status, 0, good.text);
  assert.is(
    run("check", "--strict", "--scheme", scheme, "device/can/profiles/kerbside-sim").status,
    1,
  );
  const missing = run("check", "--json", "/no/such/file.json");
  assert.is(missing.status, 1);
  assert.match(JSON.parse(missing.text).message, /ENOENT/);
  const folder = mkdtempSync(join(tmpdir(), "kerbside-profile-"));
  writeFileSync(join(folder, "profile.json"), "{}");
  assert.is(run("check", folder).status, 1);
  rmSync(folder, { recursive: true });
  assert.match(run("list").text, /^kerbside-sim$/m);
  for (const args of [[], ["check"], ["fly"], ["check", "--colour", "x"], ["schema", "car"]]) {
    const wrong = run(...args);
    assert.is(wrong.status, 2, args.join(" "));
    assert.match(wrong.errors, /kerbside-agent profile check/);
  }
  for (const [which, file] of [
    ["profile", "profile/profile.schema.json"],
    ["scheme", "schemes/scheme.schema.json"],
  ] as const) {
    const committed = readFileSync(new URL(`../../../device/can/${file}`, import.meta.url), "utf8");
    const why = `kerbside-agent profile schema ${which} > device/can/${file}`;
    assert.equal(JSON.parse(run("schema", which).text), JSON.parse(committed), why);
  }
});

test("any damage to a profile is found or makes another profile, and never throws", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const text = JSON.stringify(document());
  const parts = ['"', "{", "}", "[", "]", ",", ":", "null", "1e999", "-1", "\\u0000", '"x"', "é"];
  for (let i = 0; i < 3000; i++) {
    const at = Math.floor(random() * text.length);
    const cut = Math.floor(random() * 8);
    const part = parts[Math.floor(random() * parts.length)];
    const spoiled = text.slice(0, at) + part + text.slice(at + cut);
    const { compiled, problems } = check(spoiled);
    assert.ok(compiled !== undefined || problems.length > 0, `seed ${seed}: ${spoiled}`);
  }
});

test.run();
