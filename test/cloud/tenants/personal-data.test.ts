/** P-20, P-21, P-31: what personal data leaves behind in the files. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR, CarLog } from "../../conformance/car-log.ts";
import {
  allBytes,
  type TestRegistry,
  tenantDirectories,
  testRegistry,
} from "../../support/tenant-engine.ts";

const test = suite<{ files: TestRegistry }>("personal data");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
});
test.after.each(({ files }) => files.close());

async function demoOf(files: TestRegistry) {
  const tenant = await files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  return tenant.store;
}

/** The same value in the forms in which a file could hold it. */
function forms(value: string | number): readonly Buffer[] {
  if (typeof value === "string") {
    const plain = Buffer.from(value);
    return [
      plain,
      Buffer.from(value, "utf16le"),
      Buffer.from(plain.toString("hex")),
      Buffer.from(plain.toString("base64").replace(/=+$/, "").slice(0, -1)),
    ];
  }
  const bytes = Buffer.alloc(24);
  bytes.writeDoubleBE(value, 0);
  bytes.writeDoubleLE(value, 8);
  bytes.writeFloatBE(value, 16);
  bytes.writeFloatLE(value, 20);
  return [
    Buffer.from(String(value)),
    bytes.subarray(0, 8),
    bytes.subarray(8, 16),
    bytes.subarray(16, 20),
    bytes.subarray(20, 24),
  ];
}

test("P-31 no position, VIN, holder or message in quarantine is in the files", async ({
  files,
}) => {
  const store = await demoOf(files);
  const log = new CarLog();
  const vin = "WVWZZZ1JZXW000001";
  const canaries = [52.123456789, 13.987654321, vin, "holder-canary-17", "quarantine-canary"];
  const time = { bootMs: 3, wallOffsetMs: log.wallOffsetMs, doubtMs: 0 };
  const values = { "Vehicle.VehicleIdentification.VIN": vin };
  await store.commitSegments([
    log.next("track", [
      {
        kind: "position.sampled",
        data: { latitude: 52.123456789, longitude: 13.987654321 },
        ...time,
      },
      { kind: "signals.changed", data: { values }, ...time },
      log.note(4, "note-canary"),
    ]),
  ]);
  await store.putBooking(booking("b-1", 1, { holder: "holder-canary-17" }), AUDIT);
  const payload = new TextEncoder().encode("quarantine-canary");
  await store.quarantine({ vehicle: CAR, reason: "signature", topic: "t", payload });
  const live = allBytes(files.dir);
  await files.registry.close();
  const atRest = allBytes(files.dir);
  for (const bytes of [live, atRest]) {
    assert.ok(bytes.includes("note-canary"), "what is not personal is found, so the search works");
    for (const canary of canaries)
      for (const form of forms(canary)) assert.not(bytes.includes(form), String(canary));
  }
  const again = await files.again();
  const kept = await again.tenant("demo");
  assert.equal(kept?.store.quarantined(0, 10)[0]?.payload, payload);
  assert.is((await kept?.store.booking("b-1"))?.holder, "holder-canary-17");
  const [position] = (await kept?.store.latest(CAR)) ?? [];
  assert.ok(position, "and everything is read back");
});

test("P-31 a destroyed key is in no file any more, in whatever form", async ({ files }) => {
  const store = await demoOf(files);
  const log = new CarLog();
  await store.commitSegments([log.next("state", [log.position(1)])]);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "subjects.sqlite"), { readonly: true });
  const wrapped = db
    .prepare<[string], Buffer>("SELECT wrapped FROM subject_keys WHERE subject = ?")
    .pluck()
    .get(`vehicle:${CAR}`);
  db.close();
  assert.ok(wrapped !== undefined && allBytes(directory).includes(wrapped));
  await store.subjectKeys.destroy(`vehicle:${CAR}`);
  assert.not(allBytes(directory).includes(wrapped ?? ""), "nor in the write-ahead log");
});

test("P-31 no key is in the store's own file, so no backup of it holds one", async ({ files }) => {
  await demoOf(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const databases = readdirSync(directory).filter((name) => name.endsWith(".sqlite"));
  assert.equal(databases.sort(), ["store.sqlite", "subjects.sqlite"]);
  const db = new BetterSqlite3(join(directory, "store.sqlite"), { readonly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
  db.close();
  assert.not(tables.includes("subject_keys"));
});

test("P-20 P-21 every column has its class and its tags, in the live files", async ({ files }) => {
  assert.equal((await demoOf(files)).schemaProblems(), []);
  assert.equal(files.registry.platform.schemaProblems(), []);
});

test("P-21 a column or table without its class or tag is found", async ({ files }) => {
  await demoOf(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const rows: readonly [sql: string, found: RegExp][] = [
    ["ALTER TABLE vehicles ADD COLUMN plate TEXT", /vehicles\.plate: has no class/],
    [
      "ALTER TABLE vehicles ADD COLUMN owner /* whose #PPI */ TEXT",
      /vehicles\.owner: has #PPI, which its class does not give it/,
    ],
    ["CREATE TABLE neighbours (name TEXT)", /neighbours: has no row/],
    [
      "ALTER TABLE bookings DROP COLUMN holder; ALTER TABLE bookings ADD COLUMN holder BLOB",
      /bookings\.holder: lacks #SPI/,
    ],
    [
      "ALTER TABLE people DROP COLUMN profile; ALTER TABLE people ADD COLUMN profile /* CBOR */ BLOB",
      /people\.profile: lacks #PPI/,
    ],
  ];
  for (const [sql, found] of rows) {
    const db = new BetterSqlite3(join(directory, "store.sqlite"));
    db.exec(sql);
    db.close();
    assert.match((await demoOf(files)).schemaProblems().join("\n"), found, sql);
  }
});

test("P-21 a tag after the column's name outlives ALTER TABLE", async ({ files }) => {
  const store = await demoOf(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec("ALTER TABLE bookings RENAME TO bookings_2; ALTER TABLE bookings_2 RENAME TO bookings");
  db.exec(
    "ALTER TABLE bookings ADD COLUMN extra /* more */ TEXT; ALTER TABLE bookings DROP COLUMN extra",
  );
  db.close();
  assert.equal(store.schemaProblems(), []);
});

test.run();
