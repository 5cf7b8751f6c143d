/** P-31, P-81: what an erasure leaves in the files, when it is due, and what certifies it. */
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProtocolError, tenantId, vehicleId, verifyKey, verifySignature } from "@kerbside/protocol";
import { type SqliteTenantStore, statementBytes } from "@kerbside/tenants";
import Sqlite from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR, CarLog, refuses } from "../../conformance/car-log.ts";
import { account, PROFILE, person } from "../../conformance/people-store.ts";
import { allBytes, type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DAY_MS = 86_400_000;
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

/** Ids of the files that are in the one tenant's store, as an SQLite of its own reads them. */
function filesInStore(dir: string): readonly string[] {
  const [directory = ""] = readdirSync(join(dir, "tenants"));
  const sql = new Sqlite(join(dir, "tenants", directory, "store.sqlite"), { readonly: true });
  const rows = sql.prepare<[], { file: string }>("SELECT file FROM owned_files").all();
  sql.close();
  return rows.map(({ file }) => file);
}

type World = { files: TestRegistry; store: SqliteTenantStore; at: { nowMs: number } };
const test = suite<World>("erasure");
test.before.each(async (world) => {
  world.at = { nowMs: Date.UTC(2026, 0, 1) };
  world.files = await testRegistry(() => world.at.nowMs);
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
});
test.after.each(({ files }) => files.close());

test("P-31 nothing of a person is in the files, neither before the erasure nor after", async ({
  files,
  store,
}) => {
  const record = person();
  await store.people.putPerson(record, AUDIT);
  await store.people.putAccount(account(record.person), "canary-user", AUDIT);
  await store.people.putCredential(
    { credential: "c-1", person: record.person, kind: "card", value: "04CA4A51", addedAtMs: 1 },
    AUDIT,
  );
  const canaries = [...Object.values(PROFILE), "canary-user", "04CA4A51"];
  for (const bytes of [allBytes(files.dir)]) {
    assert.ok(bytes.includes(record.person), "what is opaque is found, so the search works");
    for (const canary of canaries) assert.not(bytes.includes(canary), canary);
  }
  await store.people.putPerson({ ...record, state: "suspended", suspendedAtMs: 1 }, AUDIT);
  await store.people.erasePerson(record.person, AUDIT);
  await files.registry.close();
  const after = allBytes(files.dir);
  for (const canary of canaries) assert.not(after.includes(canary), canary);
});

test("P-31 an older copy of the store tells nothing once the keys are gone", async (world) => {
  const { files, store } = world;
  const record = person();
  await store.people.putPerson(record, AUDIT);
  await store.putBooking(booking("b-1", 1, { holder: record.person }), AUDIT);
  const copy = mkdtempSync(join(tmpdir(), "kerbside-copy-"));
  cpSync(files.dir, copy, { recursive: true });
  await store.people.putPerson({ ...record, state: "suspended", suspendedAtMs: 1 }, AUDIT);
  await store.people.erasePerson(record.person, AUDIT);
  await files.registry.close();
  // The store goes back to what it was; the keys, which are backed up elsewhere and for a shorter time, do not.
  const [directory = ""] = readdirSync(join(files.dir, "tenants"));
  const place = (root: string) => join(root, "tenants", directory);
  for (const name of ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"])
    cpSync(join(place(copy), name), join(place(files.dir), name), { force: true });
  rmSync(copy, { recursive: true });
  const again = await (await files.again()).tenant("demo");
  const restored = await again?.store.people.person(record.person);
  assert.is(restored?.state, "active", "the row came back");
  assert.equal(restored?.profile, {}, "and says nothing");
  assert.equal(await again?.store.people.findPeople("email", PROFILE.email), []);
  assert.is((await again?.store.booking("b-1"))?.holder, "");
});

test("P-81 what is due follows the legal terms", async ({ store, at }) => {
  const start = at.nowMs;
  const rows = [
    { why: "never used the service: half a year", record: person(), days: 183 },
    { why: "used it: three years", record: person({ usedAtMs: start }), days: 1096 },
    {
      why: "paid for it: ten years",
      record: person({ usedAtMs: start, paidAtMs: start }),
      days: 3653,
    },
  ];
  for (const { record } of rows) {
    const suspended = { ...record, state: "suspended", suspendedAtMs: start } as const;
    await store.people.putPerson(suspended, AUDIT);
  }
  for (const { why, record, days } of rows) {
    const dueAtMs = start + days * DAY_MS;
    const ids = async (until: number) => (await store.people.due(until)).map((each) => each.person);
    assert.not((await ids(dueAtMs - 1)).includes(record.person), why);
    assert.ok((await ids(dueAtMs)).includes(record.person), why);
  }
  const idle = person({ createdAtMs: start });
  await store.people.putPerson(idle, AUDIT);
  const due = (await store.people.due(start + 400 * DAY_MS, 365)).find(
    (each) => each.person === idle.person,
  );
  assert.is(due?.stage, "suspend", "P-81 a stated time of inactivity asks for it as well");
});

test("P-31 an erasure is certified once no backup of keys is left, and not before", async ({
  store,
  at,
}) => {
  const record = person({ state: "suspended", suspendedAtMs: 1 });
  const { people } = store;
  await people.putPerson(record, AUDIT);
  await refuses("conflict", people.certifyErasure(record.person, AUDIT));
  await people.erasePerson(record.person, AUDIT);
  at.nowMs += 30 * DAY_MS - 1;
  await refuses("conflict", people.certifyErasure(record.person, AUDIT));
  assert.is((await people.due(at.nowMs + 1))[0]?.stage, "certify");
  at.nowMs += 1;
  const certificate = await people.certifyErasure(record.person, AUDIT);
  const key = verifyKey(new Uint8Array(Buffer.from(certificate.publicKey, "hex")));
  const signature = new Uint8Array(Buffer.from(certificate.signature, "hex"));
  assert.ok(verifySignature(key, statementBytes(certificate), signature));
  const other = { ...certificate, statement: certificate.statement.replace("2026", "2025") };
  assert.not(verifySignature(key, statementBytes(other), signature));
  at.nowMs += DAY_MS;
  assert.equal(await people.certifyErasure(record.person, AUDIT), certificate, "the same again");
  assert.equal(await people.due(Number.MAX_SAFE_INTEGER), []);
  assert.equal(store.verifyAudit().problems, []);
});

test("P-83 a tenant that leaves takes everything along, and a signed certificate stays", async ({
  files,
}) => {
  const certificate = await files.registry.remove(tenantId("demo"), AUDIT);
  assert.equal(readdirSync(join(files.dir, "tenants")), []);
  const key = verifyKey(new Uint8Array(Buffer.from(certificate.publicKey, "hex")));
  const signature = new Uint8Array(Buffer.from(certificate.signature, "hex"));
  assert.ok(verifySignature(key, statementBytes(certificate), signature));
  assert.match(certificate.statement, /"tenant":"demo"/);
  await files.registry.close();
  assert.ok(allBytes(files.dir).includes(certificate.signature), "in the platform's store");
});

test("P-81 P-82 what is due is done by itself, in its stages, but for who booked since or is held", async ({
  store,
  at,
}) => {
  const day = (days: number): number => at.nowMs + days * DAY_MS;
  const start = at.nowMs;
  const [idle, booked, held, fresh] = [person(), person(), person(), person()].map((record) => ({
    ...record,
    createdAtMs: start,
  }));
  if (idle === undefined || booked === undefined || held === undefined || fresh === undefined)
    return;
  for (const record of [idle, booked, held]) await store.people.putPerson(record, AUDIT);
  const hold = { hold: "h-1", person: held.person, reason: "claim", readers: ["law"] };
  await store.people.placeHold({ ...hold, placedAtMs: start }, AUDIT);
  const span = { fromMs: day(500), toMs: day(501) };
  await store.putBooking(booking("b-1", 1, { holder: booked.person, ...span }), AUDIT);
  at.nowMs = day(1095);
  await store.people.putPerson({ ...fresh, createdAtMs: at.nowMs }, AUDIT);
  const nothing = { suspended: 0, erased: 0, certified: 0, kept: 0 };
  assert.equal(await store.people.endDue(AUDIT), nothing, "the day before");
  at.nowMs += 2 * DAY_MS;
  assert.equal(await store.people.endDue(AUDIT), { ...nothing, suspended: 1, kept: 2 });
  const stateOf = async ({ person: id }: { person: string }) =>
    (await store.people.person(id))?.state;
  assert.is(await stateOf(idle), "suspended");
  for (const record of [booked, held, fresh]) assert.is(await stateOf(record), "active");
  assert.equal(await store.people.endDue(AUDIT), { ...nothing, kept: 2 }, "once");
  at.nowMs += 184 * DAY_MS;
  assert.equal(
    await store.people.endDue(AUDIT),
    { ...nothing, erased: 1, kept: 2 },
    "never used: 6 months",
  );
  at.nowMs += 31 * DAY_MS;
  assert.equal(await store.people.endDue(AUDIT), { ...nothing, certified: 1, kept: 2 });
  assert.is(
    (await store.people.certifyErasure(idle.person, AUDIT)).statement.includes(idle.person),
    true,
  );
  at.nowMs = start + 1700 * DAY_MS;
  await store.people.releaseHold("h-1", AUDIT);
  assert.equal(
    await store.people.endDue(AUDIT),
    { ...nothing, suspended: 2 },
    "a booking counts as use",
  );
  const entered = (await store.auditTrail(0, 1000))
    .filter(({ subject }) => subject === `person:${idle.person}`)
    .map(({ action, outcome, reason }) => [action, outcome, reason]);
  assert.equal(entered, [
    ["person.suspend", "done", "1096 days without use"],
    ["person.erase", "asked", "term never_used has passed"],
    ["person.erase", "done", "term never_used has passed"],
    ["person.certify", "done", "term never_used has passed"],
  ]);
});

test("P-82 a hold on a car keeps who booked it within its times, what it reported and its files", async ({
  files,
  store,
  at,
}) => {
  const { people } = store;
  const start = at.nowMs;
  const log = new CarLog(CAR, start);
  await store.putVehicle(
    {
      ...{ vehicle: CAR, profile: "p", signingKey: new Uint8Array(32) },
      ...{ certificateSerial: "01", enrolledAtMs: start },
    },
    AUDIT,
  );
  await store.commitSegments([log.next("track", [log.position(1000), log.position(9 * DAY_MS)])]);
  const gone = { state: "suspended", suspendedAtMs: 1 } as const;
  const [within, after, running, owner] = [person(gone), person(gone), person(gone), person(gone)];
  for (const each of [within, after, running, owner]) await people.putPerson(each, AUDIT);
  const times = { fromMs: start, toMs: start + DAY_MS };
  const booked = { vehicle: CAR, fromMs: start + 1000, toMs: start + 2000 };
  await store.putBooking(booking("b-1", 1, { ...booked, holder: within.person }), AUDIT);
  const later = { vehicle: CAR, fromMs: start + 2 * DAY_MS, toMs: start + 3 * DAY_MS };
  await store.putBooking(booking("b-2", 1, { ...later, holder: after.person }), AUDIT);
  const early = { vehicle: CAR, fromMs: start - 5000, toMs: start - 1000, state: "open" } as const;
  await store.putBooking(booking("b-3", 1, { ...early, holder: running.person }), AUDIT);
  await store.privacy.setOwner(CAR, owner.person, AUDIT);
  const photo = { kind: "damage", owner: "booking:b-1", content: PNG } as const;
  const { file } = await store.files.putFile(photo, AUDIT);
  const hold = { hold: randomUUID(), vehicle: CAR, ...times, reason: "claim 7", readers: ["law"] };
  const nowhere = { ...hold, vehicle: vehicleId("no-such-car"), placedAtMs: start };
  await refuses("not_found", people.placeHold(nowhere, AUDIT));
  await people.placeHold({ ...hold, placedAtMs: start }, AUDIT);

  const keptPeople = [within, running, owner].map((each) => each.person);
  for (const id of keptPeople) {
    assert.is(await people.isHeld(id), true);
    await refuses("conflict", people.erasePerson(id, AUDIT));
  }
  await refuses("conflict", store.files.removeFile(file, AUDIT));
  await refuses("conflict", files.registry.remove(tenantId("demo"), AUDIT));
  const due = await people.due(Number.MAX_SAFE_INTEGER);
  const held = due.filter((each) => each.held).map((each) => each.person);
  assert.equal(held.sort(), [...keptPeople].sort());
  await people.erasePerson(after.person, AUDIT);

  await refuses("forbidden", people.readHeld(hold.hold, "somebody", AUDIT));
  const copy = JSON.parse(await people.readHeld(hold.hold, "law", AUDIT));
  assert.equal(
    copy.bookings.map((each: { booking: string }) => each.booking),
    ["b-3", "b-1"],
  );
  assert.equal(
    copy.people.map((each: { profile: { name: string } }) => each.profile.name),
    [PROFILE.name, PROFILE.name],
  );
  assert.equal(
    copy.events.map((each: { kind: string; atMs: number }) => [each.kind, each.atMs]),
    [["position.sampled", start + 1000]],
  );
  const [shown] = await people.holds();
  assert.equal(shown, { ...hold, placedAtMs: start });

  await people.releaseHold(hold.hold, AUDIT);
  await refuses("not_found", people.readHeld(hold.hold, "law", AUDIT));
  assert.is(await store.files.removeFile(file, AUDIT), true);
  for (const id of keptPeople) await people.erasePerson(id, AUDIT);
  assert.equal(store.verifyAudit().problems, []);
  assert.equal(store.schemaProblems(), []);
});

test("P-82 P-32 what a hold keeps does not run out and is not replaced", async (world) => {
  const { store, at, files } = world;
  const record = person();
  const owner = `person:${record.person}` as const;
  await store.people.putPerson(record, AUDIT);
  const avatar = { kind: "avatar", owner, content: PNG } as const;
  const put = async () => (await store.files.putFile(avatar, AUDIT)).file;
  const first = await put();
  const hold = { hold: randomUUID(), person: record.person, reason: "r", readers: ["law"] };
  await store.people.placeHold({ ...hold, placedAtMs: at.nowMs }, AUDIT);
  const second = await put();
  const json = { kind: "export", owner, content: new TextEncoder().encode("{}") } as const;
  const { file: taken } = await store.files.putFile(json, AUDIT);
  at.nowMs += 8 * DAY_MS;
  await put();
  assert.is(await store.files.file(taken), undefined, "what has run out is given to nobody");
  const rows = () => filesInStore(files.dir);
  assert.ok(rows().includes(taken), "and stays while the hold lasts");
  const names = async () => (await store.files.files(owner)).map(({ file }) => file).sort();
  assert.is((await names()).length, 3, "the ones before stay");
  assert.ok((await names()).includes(first) && (await names()).includes(second));
  await store.people.releaseHold(hold.hold, AUDIT);
  const last = await put();
  assert.equal(await names(), [last], "and go when the hold has ended");
  assert.not(rows().includes(taken));
});

test("P-80 what cars reported and what was booked ten years ago is there until the tenant leaves", async ({
  files,
  store,
  at,
}) => {
  const log = new CarLog(CAR, at.nowMs);
  await store.commitSegments([
    log.next("track", [log.position(1)]),
    log.next("state", [log.note(2, "n")]),
  ]);
  await store.putBooking(booking("b-1", 1, { fromMs: at.nowMs, toMs: at.nowMs + 1 }), AUDIT);
  const events = (await store.events({ limit: 10 })).items;
  at.nowMs += 3660 * DAY_MS;
  await store.people.endDue(AUDIT);
  const again = (await (await files.again()).tenant("demo"))?.store;
  assert.equal((await again?.events({ limit: 10 }))?.items, events);
  assert.is((await again?.booking("b-1"))?.holder, "person-17");
  assert.ok(files.registry.platform.verifyAudit().entries > 0);
  await files.registry.remove(tenantId("demo"), AUDIT);
  assert.is(await files.registry.tenant("demo"), undefined);
  assert.equal(readdirSync(join(files.dir, "tenants")), []);
  assert.ok(files.registry.platform.verifyAudit().entries > 1, "the platform's data stays");
});

test.run();
