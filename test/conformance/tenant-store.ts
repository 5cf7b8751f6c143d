/**
 * What every engine of the tenant store must do, whatever it is made of. `open` gives an empty store and a way to open
 * the same data again, as another process would; the suite closes what it opened.
 */
import {
  type EventQuery,
  LANES,
  type LogOpening,
  type OpenedSegment,
  type TenantStore,
  tenantId,
  toHex,
} from "@kerbside/protocol";
import type { Test } from "uvu";
import * as assert from "uvu/assert";
import {
  AUDIT,
  allEvents,
  booking,
  CAR,
  CarLog,
  command,
  droppedOf,
  forkOf,
  inColumns,
  OTHER_CAR,
  refuses,
  shuffled,
  TENANT,
} from "./car-log.ts";
import { peopleConformance } from "./people-store.ts";
import { recordConformance } from "./tenant-store-records.ts";
import { tripConformance } from "./trips.ts";

export type EngineUnderTest = {
  readonly store: TenantStore;
  /** A second view of the same data. */
  readonly again: () => Promise<TenantStore>;
  readonly close: () => Promise<void>;
};
type OpenEngine = (tenant: string) => Promise<EngineUnderTest>;

/** Adds the suite's tests to `test`. */
export function tenantStoreConformance(test: Test, name: string, open: OpenEngine): void {
  const it = (what: string, run: (engine: EngineUnderTest) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const engine = await open(TENANT);
      try {
        await run(engine);
      } finally {
        await engine.close();
      }
    });
  };
  segmentTests(it);
  trackTests(it);
  markTests(it);
  orderTests(it);
  recordConformance(it);
  peopleConformance(it);
  tripConformance(it);
}

export type It = (what: string, run: (engine: EngineUnderTest) => Promise<void>) => void;

function segmentTests(it: It): void {
  it("a segment is stored once, however often it comes", async ({ store, again }) => {
    const log = new CarLog();
    const first = log.next("state", [log.position(1), log.note(2, "two")]);
    assert.equal(await store.commitSegments([first, first]), ["stored", "duplicate"]);
    assert.equal(await (await again()).commitSegments([first]), ["duplicate"]);
    assert.is((await allEvents(store)).length, 2);
    const [mark] = await store.marks(CAR, log.log);
    assert.equal(mark, { lane: "state", upTo: 1, hash: first.headerHash, ranges: [] });
  });

  it("a batch that breaks a rule leaves nothing behind", async ({ store }) => {
    const log = new CarLog();
    const good = log.next("state", [log.note(1, "one")]);
    const bad = { ...good, header: { ...good.header, tenant: tenantId("other") } };
    await refuses("malformed", store.commitSegments([good, bad]));
    const short = { ...good, header: { ...good.header, count: 2 } };
    await refuses("malformed", store.commitSegments([short]));
    assert.equal(await allEvents(store), []);
    assert.equal(await store.feed(0, 10), []);
  });

  it("a fork keeps both, and each hash is acknowledged", async ({ store }) => {
    const log = new CarLog();
    const mine = log.next("critical", [log.note(1, "mine")]);
    const theirs = { ...forkOf(mine), events: [log.note(9, "theirs")] };
    assert.equal(await store.commitSegments([mine]), ["stored"]);
    assert.equal(await store.commitSegments([theirs]), ["fork"]);
    assert.equal(await store.commitSegments([theirs, mine]), ["duplicate", "duplicate"]);
    assert.is((await allEvents(store)).length, 2);
    assert.equal((await store.latest(CAR))[0]?.data, { note: "mine" }, "a fork is no newest state");
    const [mark] = await store.marks(CAR, log.log);
    assert.equal(mark?.hash, mine.headerHash);
    assert.equal(mark?.ranges, [{ from: 1, to: 1, hash: theirs.headerHash }]);
  });

  it("a gap is declared, and filled where the events arrive after all", async ({ store }) => {
    const log = new CarLog();
    const whole = log.next("track", [log.position(1), log.position(2)]);
    const end = log.gone("track", 3);
    await store.commitSegments([{ ...whole, events: [] }, end]);
    const at = `car-1 ${toHex(log.log)} track`;
    assert.equal(await allEvents(store), [`${at} gap 1-2`, `${at} gap 3-5`]);
    assert.equal(await store.commitSegments([whole]), ["stored"]);
    assert.equal(await store.commitSegments([{ ...whole, events: [] }]), ["duplicate"]);
    assert.equal(await allEvents(store), [`${at} 1`, `${at} 2`, `${at} gap 3-5`]);
    assert.is((await store.marks(CAR, log.log))[0]?.upTo, 2);
  });

  it("a gap in the place of a segment is no fork and breaks no chain, whichever comes first", async ({
    store,
  }) => {
    const log = new CarLog();
    const [first, second, third] = [1, 2, 3].map((i) => log.next("track", [log.position(i)]));
    if (first === undefined || second === undefined || third === undefined) return;
    const [gapOfFirst, gapOfSecond] = [droppedOf(first), droppedOf(second)];
    assert.equal(await store.commitSegments([first, gapOfFirst]), ["stored", "duplicate"]);
    assert.equal(await store.commitSegments([gapOfSecond, third]), ["stored", "stored"]);
    const at = `car-1 ${toHex(log.log)} track`;
    assert.equal(await allEvents(store), [`${at} 1`, `${at} gap 2-2`, `${at} 3`]);
    assert.equal(await store.commitSegments([second]), ["stored"]);
    assert.equal(await store.commitSegments([second, gapOfSecond]), ["duplicate", "duplicate"]);
    assert.equal(await allEvents(store), [`${at} 1`, `${at} 2`, `${at} 3`]);
    const alarms = (await store.feed(0, 100)).filter(({ topic }) => topic === "vehicle");
    assert.equal(alarms, []);
    assert.is((await store.marks(CAR, log.log))[0]?.upTo, 3);
  });

  it("an opening is remembered, and no other one takes its place", async ({ store }) => {
    const log = new CarLog();
    await store.putOpening(log.opening());
    await store.putOpening(log.opening());
    assert.equal(await store.opening(CAR, log.log), log.opening());
    await refuses("conflict", store.putOpening({ ...log.opening(), ingestKeyVersion: 2 }));
    assert.is(await store.opening(OTHER_CAR, log.log), undefined);
  });
}

