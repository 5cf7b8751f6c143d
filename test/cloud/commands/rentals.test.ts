/** A rental that a card or a phone opened at the car: what the cloud says of its booking, and what it takes for it. */
import { randomUUID } from "node:crypto";
import { rentalsIn } from "@kerbside/commands";
import type { EventData, StoredEvent } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CarLog } from "../../conformance/car-log.ts";
import { person as newPerson } from "../../conformance/people-store.ts";
import { CAR, openRig, type Reply, type Rig, SILENT_CAR } from "./rig.ts";

type Told = { readonly log: string; readonly seq: number; readonly atMs: number };
type Opener = EventData<"rental.started">["openedBy"];
const place = ({ log, seq, atMs }: Told) =>
  ({ vehicle: CAR, lane: "critical", log, seq, atMs }) as const;
const started = (booking: string, told: Told, openedBy: Opener = "card"): StoredEvent => ({
  ...place(told),
  ...{ kind: "rental.started", data: { booking, openedBy } },
});
const ended = (booking: string, told: Told): StoredEvent => ({
  ...place(told),
  ...{ kind: "rental.ended", data: { booking, how: "ended", unknown: [] } },
});
const at = (seq: number, atMs: number, log = "aa"): Told => ({ seq, atMs, log });

const TABLE: readonly {
  readonly why: string;
  readonly latest: readonly StoredEvent[];
  readonly is: object;
}[] = [
  { why: "nothing is known", latest: [], is: {} },
  {
    why: "begun, and never another",
    latest: [started("b-1", at(1, 10))],
    is: { "b-1": { state: "open", by: "card", sinceMs: 10 } },
  },
  {
    why: "ended: within a log the numbers decide, whatever the clock says",
    latest: [started("b-1", at(1, 90)), ended("b-1", at(2, 10))],
    is: { "b-1": { state: "ended", by: "card", sinceMs: 10 } },
  },
  {
    why: "opened again after its end",
    latest: [ended("b-1", at(2, 20)), started("b-1", at(3, 30), "phone")],
    is: { "b-1": { state: "open", by: "phone", sinceMs: 30 } },
  },
  {
    why: "the next one has begun: both are told",
    latest: [ended("b-1", at(2, 20)), started("b-2", at(3, 30))],
    is: {
      "b-1": { state: "ended", sinceMs: 20 },
      "b-2": { state: "open", by: "card", sinceMs: 30 },
    },
  },
  {
    why: "an end whose beginning is lost: the one before it is not open either",
    latest: [started("b-1", at(1, 10)), ended("b-2", at(9, 90))],
    is: { "b-2": { state: "ended", sinceMs: 90 } },
  },
  {
    why: "ended after a restart of the agent, in a log of its own",
    latest: [started("b-1", at(70, 10)), ended("b-1", at(1, 20, "bb"))],
    is: { "b-1": { state: "ended", by: "card", sinceMs: 20 } },
  },
  {
    why: "the key of the car was destroyed",
    latest: [{ ...started("b-1", at(1, 10)), data: null }],
    is: {},
  },
];

const it = suite<{ rig: Rig; token: string; log: CarLog }>("rentals");
it.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint();
  context.log = new CarLog(CAR, Date.now());
  await (await context.rig.store()).putOpening(context.log.opening());
  await context.rig.car.announce();
});
it.after(({ rig }) => rig.close());

for (const { why, latest, is } of TABLE)
  it(`a rental by the car's newest word: ${why}`, () => {
    assert.equal(Object.fromEntries(rentalsIn(latest)), is);
    assert.equal(Object.fromEntries(rentalsIn(latest.toReversed())), is, "in whatever order");
  });

const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();
type On = { readonly rig: Rig; readonly token: string };
const post = ({ rig, token }: On, path: string, body?: object): Promise<Reply> =>
  rig.ask({
    ...{ method: "POST", path: `/v1/tenants/demo${path}`, token },
    ...{ headers: { "idempotency-key": randomUUID() } },
    ...(body === undefined ? {} : { body }),
  });
const get = ({ rig, token }: On, path: string): Promise<Reply> =>
  rig.ask({ path: `/v1/tenants/demo${path}`, token });

async function booked(on: On, vehicle: string = CAR): Promise<string> {
  const [from, to] = [iso(Date.now() - 1000), iso(Date.now() + HOUR)];
  const made = await post(on, "/bookings", { vehicle, holder: "person-1", from, to });
  assert.is(made.status, 201, made.text);
  return made.body.booking;
}

let bootMs = 0;
const time = (log: CarLog) => {
  bootMs += 1000;
  return { bootMs, wallOffsetMs: log.wallOffsetMs, doubtMs: 5 };
};
/** The car tells of it, as ingest hands it over. Answers what the feed said of bookings then. */
async function tells(
  { rig, log }: { readonly rig: Rig; readonly log: CarLog },
  booking: string,
  what: "begins" | "ends",
): Promise<readonly string[]> {
  const store = await rig.store();
  const before = (await store.feed(0, 1000)).at(-1)?.cursor ?? 0;
  await store.commitSegments([
    log.next("critical", [
      what === "begins"
        ? { ...time(log), kind: "rental.started", data: { booking, openedBy: "card" } }
        : { ...time(log), kind: "rental.ended", data: { booking, how: "ended", unknown: [] } },
    ]),
  ]);
  const since = await store.feed(before, 1000);
  return since.flatMap(({ topic, id }) => (topic === "booking" ? [id] : []));
}

