/** P-50, P-51: nobody changes or removes a record unseen. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CHANNELS,
  ProtocolError,
  randomBytes,
  toHex,
  type VehicleId,
  vehicleId,
} from "@kerbside/protocol";
import type { AuditReport } from "@kerbside/tenants";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";
import { record } from "../commands/recorded.ts";

const test = suite<{ files: TestRegistry; store: string }>("audit");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo", async ({ store }) => {
    await store.audit({ ...AUDIT, reason: "because" });
    await store.audit({ ...AUDIT, outcome: "refused", from: "192.0.2.7" });
    await store.audit(AUDIT);
  });
  const [directory = ""] = tenantDirectories(context.files.dir);
  context.store = join(directory, "store.sqlite");
});
test.after.each(({ files }) => files.close());

async function verify(files: TestRegistry): Promise<AuditReport> {
  const registry = await files.again();
  try {
    const tenant = await registry.tenant("demo");
    if (tenant === undefined) throw new ProtocolError("not_found", "demo");
    return tenant.store.verifyAudit();
  } finally {
    await registry.close();
  }
}

/** Works on the file as somebody would who has it in hand, triggers or not. */
function tamper(file: string, change: (db: BetterSqlite3.Database) => void): void {
  const db = new BetterSqlite3(file);
  db.pragma("journal_mode = DELETE");
  const triggers = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const trigger of triggers)
    if (typeof trigger === "object" && trigger !== null && "name" in trigger)
      db.exec(`DROP TRIGGER ${String(trigger.name)}`);
  change(db);
  db.close();
}

test("P-50 the trail refuses changes, whoever asks", ({ store }) => {
  const db = new BetterSqlite3(store);
  const rows = [
    "UPDATE audit SET actor = 'me' WHERE seq = 1",
    "DELETE FROM audit WHERE seq = 3",
    "DELETE FROM audit",
    "INSERT OR REPLACE INTO audit SELECT seq, at_ms, 'me', action, subject, outcome, reason, origin, hash FROM audit WHERE seq = 1",
    "INSERT INTO audit VALUES (9, 1, 'a', 'b', 'c', 'done', NULL, NULL, x'00')",
  ];
  for (const sql of rows) assert.throws(() => db.exec(sql), /append-only/, sql);
  db.close();
});

test("P-51 an untouched trail verifies, in each place", async ({ files }) => {
  assert.equal(await verify(files), { entries: 3, unanchored: 0, problems: [] });
  const platform = files.registry.platform.verifyAudit();
  assert.equal(platform, { entries: 1, unanchored: 0, problems: [] });
});

test("P-51 what was altered or removed is found", async ({ files, store }) => {
  const whole = readFileSync(store);
  const rows: readonly [sql: string, found: RegExp][] = [
    ["UPDATE audit SET actor = 'somebody else' WHERE seq = 2", /entry 2: does not match/],
    ["UPDATE audit SET reason = NULL WHERE seq = 1", /entry 1: does not match/],
    ["UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 3", /entry 3: does not match/],
    ["DELETE FROM audit WHERE seq = 2", /entries 2 to 2: are missing/],
    ["DELETE FROM audit WHERE seq = 1", /entries 1 to 1: are missing/],
    ["DELETE FROM audit WHERE seq = 3", /entries 3 to 3: were anchored and are missing/],
    ["DELETE FROM audit", /entries 1 to 3: were anchored and are missing/],
  ];
  await files.registry.close();
  for (const [sql, found] of rows) {
    tamper(store, (db) => db.exec(sql));
    const { problems } = await verify(files);
    assert.match(problems.join("\n"), found, sql);
    writeFileSync(store, whole);
  }
});

