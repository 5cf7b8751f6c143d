/** What is told of many together, and what is not told because it would be of too few: over real stores. */
import {
  type Aggregates,
  aggregatesOf,
  gather,
  monthOf,
  type OpenedSegment,
  ProtocolError,
  type TenantStore,
  tenantId,
  vehicleId,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CarLog, command, refuses } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const MONTH_MS = Date.UTC(2026, 8, 1);
const NOW_MS = Date.UTC(2026, 10, 21);
const SEPTEMBER = monthOf("2026-09", NOW_MS);
const HOUR_MS = 3_600_000;
const test = suite<{ files: TestRegistry }>("aggregates");
test.before(async (context) => {
  context.files = await testRegistry(() => NOW_MS);
});
test.after(({ files }) => files.close());

type Fill = {
  readonly cars: number;
  /** Of each car; each in a booking of its own. */
  readonly trips: number;
  readonly people: number;
  readonly distanceM?: (car: number) => number;
  /** Ends of unlocks, each asked of all cars in their first booking. */
  readonly unlocks?: readonly Unlock[];
};
type Unlock = { readonly error?: "vehicle_offline" | "limit_reached"; readonly cars?: number };

let tenants = 0;
let made = 0;
async function filled({ registry, create }: TestRegistry, fill: Fill): Promise<TenantStore> {
  tenants += 1;
  const id = `t-${tenants}`;
  await create(id);
  const store = (await registry.tenant(tenantId(id)))?.store;
  if (store === undefined) throw new Error("no tenant");
  for (let car = 0; car < fill.cars; car += 1) await fillCar(store, fill, car);
  return store;
}

async function fillCar(store: TenantStore, fill: Fill, car: number): Promise<void> {
  const { trips, people, distanceM = () => 1000, unlocks = [{}] } = fill;
  const vehicle = vehicleId(`car-${car}`);
  const log = new CarLog(vehicle, MONTH_MS);
  await store.putOpening({ ...log.opening(), tenant: store.tenant });
  for (let trip = 0; trip < trips; trip += 1) {
    const name = `b-${car}-${trip}`;
    const holder = `holder-${(car * trips + trip) % people}`;
    await store.putBooking(booking(name, 1, { vehicle, holder }), AUDIT);
    const data = { distanceM: distanceM(car), durationS: 60, booking: name };
    const bootMs = (trip + 1) * HOUR_MS;
    const event = { kind: "trip.ended", data, bootMs, wallOffsetMs: MONTH_MS, doubtMs: 5 } as const;
    await commit(store, log.next("state", [event]));
  }
  for (const { error, cars = fill.cars } of unlocks) {
    if (car >= cars) continue;
    made += 1;
    const atMs = MONTH_MS + HOUR_MS;
    const asked = command(made, {
      ...{ vehicle, booking: `b-${car}-0`, action: "unlock", steps: [{ state: "accepted", atMs }] },
      ...(error === undefined ? { state: "executed" } : { state: "failed", error }),
    });
    await store.createCommand(asked, AUDIT);
  }
}

/** The log names one tenant; it is this one's. */
async function commit(store: TenantStore, { header, ...rest }: OpenedSegment): Promise<void> {
  await store.commitSegments([{ ...rest, header: { ...header, tenant: store.tenant } }]);
}

const shown = async (store: TenantStore): Promise<Aggregates> =>
  aggregatesOf("2026-09", await gather(store, SEPTEMBER, async () => undefined));

test("P-43 of five people, cars and trips there is a sum, of four of any there is none", async ({
  files,
}) => {
  const rows: readonly [why: string, fill: Fill, told: object][] = [
    [
      "five of all, counts in fives",
      { cars: 6, trips: 1, people: 6 },
      { trips: 5, distanceM: 6000, unlocks: [{ outcome: "executed", count: 5 }] },
    ],
    ["four cars", { cars: 4, trips: 3, people: 12 }, {}],
    ["four people", { cars: 5, trips: 2, people: 4 }, {}],
    ["nothing at all", { cars: 0, trips: 0, people: 1 }, {}],
    [
      "one car drove most of it",
      { cars: 5, trips: 1, people: 5, distanceM: (car) => (car === 0 ? 90_000 : 1000) },
      { trips: 5, unlocks: [{ outcome: "executed", count: 5 }] },
    ],
  ];
  for (const [why, fill, told] of rows)
    assert.equal(await shown(await filled(files, fill)), { month: "2026-09", ...told }, why);
});

