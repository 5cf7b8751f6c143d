/**
 * Two cars that claim one log: a mark or a range that carries a hash of one of them may never cover what the store has of
 * the other only, because that car forgets all that it covers.
 */
import { join } from "node:path";
import { type LaneMark, type OpenedSegment, ProtocolError } from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FIRST_OF_SQL } from "../../../cloud/tenants/marks.ts";
import { CAR, CarLog, droppedOf, forkOf } from "../../conformance/car-log.ts";
import { freshSeed, type Random, randomOf } from "../../fuzz/random.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const SEGMENTS = 6;
const ORDERS = 80;
type Tenant = Awaited<ReturnType<TestRegistry["registry"]["tenant"]>>;
type Store = NonNullable<Tenant>["store"];

const test = suite<{ files: TestRegistry; store: Store }>("marks");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
  const store = (await context.files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  context.store = store;
});
test.after.each(({ files }) => files.close());

type Branch = readonly OpenedSegment[];

function car(log: CarLog): Branch {
  return Array.from({ length: SEGMENTS }, (_, i) => log.next("state", [log.note(i, "a")]));
}

/** What another car makes of the same log after `shared` segments. */
function cloneOf(branch: Branch, shared: number): Branch {
  const other: OpenedSegment[] = branch.slice(0, shared);
  for (const own of branch.slice(shared)) {
    const previousHash = other.at(-1)?.headerHash ?? own.header.previousHash;
    other.push(forkOf({ ...own, header: { ...own.header, previousHash } }));
  }
  return other;
}

/** The numbers of a branch that its car would forget. */
function covered(branch: Branch, { upTo, hash, ranges }: LaneMark): ReadonlySet<number> {
  const spans = [{ from: 1, to: upTo, hash }, ...ranges];
  const mine = spans.filter(({ to, hash: end }) => {
    const last = branch[to - 1]?.headerHash;
    return last !== undefined && Buffer.compare(last, end) === 0;
  });
  return new Set(
    mine.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)),
  );
}

async function markOf(store: Store, { log }: CarLog): Promise<LaneMark> {
  const [mark] = await store.marks(CAR, log);
  assert.ok(mark !== undefined);
  return mark;
}

test("a mark stops before a segment that follows another than the one that came", async ({
  store,
}) => {
  const log = new CarLog();
  const [a1, a2, a3] = car(log);
  if (a1 === undefined || a2 === undefined || a3 === undefined) return;
  const [, b2] = cloneOf([a1, a2, a3], 1);
  if (b2 === undefined) return;
  await store.commitSegments([a1]);
  await store.commitSegments([a3]);
  await store.commitSegments([b2]);
  const apart = await markOf(store, log);
  assert.equal([apart.upTo, apart.hash], [2, b2.headerHash]);
  assert.equal(apart.ranges, [{ from: 3, to: 3, hash: a3.headerHash }]);
  assert.equal(
    store.alarms(0, 10).map(({ kind }) => kind),
    ["chain"],
  );
  await store.commitSegments([a2]);
  const whole = await markOf(store, log);
  assert.equal([whole.upTo, whole.hash], [3, a3.headerHash]);
});

test("a car that declares each gap twice costs no more than what it sends", async ({ store }) => {
  const log = new CarLog();
  const [one, two, ...lost] = Array.from({ length: 26 }, (_, i) =>
    log.next("state", [log.note(i, "a")]),
  );
  if (one === undefined || two === undefined) return;
  const gaps = lost.map(droppedOf);
  await store.commitSegments([...gaps, ...gaps.map(forkOf)]);
  const fromMs = Date.now();
  await store.commitSegments([one, two]);
  assert.ok(Date.now() - fromMs < 1000, `${Date.now() - fromMs} ms`);
  const mark = await markOf(store, log);
  assert.equal([mark.upTo, mark.hash], [26, gaps.at(-1)?.headerHash]);
});

test("one message does not stop the thread, however long the range is that it could belong to", async ({
  store,
}) => {
  const log = new CarLog();
  log.next("state", [log.note(0, "a")]);
  const second = log.gone("state", 1);
  const range = Array.from({ length: 3000 }, () => log.gone("state", 1));
  const first = range[0];
  const last = range.at(-1);
  if (first === undefined || last === undefined) return;
  await store.commitSegments([...range, forkOf(first)]);
  const fromMs = performance.now();
  await store.commitSegments([second]);
  await store.commitSegments([forkOf(second)]);
  const tookMs = performance.now() - fromMs;
  assert.ok(tookMs < 500, `${tookMs} ms`);
  // It stays by itself, and is acknowledged so.
  const { ranges } = await markOf(store, log);
  const pieces = ranges.map(({ from, to }) => `${from}-${to}`);
  assert.equal(pieces.slice(0, 2), ["2-2", "3-3002"]);
  assert.equal(ranges[1]?.hash, last.headerHash);
});

test("a chain is followed from its end by an index, and not lane by lane", ({ files }) => {
  const [tenant = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(tenant, "store.sqlite"), { readonly: true });
  try {
    const marks = FIRST_OF_SQL.match(/\?/g) ?? [];
    const plan = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${FIRST_OF_SQL}`);
    const steps = plan.all(...marks.map(() => 1)).map(({ detail }) => detail);
    const inner = steps.findIndex((step) => /SEARCH s .*number=\?/.test(step));
    assert.ok(inner > 0, steps.join("\n"));
    assert.match(steps[inner - 1] ?? "", /^SCAN chain$/);
  } finally {
    db.close();
  }
});

/** Both cars' segments in an order of their own, some of them never. */
function order(random: Random, branches: readonly Branch[]): OpenedSegment[] {
  const all = branches.flat().filter(() => random.bool(0.8));
  const keyed = all.map((segment) => ({ segment, at: random.int(1 << 30) }));
  return keyed.sort((a, b) => a.at - b.at).map(({ segment }) => segment);
}

const seed = freshSeed();
test(`whatever comes from two cars in whatever order, each forgets only what is stored (seed ${seed})`, async ({
  store,
}) => {
  const random = randomOf(seed);
  let claims = 0;
  for (let round = 0; round < ORDERS; round += 1) {
    const log = new CarLog();
    const mine = car(log);
    const branches = [mine, cloneOf(mine, random.int(SEGMENTS))];
    const stored = new Set<string>();
    for (const segment of order(random, branches)) {
      await store.commitSegments([segment]);
      stored.add(Buffer.from(segment.headerHash).toString("hex"));
      const mark = await markOf(store, log);
      for (const branch of branches) {
        for (const number of covered(branch, mark)) {
          const hash = branch[number - 1]?.headerHash ?? new Uint8Array();
          claims += 1;
          assert.ok(stored.has(Buffer.from(hash).toString("hex")), `round ${round}: ${number}`);
        }
      }
    }
  }
  assert.ok(claims > ORDERS, `${claims} claims`);
});

test.run();
