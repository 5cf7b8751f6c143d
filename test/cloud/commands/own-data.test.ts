/** P-40 and the person's own data over the API: all of mine, nothing of anybody else, and each look recorded. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR, CarLog } from "../../conformance/car-log.ts";
import { person as newPerson, PROFILE } from "../../conformance/people-store.ts";
import { openRig, type Rig } from "./rig.ts";

const at = "/v1/tenants/demo";
const HOUR = 3_600_000;
const NOW = Date.now();

type Context = { rig: Rig; me: string; owner: string; mine: string; theirs: string; other: string };
const test = suite<Context>("own data");

test.before(async (context) => {
  const rig = await openRig();
  const store = await rig.store();
  const [me, owner, other] = [
    newPerson(),
    newPerson({ profile: { name: "Ada Owner", email: "ada@example.test", phone: "+4930111" } }),
    newPerson({ profile: { name: "<b>Eve</b>", email: "eve@example.test" } }),
  ];
  for (const record of [me, owner, other]) await store.people.putPerson(record, AUDIT);
  const member = (of: string) => rig.issuer.mint({ role: "member", subject: `person:${of}` });
  Object.assign(context, {
    ...{ rig, me: me.person, owner: owner.person },
    ...{ mine: await member(me.person), theirs: await member(owner.person) },
    other: await member(other.person),
  });
  const held = (
    id: string,
    holder: string,
    fromMs: number,
    toMs: number,
    state: "open" | "ended",
  ) => store.putBooking(booking(id, 1, { holder, fromMs, toMs, state }), AUDIT);
  await held("b-now", me.person, NOW - HOUR, NOW + HOUR, "open");
  await held("b-past", me.person, NOW - 3 * HOUR, NOW - 2 * HOUR, "ended");
  await held("b-other", other.person, NOW - 5 * HOUR, NOW - 4 * HOUR, "ended");
  // Booked from before the one of b-other gave the car back.
  await held("b-waited", owner.person, NOW - 4.75 * HOUR, NOW - 3.25 * HOUR, "ended");
  const log = new CarLog();
  const note = (hoursAgo: number) => {
    const bootMs = 10 * HOUR - hoursAgo * HOUR;
    const note = `${hoursAgo} hours ago`;
    const time = { bootMs, wallOffsetMs: NOW - 10 * HOUR, doubtMs: 0 };
    return { kind: "diagnostic.note", data: { note }, ...time } as const;
  };
  await store.commitSegments([log.next("state", [4.5, 3.5, 2.5, 1.5, 0.5].map(note))]);
});
test.after(({ rig }) => rig.close());

test("P-40 what a car reported is shown for one's own bookings, and only of their time", async ({
  rig,
  mine,
  theirs,
  other,
}) => {
  const notes = async (id: string, token: string) => {
    const { body } = await rig.ask({ path: `${at}/me/bookings/${id}/events`, token });
    return body.items?.map((item: { data: { note: string } }) => item.data.note);
  };
  assert.equal(await notes("b-past", mine), ["2.5 hours ago"]);
  assert.equal(await notes("b-now", mine), ["0.5 hours ago"]);
  assert.equal(await notes("b-other", other), ["4.5 hours ago"]);
  assert.equal(await notes("b-waited", theirs), ["3.5 hours ago"], "not who had it until then");
  for (const id of ["b-other", "b-none"]) {
    const { status } = await rig.ask({ path: `${at}/me/bookings/${id}/events`, token: mine });
    assert.is(status, 404, id);
  }
  const trail = await (await rig.store()).auditTrail(0, 1000);
  assert.ok(trail.some((e) => e.action === "export.events" && e.subject === "booking:b-past"));
});

test("P-40 the export is whole, for a program and to read, and recorded", async (context) => {
  const { rig, me, mine, other } = context;
  const json = await rig.ask({ path: `${at}/me/export`, token: mine });
  assert.equal(json.body.person.profile, PROFILE);
  assert.equal(
    json.body.bookings.map((b: { booking: string }) => b.booking),
    ["b-now", "b-past"],
  );
  const headers = { accept: "text/html" };
  const page = await rig.ask({ path: `${at}/me/export`, token: mine, headers });
  assert.match(String(page.headers["content-type"]), /^text\/html/);
  for (const value of Object.values(PROFILE)) assert.ok(page.text.includes(value), value);
  const odd = await rig.ask({ path: `${at}/me/export`, token: other, headers });
  assert.ok(odd.text.includes("&lt;b&gt;Eve&lt;/b&gt;"), "what somebody wrote is no markup");
  const trail = await (await rig.store()).auditTrail(0, 1000);
  const reads = trail.filter((e) => e.action === "export.me" && e.subject === `person:${me}`);
  assert.is(reads.length, 2);
});

test("P-40 owner and borrower reach each other while the booking lasts, and nobody else does", async (context) => {
  const { rig, owner, mine, theirs, other } = context;
  const manager = await rig.issuer.mint({ role: "manager", subject: "person:m" });
  const contact = (id: string, token: string) =>
    rig.ask({ path: `${at}/me/bookings/${id}/contact`, token });
  assert.is((await contact("b-now", mine)).status, 404, "nobody's own car");
  const set = { method: "PUT", path: `${at}/vehicles/${CAR}/owner`, token: manager };
  assert.is((await rig.ask({ ...set, body: { person: owner } })).status, 200);
  assert.equal((await contact("b-now", mine)).body, {
    ...{ role: "owner", phone: "+4930111", email: "ada@example.test" },
  });
  assert.equal((await contact("b-now", theirs)).body, {
    ...{ role: "borrower", phone: PROFILE.phone, email: PROFILE.email },
  });
  assert.is((await contact("b-now", other)).status, 404, "somebody else");
  assert.is((await contact("b-now", manager)).status, 404, "staff has other ways");
  for (const token of [mine, theirs])
    assert.is((await contact("b-past", token)).status, 404, "nothing after it");
  const store = await rig.store();
  const now = await store.booking("b-now");
  assert.ok(now !== undefined);
  await store.putBooking({ ...now, version: 2, state: "ended" }, AUDIT);
  for (const token of [mine, theirs]) assert.is((await contact("b-now", token)).status, 404);
  const reads = (await store.auditTrail(0, 1000)).filter((e) => e.action === "read.contact");
  assert.equal(
    reads.map(({ reason }) => reason),
    ["booking b-now", "booking b-now"],
  );
});

test("P-20 a manager says how exactly positions are kept, nobody else", async ({ rig, mine }) => {
  const manager = await rig.issuer.mint({ role: "manager", subject: "person:m" });
  const path = `${at}/privacy`;
  assert.equal((await rig.ask({ path, token: manager })).body, { rented: "exact", free: "exact" });
  const body = { rented: "none", free: "coarse" };
  assert.is((await rig.ask({ method: "PUT", path, token: mine, body })).status, 403);
  assert.equal((await rig.ask({ method: "PUT", path, token: manager, body })).body, body);
  assert.equal((await rig.ask({ path, token: manager })).body, body);
  const wrong = { rented: "sometimes", free: "coarse" };
  assert.is((await rig.ask({ method: "PUT", path, token: manager, body: wrong })).status, 400);
});

test.run();