test("P-43 what is too small is not what is missing of the whole either", async ({ files }) => {
  const offline = { error: "vehicle_offline" } as const;
  const limit = { error: "limit_reached" } as const;
  const rows: readonly [why: string, unlocks: readonly Unlock[], told: object | undefined][] = [
    [
      "each is large enough",
      [{}, {}, offline],
      [
        { outcome: "executed", count: 10 },
        { outcome: "failed.vehicle_offline", count: 5 },
      ],
    ],
    [
      "three are folded into the smallest that is shown",
      [{}, {}, offline, { ...limit, cars: 3 }],
      [
        { outcome: "executed", count: 10 },
        { outcome: "other", count: 5 },
      ],
    ],
    ["all are too small", [{ cars: 2 }, { ...limit, cars: 2 }], undefined],
  ];
  for (const [why, unlocks, told] of rows) {
    const store = await filled(files, { cars: 5, trips: 1, people: 5, unlocks });
    assert.equal((await shown(store)).unlocks, told, why);
  }
});

test("P-43 one trip more or less does not show", async ({ files }) => {
  const before = await filled(files, { cars: 6, trips: 2, people: 12 });
  const same = await shown(before);
  const log = new CarLog(vehicleId("car-0"), MONTH_MS);
  await before.putOpening({ ...log.opening(), tenant: before.tenant });
  const late = { kind: "trip.ended", bootMs: HOUR_MS, wallOffsetMs: MONTH_MS, doubtMs: 5 } as const;
  const data = { distanceM: 130, durationS: 60, booking: "b-0-0" };
  await commit(before, log.next("state", [{ ...late, data }]));
  assert.equal(await shown(before), same);
});

test("P-43 only a month that is over, and commands of it alone", async ({ files }) => {
  for (const month of ["2026-11", "2027-01", "2026-13", "2026-09-01", "2026-W40", ""])
    assert.throws(
      () => monthOf(month, NOW_MS),
      (error: unknown) => error instanceof ProtocolError && error.code === "malformed",
      month,
    );
  const store = await filled(files, { cars: 5, trips: 1, people: 5 });
  for (const name of ["2026-08", "2026-10"]) {
    const month = monthOf(name, NOW_MS);
    const { trips, unlocks } = await gather(store, month, async () => undefined);
    assert.equal([trips.count, unlocks.size], [0, 0], name);
  }
  const { fromMs, toMs } = SEPTEMBER;
  const first = await store.commandsWithin({ fromMs, toMs, limit: 3 });
  const rest = await store.commandsWithin({ fromMs, toMs, limit: 3, after: first.next ?? "" });
  assert.equal([first.items.length, rest.items.length, rest.next], [3, 2, undefined]);
  await refuses("malformed", store.commandsWithin({ fromMs, toMs, limit: 3, after: "x" }));
});

test("P-15 across tenants there are aggregates of five of them, and of no one who outweighs the others", async () => {
  const files = await testRegistry(() => NOW_MS);
  const audit = { ...AUDIT, action: "benchmark.read", subject: "region:local" };
  const { desk } = files.registry.platform;
  const asked = () => desk.benchmark("local", SEPTEMBER, audit);
  const fill: Fill = { cars: 5, trips: 1, people: 5 };
  try {
    await refuses("not_found", asked(), "no tenant is at home there");
    const store = await filled(files, fill);
    for (let i = 0; i < 3; i += 1) await filled(files, fill);
    // Does not count: it has too little for any aggregate of its own.
    await filled(files, { cars: 4, trips: 9, people: 36 });
    assert.equal(await asked(), { region: "local", month: "2026-09" }, "four tenants");
    await filled(files, fill);
    const told = { region: "local", month: "2026-09", tripsPerCar: 1, metresPerTrip: 1000 };
    assert.equal(await asked(), { ...told, unlockedPercent: 100 }, "five tenants");
    await refuses("not_found", desk.benchmark("elsewhere", SEPTEMBER, audit), "another region");
    const trail = await store.auditTrail(0, 1000);
    const reads = trail.filter(({ action }) => action === "benchmark.read");
    assert.is(reads.length, 2, "each tenant reads in its own trail that it was counted");
    // Ten times what each other has.
    await filled(files, { cars: 5, trips: 10, people: 50, unlocks: [{}] });
    const uneven = await asked();
    assert.is(uneven.tripsPerCar, undefined);
    assert.is(uneven.metresPerTrip, undefined);
    assert.is(uneven.unlockedPercent, 100);
  } finally {
    await files.close();
  }
});

test.run();
