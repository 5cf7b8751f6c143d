/** Events of a span of time are the same whether the rest of a log is looked at or passed over, whatever the clocks did. */
import { join } from "node:path";
import {
  type EventQuery,
  LANES,
  type OpenedSegment,
  ProtocolError,
  type StoredEvent,
  type TenantStore,
} from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CarLog, droppedOf, forkOf } from "../../conformance/car-log.ts";
import { freshSeed, type Random, randomOf } from "../../fuzz/random.ts";
import { tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";

const SEGMENTS = 40;
const QUERIES = 30;
/** Far less than the jumps of the clock below are apart, so that spans overlap, leave holes and go back. */
const SEGMENT_MS = 1000;
const JUMPS_MS = [0, 0, 0, 20 * SEGMENT_MS, -20 * SEGMENT_MS] as const;

/** Segments of a car whose clock is set to and fro, some declared as gone, some forked, in an order of their own. */
function segmentsOf(log: CarLog, random: Random): readonly OpenedSegment[] {
  const segments: OpenedSegment[] = [];
  let at = 100 * SEGMENT_MS;
  for (let i = 0; i < SEGMENTS; i += 1) {
    at += SEGMENT_MS + random.pick(JUMPS_MS);
    const count = 1 + random.int(4);
    const events = Array.from({ length: count }, (_, n) => {
      const bootMs = Math.max(1, at + random.int(SEGMENT_MS));
      return random.bool() ? log.position(bootMs) : log.note(bootMs, `${i} ${n}`);
    });
    const segment = random.bool(0.1) ? log.gone("state", count) : log.next("state", events);
    if (random.bool(0.1)) segments.push(droppedOf(segment));
    if (random.bool(0.1)) segments.push(forkOf(segment));
    segments.push(segment);
  }
  // Some come late.
  return segments
    .map((segment, i) => ({ segment, place: i + random.int(6) }))
    .sort((a, b) => a.place - b.place)
    .map(({ segment }) => segment);
}

async function read(
  store: TenantStore,
  query: Omit<EventQuery, "after">,
): Promise<readonly StoredEvent[]> {
  const found: StoredEvent[] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.events(after === undefined ? query : { ...query, after });
    found.push(...page.items.flatMap((item) => ("gap" in item ? [] : [item])));
    if (page.next === undefined) return found;
    after = page.next;
  }
}

async function checkQueries(store: TenantStore, random: Random): Promise<void> {
  const all = await read(store, { limit: 1000 });
  assert.ok(all.length > SEGMENTS, "there is something to find");
  for (let i = 0; i < QUERIES; i += 1) {
    const [one, other] = [random.pick(all).atMs, random.pick(all).atMs];
    const span = { fromMs: Math.min(one, other), toMs: Math.max(one, other) };
    const { fromMs, toMs } = random.bool(0.1) ? { fromMs: one, toMs: one } : span;
    const kinds = random.bool(0.3) ? (["diagnostic.note"] as const) : undefined;
    const asked = { fromMs, toMs, limit: 1 + random.int(9), ...(kinds && { kinds }) };
    const expected = all.filter(
      ({ atMs, kind }) =>
        atMs >= fromMs && atMs <= toMs && (kinds === undefined || kind === kinds[0]),
    );
    assert.equal(await read(store, asked), expected, JSON.stringify(asked));
  }
  const ends = all.reduce((most, { atMs }) => Math.max(most, atMs), 0);
  assert.equal(await read(store, { fromMs: ends + 1, limit: 5 }), []);
}

test("what is found of a time is what of all events is of that time", async () => {
  const random = randomOf(freshSeed());
  process.stdout.write(`seed ${random.seed}\n`);
  const files = await testRegistry();
  try {
    await files.create("demo");
    const tenant = await files.registry.tenant("demo");
    if (tenant === undefined) throw new ProtocolError("not_found", "demo");
    await tenant.store.commitSegments(segmentsOf(new CarLog(), random));
    await checkQueries(tenant.store, random);
    const [directory = ""] = tenantDirectories(files.dir);
    const db = new BetterSqlite3(join(directory, "store.sqlite"));
    const state = LANES.indexOf("state");
    const odd = db.prepare("SELECT count(*) FROM row_spans WHERE lane <> ?").pluck().get(state);
    assert.is(odd, 0);
    // Those from before spans were kept: any time.
    db.exec(
      "UPDATE row_spans SET first_at_ms = -9007199254740991, last_at_ms = 9007199254740991 WHERE segment_id % 3 = 0",
    );
    db.close();
    await checkQueries(tenant.store, random);
  } finally {
    await files.close();
  }
});

test.run();
