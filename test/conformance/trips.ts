/** Trips, and the newest state of many cars: what every engine of the tenant store tells of them. */
import type { CarEvent, TripRecord } from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { CAR, CarLog, forkOf, inColumns, OTHER_CAR, refuses, shuffled } from "./car-log.ts";
import type { It } from "./tenant-store.ts";

function began({ wallOffsetMs }: CarLog, bootMs: number, odometerM: number): CarEvent {
  return { kind: "trip.started", data: { odometerM }, bootMs, wallOffsetMs, doubtMs: 5 };
}

function ended({ wallOffsetMs }: CarLog, bootMs: number, distanceM: number): CarEvent {
  const data = { distanceM, durationS: 60, fuelPercent: 40, booking: "b-1" };
  return { kind: "trip.ended", data, bootMs, wallOffsetMs, doubtMs: 5 };
}

const told = ({ startedAtMs, endedAtMs, began: start, ended: end }: TripRecord) => [
  startedAtMs,
  endedAtMs,
  start?.odometerM,
  end?.distanceM,
];

export function tripConformance(it: It): void {
  tripTests(it);
  forkTests(it);
  pageTests(it);
  newestTests(it);
}

function tripTests(it: It): void {
  it("trips are told by car and end, whatever came in first, each with its own beginning", async ({
    store,
  }) => {
    const log = new CarLog();
    const other = new CarLog(OTHER_CAR);
    const { wallOffsetMs: base } = log;
    const segments = [
      log.next("state", [began(log, 1000, 10), log.note(1500, "n"), ended(log, 61_000, 500)]),
      log.next("state", [began(log, 70_000, 20)]),
      inColumns(log.next("state", [log.position(80_000), ended(log, 130_000, 700)])),
      // The beginning of this one never came.
      log.next("state", [ended(log, 200_000, 900)]),
      log.next("state", [began(log, 300_000, 30)]),
      other.next("state", [ended(other, 61_000, 1)]),
    ];
    for (const segment of shuffled("trips", segments)) {
      await store.commitSegments([segment]);
      await store.commitSegments([segment]);
    }
    const expected = [
      [base + 1000, base + 61_000, 10, 500],
      [base + 70_000, base + 130_000, 20, 700],
      [base + 140_000, base + 200_000, undefined, 900],
    ];
    const of = { vehicle: CAR, limit: 10 };
    const { items } = await store.trips(of);
    assert.equal(items.map(told), expected);
    assert.equal(items[0]?.ended, {
      distanceM: 500,
      durationS: 60,
      fuelPercent: 40,
      booking: "b-1",
    });
    const within = await store.trips({ ...of, fromMs: base + 61_001, toMs: base + 130_000 });
    assert.equal(within.items.map(told), expected.slice(1, 2));
    for (const vehicle of [{}, { vehicle: CAR }]) {
      const all: TripRecord[] = [];
      for (let after: string | undefined; ; ) {
        const page = await store.trips({ ...vehicle, limit: 1, ...(after && { after }) });
        assert.is(page.items.length, 1);
        all.push(...page.items);
        if (page.next === undefined) break;
        after = page.next;
      }
      assert.is(all.length, "vehicle" in vehicle ? 3 : 4);
      assert.equal(all.slice(0, 3).map(told), expected);
    }
    await refuses("malformed", store.trips({ limit: 1, after: "nonsense" }));
  });

  it("P-31 of a trip whose key is gone there is the time of its end, and nothing else", async ({
    store,
  }) => {
    const log = new CarLog();
    await store.commitSegments([log.next("state", [began(log, 1, 10), ended(log, 61_000, 500)])]);
    await store.subjectKeys.destroy(`vehicle:${CAR}`);
    await store.commitSegments([log.next("state", [ended(log, 90_000, 600)])]);
    const { items } = await store.trips({ limit: 10 });
    assert.equal(
      items.map(({ began: start, ended: end, endedAtMs }) => [start, end, endedAtMs]),
      [
        [null, null, log.wallOffsetMs + 61_000],
        [undefined, null, log.wallOffsetMs + 90_000],
      ],
    );
  });
}

function forkTests(it: It): void {
  it("a trip is told as its own segment has it, whatever a fork has in its place", async ({
    store,
  }) => {
    const log = new CarLog();
    const mine = log.next("state", [began(log, 1000, 10), ended(log, 61_000, 500)]);
    const theirs = {
      ...forkOf(mine),
      events: [began(log, 1000, 99), ended(log, 61_000, 999)],
    };
    assert.equal(await store.commitSegments([mine]), ["stored"]);
    assert.equal(await store.commitSegments([theirs]), ["fork"]);
    const { items } = await store.trips({ limit: 10 });
    const { wallOffsetMs: base } = log;
    assert.equal(items.map(told), [[base + 1000, base + 61_000, 10, 500]]);
  });
}

function pageTests(it: It): void {
  it("two trips that differ in their lane alone are each on a page", async ({ store }) => {
    const log = new CarLog();
    await store.commitSegments([
      log.next("state", [ended(log, 61_000, 1)]),
      log.next("track", [ended(log, 61_000, 2)]),
    ]);
    const first = await store.trips({ limit: 1 });
    assert.ok(first.next !== undefined);
    const second = await store.trips({ limit: 1, ...(first.next && { after: first.next }) });
    assert.equal(
      [...first.items, ...second.items].map(({ ended: end }) => end?.distanceM),
      [1, 2],
    );
    assert.is(second.next, undefined);
  });
}

function newestTests(it: It): void {
  it("the newest state of many cars is what each alone tells", async ({ store }) => {
    const logs = [new CarLog(), new CarLog(CAR, 1_790_000_500_000), new CarLog(OTHER_CAR)];
    const [first, second, other] = logs;
    if (first === undefined || second === undefined || other === undefined) return;
    const segments = [
      first.next("state", [first.position(1, 48), first.note(9_000_000, "of the first boot")]),
      second.next("track", [second.position(2, 49)]),
      other.next("state", [other.position(3, 50)]),
    ];
    for (const segment of shuffled("newest", segments)) await store.commitSegments([segment]);
    const check = async (latitude: number): Promise<void> => {
      const both = await store.latestOf([OTHER_CAR, CAR]);
      assert.equal(both.get(CAR), await store.latest(CAR));
      assert.equal(both.get(OTHER_CAR), await store.latest(OTHER_CAR));
      const position = both.get(CAR)?.find(({ kind }) => kind === "position.sampled");
      assert.equal(position?.data, { latitude, longitude: 13.4, speedKmh: 30 });
    };
    await check(49);
    // What the openings say of the order counts more than the clocks.
    await store.putOpening(first.opening(second));
    await check(48);
    assert.is((await store.latestOf([])).size, 0);
  });
}
