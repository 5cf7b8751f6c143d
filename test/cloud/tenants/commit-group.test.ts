/** Bookings of the same moment share their commits, and each stands or falls by itself. */
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR } from "../../conformance/car-log.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";

const test = suite<{ files: TestRegistry }>("commit group");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
});
test.after.each(({ files }) => files.close());

async function storeOf(files: TestRegistry) {
  const tenant = await files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  return tenant.store;
}

const AT_ONCE = 600;
/** Of the event loop, so that what was asked is under way: it gathers for one, and is flushed by another thread after it. */
const TURNS = 3;

async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i += 1) await setImmediate();
}

function anchorsIn(files: TestRegistry): number {
  const db = new BetterSqlite3(join(files.dir, "anchors.sqlite"), { readonly: true });
  const count = db.prepare("SELECT count(*) FROM anchors").pluck().get();
  db.close();
  return Number(count);
}

test("P-50 P-51 many at once: each with its record, a refused one alone, all anchored when answered", async ({
  files,
}) => {
  const store = await storeOf(files);
  await store.subjectKeys.destroy("booking:b-7");
  const before = (await store.auditTrail(0, 1000)).length;
  const anchorsBefore = anchorsIn(files);
  const asked = Array.from({ length: AT_ONCE }, (_, i) =>
    store.putBooking(booking(`b-${i}`, i % 100 === 50 ? 2 : 1), {
      ...AUDIT,
      subject: `booking:b-${i}`,
    }),
  );
  let unanchored = -1;
  void asked[3]?.then(() => {
    unanchored = store.verifyAudit().unanchored;
  });
  const answers = await Promise.allSettled(asked);
  assert.is(unanchored, 0, "anchored before the answer");
  const refused = answers.flatMap((answer, i) => (answer.status === "rejected" ? [i] : []));
  assert.equal(refused, [7, 50, 150, 250, 350, 450, 550]);
  const trail: string[] = [];
  for (let after = before; ; ) {
    const rows = await store.auditTrail(after, 1000);
    if (rows.length === 0) break;
    trail.push(...rows.map(({ subject }) => subject));
    after += rows.length;
  }
  const done = Array.from({ length: AT_ONCE }, (_, i) => i).filter((i) => !refused.includes(i));
  assert.equal(
    trail,
    done.map((i) => `booking:b-${i}`),
  );
  for (const i of [0, 7, 50, 51]) {
    const found = await store.booking(`b-${i}`);
    assert.is(found?.holder, refused.includes(i) ? undefined : "person-17");
  }
  assert.equal(store.verifyAudit().problems, []);
  assert.ok(anchorsIn(files) - anchorsBefore <= 4, "one anchor for each commit");
  const held = await store.people.bookingsOf("person-17");
  for (const i of done) assert.ok(held.includes(`b-${i}`), "found by its holder");
  assert.is((await store.bookings(CAR)).length, AT_ONCE - refused.length);
});

test("P-52 records of reads gather while others are flushed, in order and with the changes between them", async ({
  files,
}) => {
  const store = await storeOf(files);
  const before = (await store.auditTrail(0, 1000)).length;
  const asked: string[] = [];
  const read = (name: string): Promise<void> => {
    asked.push(name);
    return store.audit({ ...AUDIT, subject: name }, "soon");
  };
  const first = read("first");
  await turns();
  // Its flush is under way, or was: these come in meanwhile.
  const others = Array.from({ length: 40 }, (_, i) => read(`read-${i}`));
  await turns();
  asked.push("b-1");
  const put = store.putBooking(booking("b-1", 1), { ...AUDIT, subject: "b-1" });
  const last = read("last");
  await put;
  assert.is(
    store.verifyAudit().unanchored <= 1,
    true,
    "the change's head stands for all before it",
  );
  await Promise.all([first, ...others, last]);
  const trail = (await store.auditTrail(before, 1000)).map(({ subject }) => subject);
  assert.equal(trail, asked);
  await until("the last is anchored", () => store.verifyAudit().unanchored === 0);
  assert.equal(store.verifyAudit().problems, []);
});