it("a booking opened by card says so, is announced, is not cancelled, and ends by the API", async (on) => {
  const booking = await booked(on);
  const path = `/bookings/${booking}`;
  assert.is((await get(on, path)).body.rental, undefined, "before the car said anything");
  assert.equal(await tells(on, booking, "begins"), [booking]);
  const shown = (await get(on, path)).body;
  assert.equal(
    [shown.state, shown.rental],
    ["reserved", { state: "open", by: "card", since: iso(on.log.wallOffsetMs + bootMs) }],
  );
  const listed = (await get(on, "/bookings?limit=10")).body.items;
  assert.equal(
    listed.find((one: { booking: string }) => one.booking === booking),
    shown,
  );

  const refused = await post(on, `${path}/cancel`);
  assert.is(refused.status, 409, refused.text);
  assert.match(refused.text, "opened at the car, by card; end or terminate it instead");
  assert.is((await get(on, path)).body.state, "reserved");
  const done = await post(on, `${path}/end`);
  assert.equal([done.status, done.body.state, done.body.rental.state], [200, "ended", "open"]);
  assert.equal(await tells(on, booking, "ends"), [booking]);
  const over = (await get(on, path)).body.rental;
  assert.equal([over.state, over.by], ["ended", "card"]);
});

it("a booking opened by card ends by the command end_rental, as the car answers it", async (on) => {
  const booking = await booked(on);
  await tells(on, booking, "begins");
  const command = await post(on, `/vehicles/${CAR}/commands?wait=5000`, {
    ...{ action: "end_rental", booking },
  });
  assert.is(command.body.state, "executed", command.text);
  assert.is((await get(on, `/bookings/${booking}`)).body.state, "ended");
  await tells(on, booking, "ends");
});

it("a booking that was opened and given back may be cancelled, one that another car names too", async (on) => {
  const booking = await booked(on);
  await tells(on, booking, "begins");
  await tells(on, booking, "ends");
  assert.is((await post(on, `/bookings/${booking}/cancel`)).body.state, "cancelled");

  const elsewhere = await booked(on, SILENT_CAR);
  assert.equal(await tells(on, elsewhere, "begins"), [], "not of this car: nobody is told");
  assert.equal(await tells(on, "b-nobody", "begins"), [], "nor of what is no booking");
  assert.is((await get(on, `/bookings/${elsewhere}`)).body.rental, undefined);
  assert.is((await post(on, `/bookings/${elsewhere}/cancel`)).status, 200);
});

it("P-40 whoever opened a car by card sees that rental and what the car told then, and nobody else's", async (on) => {
  const { rig, log } = on;
  const store = await rig.store();
  const [me, other] = [newPerson(), newPerson()];
  for (const record of [me, other]) await store.people.putPerson(record, AUDIT);
  const bookings = { [me.person]: "b-mine", [other.person]: "b-theirs" };
  const own = (of: string): string => bookings[of] ?? "";
  // Whoever had it before me keeps it into my time.
  for (const { person } of [other, me]) {
    const span = { fromMs: log.wallOffsetMs + bootMs + 1, toMs: log.wallOffsetMs + HOUR };
    await store.putBooking(booking(own(person), 1, { holder: person, ...span }), AUDIT);
  }
  const note = (words: string) =>
    store.commitSegments([
      log.next("state", [{ ...time(log), kind: "diagnostic.note", data: { note: words } }]),
    ]);
  const trip = (distanceM: number) =>
    store.commitSegments([
      log.next("state", [{ ...time(log), kind: "trip.ended", data: { distanceM, durationS: 1 } }]),
    ]);
  bootMs += 20_000;
  for (const [person, words, metres] of [
    [other.person, "theirs", 100],
    [me.person, "mine", 200],
  ] as const) {
    await tells(on, own(person), "begins");
    await note(words);
    await trip(metres);
    await tells(on, own(person), "ends");
    bootMs += 20_000;
    await note("nobody's");
    bootMs += 20_000;
  }
  const token = await rig.issuer.mint({ role: "member", subject: `person:${me.person}` });
  const { body } = await get({ rig, token }, "/me/bookings");
  assert.equal([body.items[0].state, body.items[0].rental.state], ["reserved", "ended"]);
  const seen = (await get({ rig, token }, `/me/bookings/${own(me.person)}/events`)).body.items;
  const notes = seen.flatMap((one: { data: { note?: string } }) => one.data.note ?? []);
  assert.equal(notes, ["mine"]);
  const mine = (await get({ rig, token }, "/me/export")).body;
  const [rental] = mine.rentals;
  assert.equal([mine.rentals.length, rental.booking, rental.by], [1, own(me.person), "card"]);
  assert.ok(Date.parse(rental.startedAt) < Date.parse(rental.endedAt));
  assert.equal(
    mine.trips.map(({ distanceM }: { distanceM: number }) => distanceM),
    [200],
  );
  const headers = { accept: "text/html" };
  const page = await rig.ask({ path: "/v1/tenants/demo/me/export", token, headers });
  assert.match(page.text, /<h2>rentals<\/h2>[\s\S]*<dd>card<\/dd>/);
  assert.match(page.text, rental.endedAt);
});

it.run();
