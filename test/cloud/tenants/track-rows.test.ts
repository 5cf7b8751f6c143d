/** A store that kept the track lane as rows gives the same events once they are chunks. */
import { join } from "node:path";
import { EVENT_KINDS, encodeCbor, eventDataCodec, LANES, ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CAR, CarLog } from "../../conformance/car-log.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const test = suite<{ files: TestRegistry }>("track as rows");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
});
test.after.each(({ files }) => files.close());

async function demoOf(files: TestRegistry, registry = files.registry) {
  const tenant = await registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  return tenant.store;
}

const SEGMENTS = 70;

const LANE = LANES.indexOf("track");

/** Writes segments and turns their chunks into rows, as the release before chunks kept them. */
async function rowStore(files: TestRegistry): Promise<readonly string[]> {
  const store = await demoOf(files);
  const log = new CarLog();
  const segments = Array.from({ length: SEGMENTS }, (_, i) =>
    log.next("track", [log.position(10 * i), log.note(10 * i + 1, `n${i}`), log.position(5)]),
  );
  await store.commitSegments(segments);
  const before = (await store.events({ limit: 1000 })).items;
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  const segmentIds = db
    .prepare<[], number>("SELECT segment_id FROM chunks ORDER BY first_seq")
    .pluck()
    .all();
  const insert = db.prepare("INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?, ?)");
  for (const item of before) {
    if (!("data" in item)) continue;
    const { seq, atMs, kind } = item;
    const plain = encodeCbor(eventDataCodec(kind).toCbor(item.data, kind));
    const { code } = EVENT_KINDS[kind];
    const isPersonal = kind === "position.sampled";
    const bound = Buffer.concat([
      Buffer.from(`kerbside/v1/event\ndemo\n${CAR}\n`),
      log.log,
      ...[LANE, seq, code].map((n) => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64BE(BigInt(n));
        return bytes;
      }),
    ]);
    const sealed = isPersonal
      ? await store.subjectKeys.seal(`vehicle:${CAR}`, plain, bound)
      : plain;
    insert.run(
      LANE,
      seq,
      segmentIds[Math.floor((seq - 1) / 3)],
      atMs,
      code,
      isPersonal ? 1 : 0,
      sealed,
    );
  }
  db.exec("DELETE FROM chunks");
  db.close();
  return before.map((item) => JSON.stringify(item));
}

async function listed(files: TestRegistry, registry = files.registry): Promise<readonly string[]> {
  const { items } = await (await demoOf(files, registry)).events({ limit: 1000 });
  return items.map((item) => JSON.stringify(item));
}

function counts(files: TestRegistry): { rows: unknown; chunks: unknown } {
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"), { readonly: true });
  const count = (table: string): unknown =>
    db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  const found = { rows: count("events"), chunks: count("chunks") };
  db.close();
  return found;
}

test("rows are listed as they were, before and after they are moved", async ({ files }) => {
  const before = await rowStore(files);
  assert.equal(await listed(files), before, "as rows");
  const again = await files.again();
  assert.equal(await listed(files, again), before, "as chunks");
  assert.equal(counts(files), { rows: 0, chunks: SEGMENTS });
  assert.equal(await listed(files), before, "by a process that had it open");
});

test("a move that is cut off goes on at the next opening", async ({ files }) => {
  const before = await rowStore(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec(
    "CREATE TRIGGER cut BEFORE INSERT ON chunks WHEN (SELECT count(*) FROM chunks) >= 40 " +
      "BEGIN SELECT RAISE(ABORT, 'cut'); END",
  );
  await demoOf(files, await files.again()).then(
    () => assert.unreachable("expected the move to be cut off"),
    (error: unknown) => assert.instance(error, ProtocolError),
  );
  assert.equal(counts(files), { rows: 3 * (SEGMENTS - 32), chunks: 32 });
  assert.equal(await listed(files), before, "half moved");
  db.exec("DROP TRIGGER cut");
  db.close();
  assert.equal(await listed(files, await files.again()), before);
  assert.equal(counts(files), { rows: 0, chunks: SEGMENTS });
});

test("P-31 rows whose key is gone are moved without their data", async ({ files }) => {
  const before = await rowStore(files);
  await (await demoOf(files)).subjectKeys.destroy(`vehicle:${CAR}`);
  const { items } = await (await demoOf(files, await files.again())).events({ limit: 1000 });
  assert.is(items.length, before.length);
  for (const item of items) assert.is("data" in item ? item.data : "gap", null);
});

test("P-31 trips and the newest state are made of events from before, and go on where they were cut off", async ({
  files,
}) => {
  const store = await demoOf(files);
  const logs = [new CarLog(CAR, 1_790_000_000_000), new CarLog(CAR, 1_790_900_000_000)];
  for (const log of logs)
    for (let i = 0; i < SEGMENTS; i += 1) {
      const { wallOffsetMs } = log;
      const data = { distanceM: i, durationS: 1 };
      const end = { kind: "trip.ended", data, bootMs: i, wallOffsetMs, doubtMs: 5 } as const;
      await store.commitSegments([log.next("state", [log.position(i), end])]);
    }
  const tell = async (registry = files.registry): Promise<string> => {
    const of = await demoOf(files, registry);
    return JSON.stringify([(await of.trips({ limit: 1000 })).items, await of.latest(CAR)]);
  };
  const before = await tell();
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec(
    "DELETE FROM trips; UPDATE latest SET newest = 0; INSERT INTO derived SELECT 'trips', 1, max(id) FROM segments; " +
      "CREATE TRIGGER cut BEFORE INSERT ON trips WHEN (SELECT count(*) FROM trips) >= 70 BEGIN SELECT RAISE(ABORT, 'cut'); END",
  );
  await demoOf(files, await files.again()).then(
    () => assert.unreachable("expected it to be cut off"),
    (error: unknown) => assert.instance(error, ProtocolError),
  );
  assert.is(db.prepare("SELECT count(*) FROM trips").pluck().get(), 64);
  db.exec("DROP TRIGGER cut");
  db.close();
  assert.is(await tell(await files.again()), before);
});

test.run();
