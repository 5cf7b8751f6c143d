/** P-40, P-52, P-61, P-74 over the API: people as staff and as themselves see them, and support with four eyes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../../conformance/car-log.ts";
import { person as newPerson, PROFILE } from "../../conformance/people-store.ts";
import { openRig, type Rig } from "./rig.ts";

const test = suite<{ rig: Rig; me: string; other: string }>("people over the API");
const at = "/v1/tenants/demo";

test.before(async (context) => {
  context.rig = await openRig();
  const { people } = await context.rig.store();
  const [me, other] = [newPerson(), newPerson({ profile: { name: "Somebody Else" } })];
  for (const record of [me, other]) await people.putPerson(record, AUDIT);
  context.me = me.person;
  context.other = other.person;
});
test.after(({ rig }) => rig.close());

const tokenOf = (rig: Rig, role: "member" | "manager" | "support" | "operator", of: string) =>
  rig.issuer.mint({ role, subject: `person:${of}` });

test("P-40 a person sees what is kept of them, whole, and of nobody else anything", async ({
  rig,
  me,
  other,
}) => {
  const token = await tokenOf(rig, "member", me);
  const mine = await rig.ask({ path: `${at}/me`, token });
  assert.equal(mine.body.profile, PROFILE);
  for (const path of [`/people/${me}`, `/people/${other}`, "/people", "/bookings", "/vehicles"])
    assert.is((await rig.ask({ path: at + path, token })).status, 403, path);
  const taken = await rig.ask({ path: `${at}/me/export`, token });
  assert.equal(taken.body.person.profile, PROFILE);
  assert.not(taken.text.includes("Somebody Else"));
  const changed = await rig.ask({
    method: "PATCH",
    path: `${at}/me`,
    token,
    body: { name: "New" },
  });
  assert.equal(changed.body.profile, { ...PROFILE, name: "New" });
});

test("P-40 a program is no person", async ({ rig }) => {
  const token = await rig.issuer.mint({ scope: "self", subject: "backend" });
  assert.is((await rig.ask({ path: `${at}/me`, token })).status, 404);
});

test("P-74 a person agrees and withdraws, and both dates stay", async ({ rig, me }) => {
  const token = await tokenOf(rig, "member", me);
  const body = { purpose: "marketing", version: "2026-11" };
  assert.is((await rig.ask({ path: `${at}/me/consents`, token, body })).status, 201);
  const gone = { path: `${at}/me/consents/withdraw`, token, body: { purpose: "marketing" } };
  assert.equal((await rig.ask(gone)).body, { done: true });
  assert.equal((await rig.ask(gone)).body, { done: false });
  const manager = await tokenOf(rig, "manager", "m");
  const { body: seen } = await rig.ask({ path: `${at}/people/${me}/consents`, token: manager });
  assert.type(seen.items[0].givenAt, "string");
  assert.type(seen.items[0].withdrawnAt, "string");
});

test("P-52 staff read people by role, and each read is recorded before it is answered", async ({
  rig,
  me,
}) => {
  const token = await tokenOf(rig, "manager", "m");
  const read = await rig.ask({ path: `${at}/people/${me}`, token });
  assert.is(read.body.profile.email, PROFILE.email);
  const trail = await (await rig.store()).auditTrail(0, 1000);
  const entry = trail.find(({ action }) => action === "read.getPerson");
  assert.equal([entry?.actor, entry?.subject], ["person:m", `person:${me}`]);
});

test("P-23 a card number is refused wherever it is written", async ({ rig }) => {
  const token = await tokenOf(rig, "manager", "m");
  for (const name of ["name", "address", "licence"]) {
    const body = { profile: { [name]: "my card is 4111-1111-1111-1111 ok" } };
    const answer = await rig.ask({ path: `${at}/people`, token, body });
    assert.is(answer.status, 400, name);
    assert.not(answer.text.includes("4111"), "and not said back");
  }
});

test("P-23 nobody writes what a card is charged by, and only its person is shown it", async ({
  rig,
  me,
}) => {
  const member = await tokenOf(rig, "member", me);
  const token = await tokenOf(rig, "manager", "m");
  const stolen = { paymentToken: "tok_of_somebody_else" };
  const path = `${at}/people/${me}`;
  for (const asked of [
    { method: "PATCH", path: `${at}/me`, token: member, body: stolen },
    { method: "PUT", path, token, body: { profile: stolen } },
    { method: "POST", path: `${at}/people`, token, body: { profile: stolen } },
  ] as const)
    assert.is((await rig.ask(asked)).status, 400, `${asked.method} ${asked.path}`);
  for (const shown of [`${at}/people`, path])
    assert.not((await rig.ask({ path: shown, token })).text.includes("tok_"), shown);
  const profile = { name: "Changed", email: PROFILE.email };
  const changed = await rig.ask({ method: "PUT", path, token, body: { profile } });
  assert.equal(changed.body.profile, profile);
  const { paymentToken } = PROFILE;
  assert.equal((await (await rig.store()).people.person(me))?.profile, {
    ...profile,
    paymentToken,
  });
  const own = await rig.ask({ path: `${at}/me`, token: member });
  assert.is(own.body.profile.paymentToken, paymentToken);
});

test("P-81 a suspended person is not brought back", async ({ rig, other }) => {
  const token = await tokenOf(rig, "manager", "m");
  const path = `${at}/people/${other}`;
  const suspended = await rig.ask({ path: `${path}/suspend`, token, body: {} });
  assert.is(suspended.body.state, "suspended");
  const { body } = await rig.ask({ method: "PUT", path, token, body: { profile: {} } });
  assert.is(body.state, "suspended");
});

test("P-61 support sees a car's events with a ticket, a manager's approval, and while it lasts", async ({
  rig,
}) => {
  const [operator, support, manager] = await Promise.all([
    tokenOf(rig, "operator", "o"),
    tokenOf(rig, "support", "s"),
    tokenOf(rig, "manager", "m"),
  ]);
  const ticket = await rig.ask({
    path: `${at}/tickets`,
    token: operator,
    body: { words: "car-1" },
  });
  assert.is(ticket.status, 201, ticket.text);
  const wanted = { ticket: ticket.body.ticket, vehicle: "car-1", reason: "does not open" };
  const body = { ...wanted, minutes: 60 };
  const asked = await rig.ask({ path: `${at}/access-requests`, token: support, body });
  assert.is(asked.status, 201, asked.text);
  const path = `${at}/access-requests/${asked.body.request}`;
  assert.is((await rig.ask({ path: `${path}/events`, token: support })).status, 403);
  assert.is((await rig.ask({ path: `${path}/approve`, token: support, body: {} })).status, 403);
  const own = await rig.issuer.mint({ role: "manager", subject: "person:s" });
  const alone = await rig.ask({ path: `${path}/approve`, token: own, body: {} });
  assert.is(alone.status, 403, "a manager who asked is not another person");
  const program = await rig.issuer.mint({ scope: "support:approve", subject: "robot" });
  assert.is((await rig.ask({ path: `${path}/approve`, token: program, body: {} })).status, 403);
  const approved = await rig.ask({ path: `${path}/approve`, token: manager, body: {} });
  assert.is(approved.body.state, "approved", approved.text);
  const seen = await rig.ask({ path: `${path}/events`, token: support });
  assert.is(seen.status, 200, seen.text);
  const close = `${at}/tickets/${ticket.body.ticket}/close`;
  assert.is((await rig.ask({ path: close, token: operator, body: {} })).status, 200);
  assert.is((await rig.ask({ path: `${path}/events`, token: support })).status, 403);
  const trail = (await (await rig.store()).auditTrail(0, 1000)).map(({ action }) => action);
  for (const action of ["ticket.open", "support.request", "support.approve", "support.query"])
    assert.ok(trail.includes(action), action);
});

test.run();