function trackTests(it: It): void {
  it("a drive is listed whole, by pages, kinds and times, as columns and as events", async ({
    store,
  }) => {
    const log = new CarLog();
    const at = `car-1 ${toHex(log.log)} track`;
    const drive = [0, 1, 2].map((minute) =>
      log.next(
        "track",
        Array.from({ length: 60 }, (_, i) =>
          i % 20 === 7 ? log.note(60 * minute + i, "n") : log.position(60 * minute + i),
        ),
      ),
    );
    await store.commitSegments(
      shuffled("drive", drive).map((segment, i) => (i === 1 ? segment : inColumns(segment))),
    );
    const listed = Array.from({ length: 180 }, (_, i) => `${at} ${i + 1}`);
    for (const limit of [1000, 60, 59, 7]) assert.equal(await allEvents(store, {}, limit), listed);
    const { wallOffsetMs: base } = log;
    const within = await allEvents(store, { fromMs: base + 59, toMs: base + 61 });
    assert.equal(within, listed.slice(59, 62));
    const notes = await allEvents(store, { kinds: ["diagnostic.note"] }, 2);
    assert.equal(
      notes,
      [8, 28, 48, 68, 88, 108, 128, 148, 168].map((seq) => `${at} ${seq}`),
    );
    const { items } = await store.events({ limit: 8 });
    const [first, , , , , , , note] = items;
    assert.ok(first !== undefined && "data" in first && note !== undefined && "data" in note);
    assert.equal([first.atMs, first.kind], [base, "position.sampled"]);
    assert.equal(first.data, { latitude: 52.5, longitude: 13.4, speedKmh: 30 });
    assert.equal([note.atMs, note.data], [base + 7, { note: "n" }]);
    const latest = await store.latest(CAR);
    assert.equal(
      latest.map(({ seq }) => seq),
      [180, 168],
    );
  });

  it("columns of any lane are stored, once, and a wrong count of them never", async ({ store }) => {
    const log = new CarLog();
    const state = inColumns(log.next("state", [log.position(1), log.note(2, "two")]));
    const { columns } = state;
    assert.ok(columns !== undefined);
    const short = { ...state, header: { ...state.header, count: 3 } };
    await refuses("malformed", store.commitSegments([short]));
    assert.equal(await store.commitSegments([state, state]), ["stored", "duplicate"]);
    assert.is((await allEvents(store)).length, 2);
  });

  it("both branches of a fork of the track are listed, number by number", async ({ store }) => {
    const log = new CarLog();
    const at = `car-1 ${toHex(log.log)} track`;
    const mine = log.next("track", [log.position(1), log.position(2)]);
    const next = log.next("track", [log.position(3)]);
    const theirs = { ...forkOf(mine), events: [log.position(8), log.position(9)] };
    assert.equal(await store.commitSegments([mine, next, theirs]), ["stored", "stored", "fork"]);
    const listed = [1, 1, 2, 2, 3].map((seq) => `${at} ${seq}`);
    for (const limit of [10, 1, 2, 3]) assert.equal(await allEvents(store, {}, limit), listed);
  });

  it("P-31 a drive whose key is gone is still counted, and tells nothing", async ({ store }) => {
    const log = new CarLog();
    const at = `car-1 ${toHex(log.log)} track`;
    await store.commitSegments([log.next("track", [log.position(1), log.note(2, "a")])]);
    await store.subjectKeys.destroy(`vehicle:${CAR}`);
    await store.commitSegments([log.next("track", [log.position(3)])]);
    assert.equal(await allEvents(store), [`${at} 1`, `${at} 2`, `${at} 3`]);
    const { items } = await store.events({ limit: 10 });
    for (const item of items) assert.is("data" in item ? item.data : undefined, null);
    assert.equal(
      items.map((item) => ("kind" in item ? item.kind : "gap")),
      ["position.sampled", "diagnostic.note", "position.sampled"],
    );
  });
}