test("P-51 a chain that was made anew does not match its anchors", async ({ files, store }) => {
  const other = await testRegistry();
  await other.create("demo", async ({ store: forged }) => {
    for (let i = 0; i < 3; i += 1) await forged.audit({ ...AUDIT, actor: "nobody" });
  });
  await other.registry.close();
  await files.registry.close();
  const [directory = ""] = tenantDirectories(other.dir);
  writeFileSync(store, readFileSync(join(directory, "store.sqlite")));
  const { problems } = await verify(files);
  assert.match(problems.join("\n"), /entry 1: is not the one that was anchored/);
  await other.close();
});

test("P-51 an anchor that the tenant's key did not sign is found", async ({ files }) => {
  await files.registry.close();
  const anchors = join(files.dir, "anchors.sqlite");
  const sql = "UPDATE anchors SET hash = zeroblob(32) WHERE seq = 2 AND owner LIKE 'demo%'";
  tamper(anchors, (db) => db.exec(sql));
  const { problems } = await verify(files);
  assert.match(problems.join("\n"), /anchor of entry 2: its signature does not verify/);
});

test("P-51 a change of any byte of an entry is found", async ({ files, store }) => {
  await files.registry.close();
  const whole = readFileSync(store);
  const db = new BetterSqlite3(store, { readonly: true });
  const cells = [
    "actor",
    "action",
    "subject",
    "outcome",
    "reason",
    "origin",
    "hash",
    "at_ms",
    "seq",
  ];
  const places: [seq: number, column: string, bytes: number][] = [];
  for (const column of cells)
    for (let seq = 1; seq <= 3; seq += 1) {
      const bytes = db
        .prepare<[number], number | null>(
          `SELECT length(CAST(${column} AS BLOB)) FROM audit WHERE seq = ?`,
        )
        .pluck()
        .get(seq);
      if (typeof bytes === "number") places.push([seq, column, bytes]);
    }
  db.close();
  for (const [seq, column, bytes] of places)
    for (let at = 0; at < bytes; at += 1) {
      tamper(store, (forged) => {
        const where = `FROM audit WHERE seq = ${seq}`;
        const read = forged.prepare<[], string | number | Buffer>(`SELECT ${column} ${where}`);
        const value = flipped(read.pluck().get(), at);
        forged.prepare(`UPDATE audit SET ${column} = ? WHERE seq = ${seq}`).run(value);
      });
      const { problems } = await verify(files);
      assert.ok(problems.length > 0, `${column} of entry ${seq}, byte ${at}`);
      writeFileSync(store, whole);
    }
});

/** A chain of fifty, as one file that has nothing beside it. */
async function chainOfFifty(files: TestRegistry, store: string): Promise<Buffer> {
  const tenant = await files.registry.tenant("demo");
  for (let i = 3; i < 50; i += 1)
    await tenant?.store.audit({ ...AUDIT, subject: `booking:b-${i}`, reason: `because ${i}` });
  await files.registry.close();
  tamper(store, () => undefined);
  return readFileSync(store);
}

test("P-51 each tail that is cut off a chain of fifty is found", async ({ files, store }) => {
  const whole = await chainOfFifty(files, store);
  for (let kept = 0; kept < 50; kept += 1) {
    tamper(store, (db) => db.prepare("DELETE FROM audit WHERE seq > ?").run(kept));
    const { problems } = await verify(files);
    assert.equal(problems, [`entries ${kept + 1} to 50: were anchored and are missing`]);
    writeFileSync(store, whole);
  }
});

test("P-51 each byte that is flipped in a chain of fifty is found, even without its anchors", async ({
  files,
  store,
}) => {
  await chainOfFifty(files, store);
  // Their signatures would take most of the time, and find the same.
  tamper(join(files.dir, "anchors.sqlite"), (db) => db.exec("DELETE FROM anchors"));
  const registry = await files.again();
  const tenant = await registry.tenant("demo");
  const db = new BetterSqlite3(store);
  const problems = () => tenant?.store.verifyAudit().problems ?? [];
  assert.equal(problems(), [], "untouched it is whole");
  for (const column of ["actor", "action", "subject", "outcome", "reason", "origin", "hash"])
    for (let seq = 1; seq <= 50; seq += 1) {
      const read = db.prepare<[], string | Buffer | null>(
        `SELECT ${column} FROM audit WHERE seq = ${seq}`,
      );
      const value = read.pluck().get();
      if (value === null || value === undefined) continue;
      const write = db.prepare(`UPDATE audit SET ${column} = ? WHERE seq = ${seq}`);
      for (let at = 0; at < Buffer.from(value).length; at += 1) {
        write.run(flipped(value, at));
        assert.ok(problems().length > 0, `${column} of entry ${seq}, byte ${at}`);
      }
      write.run(value);
    }
  assert.equal(problems(), [], "and is so again");
  db.close();
  await registry.close();
});

