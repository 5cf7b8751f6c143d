/** P-31, P-81: what an erasure leaves in the files, when it is due, and what certifies it. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProtocolError, tenantId, verifyKey, verifySignature } from "@kerbside/protocol";
import { type SqliteTenantStore, statementBytes } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, CAR, CarLog, refuses } from "../../conformance/car-log.ts";
import { account, PROFILE, person } from "../../conformance/people-store.ts";
import { allBytes, type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DAY_MS = 86_400_000;
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
