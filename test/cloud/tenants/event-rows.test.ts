/** Rows of the lanes that are no track: what is not personal stands in them, what is is sealed once a segment beside them. */
import { join } from "node:path";
import { EVENT_KINDS, ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CarLog } from "../../conformance/car-log.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const test = suite<{ files: TestRegistry; db: BetterSqlite3.Database }>("event rows");
/** Two segments: a position, a note and a position each; and a long one, whose data fills more than a statement takes. */
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
  const log = new CarLog();
  const three = (at: number) => [log.position(at), log.note(at, `n${at}`), log.position(at + 1)];
  const long = Array.from({ length: 60 }, (_, i) => log.note(30, `${i} ${"x".repeat(900)}`));
  await (await storeOf(context.files)).commitSegments(
    [three(10), three(20), long].map((events) => log.next("state", events)),
  );
  const [directory = ""] = tenantDirectories(context.files.dir);
  context.db = new BetterSqlite3(join(directory, "store.sqlite"));
});
test.after.each(async ({ files, db }) => {
  db.close();
  await files.close();
});

async function storeOf(files: TestRegistry) {
  const tenant = await files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  return tenant.store;
}

const POSITION = EVENT_KINDS["position.sampled"].code;

test("P-31 a row of a personal kind is empty, and the others are as they came", async ({
  files,
  db,
}) => {
  const rows = db.prepare("SELECT kind, length(data) AS bytes FROM events WHERE seq <= 6").all();
  for (const row of rows as { kind: number; bytes: number }[])
    assert.is(row.bytes > 0, row.kind !== POSITION);
  assert.is(db.prepare("SELECT count(*) FROM row_seals").pluck().get(), 2);
  const { items } = await (await storeOf(files)).events({ limit: 100 });
  assert.is(items.length, 66);
  for (const [i, item] of items.entries()) {
    assert.ok("kind" in item && item.data !== null && item.seq === i + 1, `event ${i}`);
    if (i < 6) continue;
    assert.equal(item.data, { note: `${i - 6} ${"x".repeat(900)}` });
  }
});

const BROKEN: readonly { why: string; sql: string }[] = [
  {
    why: "the seals of two segments are exchanged",
    sql:
      "UPDATE row_seals SET segment_id = -segment_id; " +
      "UPDATE row_seals SET segment_id = 3 + segment_id",
  },
  { why: "a row is given another kind", sql: "UPDATE events SET kind = 1 WHERE seq = 1" },
  { why: "a row is given another number", sql: "UPDATE events SET seq = 1000 WHERE seq = 1" },
  { why: "a seal is gone", sql: "DELETE FROM row_seals WHERE segment_id = 1" },
];
for (const { why, sql } of BROKEN) {
  test(`P-31 nothing is read where ${why}`, async ({ files, db }) => {
    const store = await storeOf(files);
    db.pragma("foreign_keys = OFF");
    db.exec(sql);
    await store.events({ limit: 100 }).then(
      () => assert.unreachable("expected it to be refused"),
      (error: unknown) => assert.instance(error, ProtocolError),
    );
  });
}

test.run();