function flipped(value: string | number | Buffer | undefined, at: number): unknown {
  if (typeof value === "number") return value + 1000;
  const bytes = Buffer.from(value ?? "");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return typeof value === "string" ? bytes.toString("latin1") : bytes;
}

test("P-51 heads of signed commands are anchored within seconds, those of a moment as one", async ({
  files,
}) => {
  const registry = await files.again();
  const store = (await registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  const sign = async (): Promise<void> => {
    const asked = { id: randomBytes(16), vehicle: vehicleId("car-1"), action: "unlock" } as const;
    await record(store, asked);
    await store.signCommand(toHex(asked.id), AUDIT, () => {
      const requestHash = new Uint8Array(32);
      return { requestHash, requestSeal: requestHash };
    });
  };
  await sign();
  await sign();
  assert.is(store.verifyAudit().unanchored, 4, "two asked, two signed");
  await until("the head is anchored", () => store.verifyAudit().unanchored === 0, 10_000);
  await sign();
  await registry.close();
  assert.equal(
    await verify(files),
    { entries: 9, unanchored: 0, problems: [] },
    "at the latest as it closes",
  );
  const anchors = new BetterSqlite3(join(files.dir, "anchors.sqlite"), { readonly: true });
  const kept = anchors
    .prepare("SELECT seq FROM anchors WHERE owner LIKE 'demo%' ORDER BY seq")
    .pluck();
  assert.equal(kept.all(), [1, 2, 3, 7, 9]);
  anchors.close();
});

test("the longest message that a car may send goes into quarantine whole", async ({ files }) => {
  const store = (await files.registry.tenant("demo"))?.store;
  const payload = randomBytes(CHANNELS.up.bytesMax);
  await store?.quarantine({ reason: "signature", topic: "kb/v1/x", payload });
  const [kept] = store?.quarantined(0, 10) ?? [];
  assert.is(Buffer.compare(kept?.payload ?? new Uint8Array(), payload), 0);
});

test("P-50 what goes into quarantine is audited once an hour for a car and a reason", async () => {
  let nowMs = 1_790_000_000_000;
  const files = await testRegistry(() => nowMs);
  await files.create("demo");
  const store = (await files.registry.tenant("demo"))?.store;
  const put = (reason: string, vehicle?: VehicleId) =>
    store?.quarantine({
      reason,
      topic: "t",
      payload: Uint8Array.of(1),
      ...(vehicle && { vehicle }),
    });
  for (let i = 0; i < 20; i += 1) await put("signature", vehicleId("car-1"));
  await put("schema", vehicleId("car-1"));
  await put("signature", vehicleId("car-2"));
  await put("signature");
  nowMs += 3_600_001;
  await put("signature", vehicleId("car-1"));
  const trail = (await store?.auditTrail(0, 100)) ?? [];
  assert.equal(
    trail.map(({ action, subject, reason }) => [action, subject, reason]),
    [
      ["message.quarantine", "vehicle:car-1", "signature"],
      ["message.quarantine", "vehicle:car-1", "schema"],
      ["message.quarantine", "vehicle:car-2", "signature"],
      ["message.quarantine", "tenant:demo", "signature"],
      ["message.quarantine", "vehicle:car-1", "signature"],
    ],
  );
  await files.close();
});

test.run();