test("a record that is refused takes none of those it shares a commit with along", async ({
  files,
}) => {
  const store = await storeOf(files);
  const before = (await store.auditTrail(0, 1000)).length;
  const subjects = ["one", "half a pair \ud800", "three"];
  const answers = await Promise.allSettled(
    subjects.map((subject) => store.audit({ ...AUDIT, subject }, "soon")),
  );
  assert.equal(
    answers.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  const trail = (await store.auditTrail(before, 1000)).map(({ subject }) => subject);
  assert.equal(trail, ["one", "three"]);
  assert.equal(store.verifyAudit().problems, []);
});

test("records that are being flushed as the store is closed are answered, and there", async ({
  files,
}) => {
  const store = await storeOf(files);
  const reads = [store.audit({ ...AUDIT, subject: "read-1" }, "soon")];
  await turns();
  reads.push(store.audit({ ...AUDIT, subject: "read-2" }, "soon"));
  await files.registry.close();
  await Promise.all(reads);
  const again = await (await files.again()).tenant("demo");
  const trail = (await again?.store.auditTrail(0, 1000))?.map(({ subject }) => subject);
  assert.equal(trail?.slice(-2), ["read-1", "read-2"]);
  assert.equal(again?.store.verifyAudit(), {
    entries: trail?.length ?? 0,
    unanchored: 0,
    problems: [],
  });
});

test("what waits as the store is closed is committed, not forgotten", async ({ files }) => {
  const store = await storeOf(files);
  const put = store.putBooking(booking("b-1", 1), AUDIT);
  const audited = store.audit({ ...AUDIT, subject: "last" });
  await files.registry.close();
  await put;
  await audited;
  const again = await (await files.again()).tenant("demo");
  assert.is((await again?.store.booking("b-1"))?.state, "reserved");
  assert.equal(again?.store.verifyAudit().problems, []);
});

test("a change that the store's own rules refuse takes only itself along", async ({ files }) => {
  const store = await storeOf(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec(
    "CREATE TRIGGER narrow AFTER INSERT ON bookings WHEN NEW.booking = 'b-2' BEGIN SELECT RAISE(ABORT, 'narrow'); END",
  );
  db.close();
  const answers = await Promise.allSettled([
    store.putBooking(booking("b-1", 1), AUDIT),
    store.audit({ ...AUDIT, subject: "beside" }),
    store.putBooking(booking("b-2", 1), { ...AUDIT, subject: "refused" }),
    store.putBooking(booking("b-3", 1), { ...AUDIT, subject: "after" }),
  ]);
  assert.equal(
    answers.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  const [refused] = answers.flatMap((answer) =>
    answer.status === "rejected" ? [answer.reason] : [],
  );
  assert.instance(refused, ProtocolError);
  assert.is(refused.code, "storage_failed");
  assert.is(await store.booking("b-2"), undefined);
  const trail = (await store.auditTrail(0, 100)).map(({ subject }) => subject);
  assert.equal(trail.slice(-2), ["beside", "after"]);
  assert.equal(store.verifyAudit(), { entries: trail.length, unanchored: 0, problems: [] });
});

test("a commit that fails is told to all who waited for it", async ({ files }) => {
  const store = await storeOf(files);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec(
    "CREATE TRIGGER broken BEFORE INSERT ON bookings WHEN NEW.booking = 'b-2' BEGIN SELECT RAISE(ROLLBACK, 'broken'); END",
  );
  db.close();
  const [a, b] = [store.putBooking(booking("b-1", 1), AUDIT), store.audit(AUDIT)];
  const broken = store.putBooking(booking("b-2", 1), AUDIT);
  const answers = await Promise.allSettled([a, b, broken]);
  assert.equal(
    answers.map(({ status }) => status),
    ["rejected", "rejected", "rejected"],
  );
  assert.is(await store.booking("b-1"), undefined);
  await store.putBooking(booking("b-1", 1), AUDIT);
});

test.run();