function markTests(it: It): void {
  it("marks follow any order of arrival, with at most 32 ranges", async ({ store }) => {
    const log = new CarLog();
    const segments = Array.from({ length: 200 }, (_, i) =>
      log.next("state", [log.note(i, `n${i}`)]),
    );
    const stored = new Set<number>();
    for (const segment of shuffled("marks", segments)) {
      await store.commitSegments([segment]);
      stored.add(segment.header.number);
      const [mark] = await store.marks(CAR, log.log);
      const expected = rangesOf(stored);
      const upTo = expected[0]?.[0] === 1 ? expected.shift()?.[1] : 0;
      assert.is(mark?.upTo, upTo ?? 0);
      assert.equal(
        mark?.ranges.map(({ from, to }) => [from, to]),
        expected.slice(0, 32),
      );
      for (const { to, hash } of mark?.ranges ?? [])
        assert.equal(hash, segments[to - 1]?.headerHash, "the hash of the last one");
    }
    assert.equal((await store.marks(CAR, log.log))[0]?.hash, segments.at(-1)?.headerHash);
  });
}

/** The numbers as runs, in order. */
function rangesOf(numbers: ReadonlySet<number>): [number, number][] {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

/** Three boots of a car, the second with its clock at 1970, in each lane, with a gap: in the order to be listed. */
function history(): { segments: OpenedSegment[]; openings: LogOpening[]; listed: string[] } {
  const logs = [new CarLog(), new CarLog(CAR, 0), new CarLog(CAR, 1_790_000_900_000)];
  const segments: OpenedSegment[] = [];
  const listed: string[] = [];
  for (const log of logs) {
    for (const lane of LANES) {
      segments.push(log.next(lane, [log.position(10), log.note(20, "a")]));
      segments.push(log.gone(lane, 2), log.next(lane, [log.position(30, 48.1)]));
      const at = `car-1 ${toHex(log.log)} ${lane}`;
      listed.push(`${at} 1`, `${at} 2`, `${at} gap 3-4`, `${at} 5`);
    }
  }
  const openings = logs.map((log, i) => log.opening(logs[i - 1]));
  return { segments, openings, listed };
}

function orderTests(it: It): void {
  it("events are listed by log, lane and number, whatever the order of arrival", async (engine) => {
    const { store } = engine;
    const { segments, openings, listed } = history();
    for (const opening of shuffled("openings", openings)) await store.putOpening(opening);
    for (const segment of shuffled("segments", segments)) await store.commitSegments([segment]);
    assert.equal(await allEvents(store), listed);
    for (const limit of [1, 2, 3, 7]) assert.equal(await allEvents(store, {}, limit), listed);
    const latest = await store.latest(CAR);
    const last = openings.at(-1)?.log ?? new Uint8Array();
    assert.equal([...new Set(latest.map((event) => event.log))], [toHex(last)]);
    assert.equal(
      latest.map((event) => event.kind),
      ["position.sampled", "diagnostic.note"],
    );
  });

  it("events are filtered by car, kind and time", async ({ store }) => {
    const log = new CarLog();
    const other = new CarLog(OTHER_CAR);
    await store.commitSegments([
      log.next("state", [log.note(1, "a"), log.position(2), log.position(1000)]),
      other.next("state", [other.note(1, "b")]),
    ]);
    const count = async (query: Omit<EventQuery, "limit">): Promise<number> =>
      (await allEvents(store, query)).length;
    const { wallOffsetMs: base } = log;
    assert.is(await count({ vehicle: OTHER_CAR }), 1);
    assert.is(await count({ kinds: ["position.sampled"] }), 2);
    assert.is(await count({ vehicle: CAR, fromMs: base + 2 }), 2);
    assert.is(await count({ vehicle: CAR, fromMs: base + 2, toMs: base + 999 }), 1);
    assert.is(await count({ toMs: base - 1 }), 0);
    await refuses("malformed", store.events({ limit: 1, after: "nonsense" }));
  });

  it("the feed announces in the order of commits, and only ids", async ({ store, again }) => {
    const second = await again();
    const log = new CarLog();
    await store.commitSegments([log.next("state", [log.position(1)])]);
    await second.putBooking(booking("b-1", 1), AUDIT);
    await store.createCommand(command(1), AUDIT);
    const feed = await second.feed(0, 10);
    assert.equal(
      feed.map(({ topic, id }) => [topic, id]),
      [
        ["events", "car-1"],
        ["booking", "b-1"],
        ["command", command(1).id],
      ],
    );
    const cursors = feed.map(({ cursor }) => cursor);
    assert.equal(
      cursors,
      [...cursors].sort((a, b) => a - b),
    );
    assert.equal(await store.feed(cursors[1] ?? 0, 10), feed.slice(2));
    assert.equal(await store.feed(0, 1), feed.slice(0, 1));
    for (const entry of feed)
      assert.equal(Object.keys(entry).sort(), ["atMs", "cursor", "id", "topic"]);
  });
}
