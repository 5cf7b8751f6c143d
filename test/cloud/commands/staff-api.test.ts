/** What staff do over the API beside bookings: whose booking it is, erasures and holds, quarantine, the audit's check. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { person as newPerson, PROFILE } from "../../conformance/people-store.ts";
import { CAR, openRig, type Rig, SILENT_CAR } from "./rig.ts";

const test = suite<{ rig: Rig; person: string; booking: string }>("staff over the API");
const at = "/v1/tenants/demo";
const HOUR_MS = 3_600_000;
const iso = (ms: number): string => new Date(Date.now() + ms).toISOString();

test.before(async (context) => {
  context.rig = await openRig();
  const record = newPerson();
  context.person = record.person;
  await (await context.rig.store()).people.putPerson(record, AUDIT);
  const made = await context.rig.ask({
    path: `${at}/bookings`,
    token: await context.rig.issuer.mint({ scope: "bookings:write" }),
    headers: { "idempotency-key": "one" },
    body: { vehicle: CAR, holder: context.person, from: iso(0), to: iso(HOUR_MS) },
  });
  context.booking = made.body.booking;
});
test.after(({ rig }) => rig.close());

const tokenOf = (rig: Rig, role: "manager" | "operator" | "auditor") =>
  rig.issuer.mint({ role, subject: `person:${role}` });
const trailOf = async (rig: Rig) => (await rig.store()).auditTrail(0, 1000);

test("P-40 P-52 people see whose booking it is when they say why, which is recorded first", async ({
  rig,
  person,
  booking,
}) => {
  const token = await tokenOf(rig, "operator");
  const list = await rig.ask({ path: `${at}/bookings`, token });
  const one = await rig.ask({ path: `${at}/bookings/${booking}`, token });
  assert.is(list.body.items[0].booking, booking);
  for (const { text } of [list, one]) assert.not(text.includes(person), text);
  const program = await rig.issuer.mint({ scope: "bookings:read" });
  const known = await rig.ask({ path: `${at}/bookings/${booking}`, token: program });
  assert.is(known.body.holder, person, "the program that made it knows it");

  const path = `${at}/bookings/${booking}/reveal`;
  const without = await rig.ask({ path, token, body: {} });
  assert.is(without.status, 400, "no reason, no name");
  const reason = "left a phone in the car";
  const shown = await rig.ask({ path, token, body: { reason } });
  const { name, phone, email } = PROFILE;
  assert.equal(shown.body, { booking, holder: person, name, phone, email });
  const entries = (await trailOf(rig)).filter(({ action }) => action === "booking.reveal");
  assert.equal(
    entries.map(({ actor, subject, reason: why }) => [actor, subject, why]),
    [["person:operator", `booking:${booking}`, reason]],
  );
});

test("P-81 P-82 a person is suspended, then erased, then certified, and a hold keeps them", async ({
  rig,
  person,
}) => {
  const token = await tokenOf(rig, "manager");
  const ask = (path: string, body?: unknown) => rig.ask({ path: at + path, token, body });
  const early = { reason: "asked for it", early: true };
  assert.is((await ask(`/people/${person}/erase`, early)).status, 409, "not suspended yet");
  assert.is((await ask(`/people/${person}/suspend`, {})).status, 200);
  const { body: due } = await ask("/erasures");
  assert.equal(
    due.items.map((one: { person: string; stage: string }) => [one.person, one.stage]),
    [[person, "erase"]],
  );
  const tooSoon = await ask(`/people/${person}/erase`, { reason: "tidying up" });
  assert.is(tooSoon.status, 409, "the legal term has not passed");
  const hold = await ask("/holds", { person, reason: "case 7", readers: ["counsel"] });
  assert.is(hold.status, 201, hold.text);
  assert.is((await ask(`/people/${person}/erase`, early)).status, 409, "a hold names the person");
  assert.is((await ask("/erasures")).body.items[0].held, true);
  assert.is((await ask(`/holds/${hold.body.hold}/release`, {})).status, 200);
  assert.type((await ask("/holds")).body.items[0].releasedAt, "string");
  assert.is((await ask(`/people/${person}/erase`, early)).status, 200);
  assert.equal((await ask(`/people/${person}`)).body.profile, {});
  const car = { vehicle: "car-1", from: iso(0), to: iso(HOUR_MS) };
  const proceedings = { reason: "case 8", readers: ["counsel"] };
  const onCar = await ask("/holds", { ...car, ...proceedings });
  assert.is(onCar.status, 201, onCar.text);
  assert.is(onCar.body.vehicle, "car-1", "P-82 a hold names a car and its times too");
  assert.is((await ask("/holds")).body.items.at(-1).from, car.from);
  for (const wrong of [{}, { ...car, person }, { vehicle: "car-1" }, { ...car, to: iso(-HOUR_MS) }])
    assert.is((await ask("/holds", { ...wrong, ...proceedings })).status, 400);
  assert.is((await ask(`/holds/${onCar.body.hold}/release`, {})).status, 200);
  const certificate = await ask(`/people/${person}/certify`, {});
  assert.is(certificate.status, 409, "backups of the key live for a month");
  assert.match(certificate.body.detail, /backups/);
  const actions = (await trailOf(rig)).map(({ action }) => action);
  for (const action of ["person.suspend", "hold.place", "hold.release", "person.erase"])
    assert.ok(actions.includes(action), action);
});

test("the fleet is asked for some cars by name, as many as a URL holds", async ({ rig }) => {
  const token = await tokenOf(rig, "operator");
  const ask = async (names: readonly string[]) =>
    rig.ask({ path: `${at}/fleet?vehicles=${names.join(",")}`, token });
  const names = async (asked: readonly string[]) =>
    (await ask(asked)).body.items.map(({ vehicle }: { vehicle: string }) => vehicle);
  assert.equal(await names([SILENT_CAR, CAR]), [CAR, SILENT_CAR]);
  assert.equal(await names([SILENT_CAR, "nobody"]), [SILENT_CAR]);
  const many = (count: number) => Array.from({ length: count }, () => "c".repeat(40));
  assert.is((await ask(many(40))).status, 200);
  assert.is((await ask(many(41))).status, 400);
  assert.is((await ask(["Car"])).status, 400);
});

test("what was put aside is listed with its reason, handed in again, and each attempt recorded", async ({
  rig,
}) => {
  const store = await rig.store();
  const payload = new TextEncoder().encode("nothing that a car would say");
  const topic = `kb/v1/demo/${CAR}/up/state`;
  await store.quarantine({ vehicle: CAR, reason: "malformed", topic, payload });
  const token = await tokenOf(rig, "operator");
  const list = await rig.ask({ path: `${at}/quarantine`, token });
  const [found] = list.body.items;
  assert.equal([found.vehicle, found.reason, found.topic], [CAR, "malformed", topic]);
  assert.is(found.bytes, payload.length);
  assert.not(list.text.includes(Buffer.from(payload).toString("hex")), "not what it holds");
  const path = (message: unknown): string => `${at}/quarantine/${message}/redrive`;
  const again = await rig.ask({ path: path(found.message), token, body: {} });
  assert.equal([again.body.outcome, again.body.taken], ["still", false], again.text);
  for (const other of [found.message + 1, "0", "-1", "1e3"])
    assert.is((await rig.ask({ path: path(other), token, body: {} })).status, 404, `${other}`);
  const entry = (await trailOf(rig)).find(({ action }) => action === "quarantine.redrive");
  assert.equal([entry?.actor, entry?.outcome], ["person:operator", "refused"]);
});

test("P-51 an auditor sees that the trail holds, and that it does not once it was altered", async ({
  rig,
}) => {
  const token = await tokenOf(rig, "auditor");
  const sound = await rig.ask({ path: `${at}/audit/check`, token });
  assert.equal([sound.body.ok, sound.body.problems], [true, []], sound.text);
  assert.ok(sound.body.entries > 5);
  const tenants = join(rig.dir, "tenants");
  for (const name of readdirSync(tenants)) {
    const file = new Sqlite(join(tenants, name, "store.sqlite"));
    for (const { name: trigger } of file
      .prepare<[], { name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'",
      )
      .all())
      file.exec(`DROP TRIGGER ${trigger}`);
    file.exec("UPDATE audit SET actor = 'nobody' WHERE seq = 3");
    file.close();
  }
  const altered = await rig.ask({ path: `${at}/audit/check`, token });
  assert.is(altered.body.ok, false);
  assert.match(altered.body.problems[0], /entry 3: does not match its hash/);
});

test.run();
