/** P-60, P-61, P-23: nobody gets in alone, without a reason, or for longer than was agreed. */
import { randomUUID } from "node:crypto";
import {
  ACCESS_KINDS,
  type AccessKind,
  type AccessRequest,
  ProtocolError,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking, refuses } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const HOUR_MS = 3_600_000;
const [CONTACT, SUPPORT, MANAGER] = ["person:contact", "person:support", "person:manager"];
type World = {
  files: TestRegistry;
  store: SqliteTenantStore;
  at: { nowMs: number };
  ticket: string;
};
const test = suite<World>("access that others agree to");
test.before.each(async (world) => {
  world.at = { nowMs: Date.UTC(2026, 0, 1) };
  world.files = await testRegistry(() => world.at.nowMs);
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
  world.ticket = randomUUID();
  const ticket = { id: world.ticket, openedBy: CONTACT, words: "car-1 does not open" };
  await world.store.access.openTicket({ ...ticket, openedAtMs: world.at.nowMs }, AUDIT);
});
test.after.each(({ files }) => files.close());

async function ask(world: World, change: Partial<AccessRequest> = {}): Promise<string> {
  const id = randomUUID();
  const request: AccessRequest = {
    ...{ id, kind: "support", subject: "vehicle:car-1", ticket: world.ticket, reason: "to look" },
    ...{
      askedBy: SUPPORT,
      askedAtMs: world.at.nowMs,
      lifeMs: 24 * HOUR_MS,
      state: { at: "asked" },
    },
    ...change,
  };
  await world.store.access.ask(request, AUDIT);
  return id;
}

test("P-61 a query takes an open ticket, another person's approval, and its 24 hours", async (world) => {
  const { access } = world.store;
  const id = await ask(world);
  await refuses("forbidden", access.use(id, SUPPORT, AUDIT), "not approved");
  await refuses("forbidden", access.decide(id, SUPPORT, "approve", AUDIT), "by oneself");
  await access.decide(id, MANAGER, "approve", AUDIT);
  await refuses("conflict", access.decide(id, MANAGER, "approve", AUDIT), "twice");
  await access.use(id, SUPPORT, AUDIT);
  await refuses("forbidden", access.use(id, MANAGER, AUDIT), "somebody else's");
  world.at.nowMs += 24 * HOUR_MS - 1;
  await access.use(id, SUPPORT, AUDIT);
  world.at.nowMs += 1;
  await refuses("forbidden", access.use(id, SUPPORT, AUDIT), "its time is over");
});

test("P-61 without a ticket of the tenant's contact there is nothing to approve", async (world) => {
  const { ticket: _none, ...without } = { ticket: world.ticket };
  await refuses("forbidden", ask({ ...world, ticket: randomUUID() }), "no such ticket");
  await refuses("forbidden", ask(world, { askedBy: CONTACT }), "one's own ticket");
  await world.store.access.closeTicket(world.ticket, AUDIT);
  await refuses("forbidden", ask(world, without), "closed");
  await refuses("not_found", world.store.access.closeTicket(world.ticket, AUDIT));
});

test("P-61 closing the ticket ends what was approved for it", async (world) => {
  const { access } = world.store;
  const [one, two] = [await ask(world), await ask(world)];
  await access.decide(one, MANAGER, "approve", AUDIT);
  await access.closeTicket(world.ticket, { ...AUDIT, actor: CONTACT });
  await refuses("forbidden", access.use(one, SUPPORT, AUDIT));
  await refuses("conflict", access.decide(two, MANAGER, "approve", AUDIT));
  assert.equal((await access.request(one))?.state, { at: "ended", by: CONTACT });
});

test("P-61 an approval that comes too late approves nothing, and what is ended stays so", async (world) => {
  const { access } = world.store;
  const late = await ask(world);
  world.at.nowMs += ACCESS_KINDS.support.waitMsMax;
  await refuses("conflict", access.decide(late, MANAGER, "approve", AUDIT));
  const id = await ask(world);
  await access.decide(id, MANAGER, "approve", AUDIT);
  await access.decide(id, SUPPORT, "end", AUDIT);
  await refuses("forbidden", access.use(id, SUPPORT, AUDIT));
  await refuses("conflict", access.decide(id, MANAGER, "approve", AUDIT));
  const refused = await ask(world);
  await access.decide(refused, MANAGER, "refuse", AUDIT);
  await refuses("forbidden", access.use(refused, SUPPORT, AUDIT));
});

test("P-23 P-60 P-62 no kind of access lasts longer than its table says, or comes without a reason", async (world) => {
  for (const kind of Object.keys(ACCESS_KINDS) as AccessKind[]) {
    const { lifeMsMax } = ACCESS_KINDS[kind];
    await refuses("malformed", ask(world, { kind, lifeMs: lifeMsMax + 1 }), kind);
    await refuses("malformed", ask(world, { kind, lifeMs: 0 }), kind);
    await refuses("malformed", ask(world, { kind, reason: "  " }), kind);
    const id = await ask(world, { kind, lifeMs: lifeMsMax });
    await refuses("forbidden", world.store.access.decide(id, SUPPORT, "approve", AUDIT), kind);
  }
});

test("P-61 who, when, what and why are in the trail, refusals too small to count not", async (world) => {
  const before = (await world.store.auditTrail(0, 100)).length;
  const id = await ask(world);
  await world.store.access.decide(id, MANAGER, "approve", { ...AUDIT, actor: MANAGER });
  await world.store.access.use(id, SUPPORT, { ...AUDIT, actor: SUPPORT, reason: world.ticket });
  await refuses("forbidden", world.store.access.use(id, MANAGER, AUDIT));
  const trail = (await world.store.auditTrail(before, 100)).map(({ actor }) => actor);
  assert.equal(trail.slice(1), [MANAGER, SUPPORT]);
  assert.equal(world.store.verifyAudit().problems, []);
  assert.equal(world.store.schemaProblems(), []);
});

test("P-62 a table shows its columns without a tag, and bytes as text", async ({ store }) => {
  await store.putBooking(booking("b-1", 1, { holder: "somebody" }), AUDIT);
  const [row] = store.readTable("bookings", 0, 10);
  assert.equal(Object.keys(row ?? {}).sort(), ["booking", "mac", "state", "vehicle", "version"]);
  assert.match(String(row?.["mac"]), /^[0-9a-f]+$/);
  assert.equal(store.readTable("bookings", 1, 10), []);
  for (const table of ["", "nothing", "constructor", "sqlite_schema", "meta; SELECT 1"])
    assert.throws(() => store.readTable(table, 0, 1), /there is none such/, table);
});

test.run();
