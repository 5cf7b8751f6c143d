/**
 * Who may do what: each role at each endpoint, at its own tenant and at another. The rules are written here a second
 * time, apart from the routes, and held against the API's own description: an endpoint that has no row fails.
 */
import { ROLES, type Role } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRig, type Rig } from "./rig.ts";

const RULES: Readonly<Record<string, readonly Role[]>> = {
  listVehicles: ["backend", "operator", "support", "manager"],
  getVehicle: ["backend", "operator", "support", "manager"],
  listFleet: ["backend", "operator", "manager"],
  getLatest: ["backend", "operator", "manager"],
  listTrips: ["backend", "operator", "manager"],
  listVehicleTrips: ["backend", "operator", "manager"],
  listEvents: ["backend", "operator", "manager"],
  createBooking: ["backend", "operator"],
  listBookings: ["backend", "operator", "manager"],
  getBooking: ["backend", "operator", "manager"],
  endBooking: ["backend", "operator"],
  cancelBooking: ["backend", "operator"],
  createGrant: ["backend", "operator"],
  listGrants: ["backend", "operator", "manager"],
  revokeGrant: ["backend", "operator"],
  getCommand: ["backend", "operator", "support", "manager"],
  listCommands: ["backend", "operator", "support", "manager"],
  cancelCommand: ["backend", "operator"],
  listAudit: ["manager", "auditor"],
  checkAudit: ["manager", "auditor"],
  revealHolder: ["backend", "operator", "manager"],
  listErasures: ["manager"],
  erasePerson: ["manager"],
  certifyErasure: ["manager"],
  listHolds: ["manager"],
  placeHold: ["manager"],
  releaseHold: ["manager"],
  listQuarantine: ["operator", "manager"],
  redriveQuarantined: ["operator"],
  listPeople: ["backend", "operator", "manager"],
  getPerson: ["backend", "operator", "manager"],
  createPerson: ["backend", "manager"],
  changePerson: ["backend", "manager"],
  suspendPerson: ["manager"],
  listConsents: ["backend", "operator", "manager"],
  recordConsent: ["backend", "manager"],
  getMe: ["member", "operator", "support", "manager", "auditor"],
  changeMe: ["member", "operator", "support", "manager", "auditor"],
  exportMe: ["member", "operator", "support", "manager", "auditor"],
  giveConsent: ["member", "operator", "support", "manager", "auditor"],
  withdrawConsent: ["member", "operator", "support", "manager", "auditor"],
  openTicket: ["operator", "manager"],
  listTickets: ["operator", "support", "manager"],
  closeTicket: ["operator", "manager"],
  requestAccess: ["support"],
  listAccess: ["support", "manager", "auditor"],
  approveAccess: ["manager"],
  refuseAccess: ["manager"],
  endAccess: ["support", "manager"],
  queryAccess: ["support"],
  rescheduleBooking: ["backend", "operator"],
  carryGrant: ["backend", "operator"],
  askCommand: ["backend", "operator"],
  feed: ["backend", "operator", "manager"],
  listTenants: ["platform"],
  orderTenant: ["platform"],
  getTenant: ["platform"],
  agreeQuotas: ["platform"],
  removeTenant: ["platform"],
  listWebhooks: ["backend", "manager"],
  addWebhook: ["backend", "manager"],
  getWebhook: ["backend", "manager"],
  changeWebhook: ["backend", "manager"],
  rotateWebhook: ["backend", "manager"],
  removeWebhook: ["backend", "manager"],
  listDeadDeliveries: ["backend", "manager"],
  redriveDeliveries: ["backend", "manager"],
  publishArtefact: ["operator"],
  listArtefacts: ["operator"],
  listVehicleArtefacts: ["operator"],
  listRequestKeys: ["manager", "auditor"],
  revokeRequestKey: ["manager"],
  beginCard: ["backend"],
  chargePerson: ["backend"],
  getAggregates: ["backend", "operator", "manager"],
  getBenchmark: ["platform"],
  listMyBookings: ["member", "operator", "support", "manager", "auditor"],
  listMyEvents: ["member", "operator", "support", "manager", "auditor"],
  getContact: ["member", "operator", "support", "manager", "auditor"],
  getPrivacy: ["backend", "operator", "manager"],
  setPrivacy: ["manager"],
  getRetention: ["backend", "operator", "manager"],
  setRetention: ["manager"],
  setOwner: ["manager"],
  addFile: ["backend", "operator", "manager"],
  listFiles: ["backend", "operator", "manager"],
  linkFile: ["backend", "operator", "manager"],
  removeFile: ["backend", "operator", "manager"],
  getAvatar: ["backend", "member", "operator", "support", "manager", "auditor"],
  addMyFile: ["member", "operator", "support", "manager", "auditor"],
  listMyFiles: ["member", "operator", "support", "manager", "auditor"],
  linkMyFile: ["member", "operator", "support", "manager", "auditor"],
  removeMyFile: ["member", "operator", "support", "manager", "auditor"],
};

type Endpoint = { readonly operation: string; readonly method: string; readonly path: string };
const test = suite<{ rig: Rig; endpoints: readonly Endpoint[]; tokens: Map<Role, string> }>(
  "matrix",
);
const ROLE_NAMES = Object.keys(ROLES) as readonly Role[];

test.before(async (context) => {
  context.rig = await openRig();
  const { body } = await context.rig.ask({ path: "/openapi.json" });
  const paths = Object.entries<Record<string, { operationId: string }>>(body.paths);
  context.endpoints = paths.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId: operation }]) => ({
      operation,
      method: method.toUpperCase(),
      path,
    })),
  );
  context.tokens = new Map();
  for (const role of ROLE_NAMES) {
    const subject = ROLES[role].person ? "person:00000000-0000-4000-8000-000000000001" : role;
    const claims = ROLES[role].person ? { role } : { scope: ROLES[role].scopes.join(" ") };
    context.tokens.set(role, await context.rig.issuer.mint({ subject, ...claims }));
  }
});
test.after(({ rig }) => rig.close());

/** An address of the endpoint in which everything that is named is not there. */
function addressOf({ path }: Endpoint, tenant: string): string {
  return path.replaceAll("{tenant}", tenant).replaceAll(/\{\w+\}/g, "none");
}

test("P-02 every endpoint has a rule, and every rule an endpoint", ({ endpoints }) => {
  const names = endpoints.map(({ operation }) => operation);
  assert.equal(
    names.filter((name) => !Object.hasOwn(RULES, name)),
    [],
    "endpoints without a rule",
  );
  const known = new Set(names);
  assert.equal(
    Object.keys(RULES).filter((name) => !known.has(name)),
    [],
    "rules without an endpoint",
  );
});

test("P-53 what a role does not allow is on record, who tried what from where, once an hour", async ({
  rig,
}) => {
  const subject = "person:00000000-0000-4000-8000-000000000002";
  const token = await rig.issuer.mint({ subject, role: "support" });
  for (const path of ["/bookings", "/bookings", "/audit", "/bookings"])
    assert.is((await rig.ask({ path: `/v1/tenants/demo${path}`, token })).status, 403);
  const trail = await (await rig.store()).auditTrail(0, 1000);
  assert.equal(
    trail
      .filter(({ actor }) => actor === subject)
      .map(({ action, outcome, subject: of, from }) => [action, outcome, of, from]),
    [
      ["deny.listBookings", "refused", "tenant:demo", "127.0.0.1"],
      ["deny.listAudit", "refused", "tenant:demo", "127.0.0.1"],
    ],
  );
});

test("P-02 P-61 each role reaches what the rules give it, and nothing else", async ({
  rig,
  endpoints,
  tokens,
}) => {
  const wrong: string[] = [];
  for (const endpoint of endpoints) {
    const { method } = endpoint;
    const path = addressOf(endpoint, "demo");
    const body = method === "GET" ? undefined : { nonsense: true };
    for (const [role, token] of tokens) {
      const answer = await rig.ask({ method, path, token, body });
      const isShut = answer.status === 403 && String(answer.body.detail).startsWith("token:");
      const isMeant = RULES[endpoint.operation]?.includes(role) === true;
      if (isShut === isMeant) wrong.push(`${role} ${method} ${path}: ${answer.status}`);
      // Without a desk the platform's routes say that they are not run from here.
      const isOurs = answer.status >= 500 && !path.startsWith("/v1/platform");
      if (isOurs) wrong.push(`${role} ${method} ${path}: ${answer.status}`);
    }
  }
  assert.equal(wrong, []);
});

test("P-02 at another tenant every role gets what it gets where there is nothing", async ({
  rig,
  endpoints,
  tokens,
}) => {
  const token = tokens.get("manager");
  const nowhere = await rig.ask({ path: "/v1/tenants/demo/no-such-thing", token });
  for (const endpoint of endpoints.filter(({ path }) => path.includes("{tenant}"))) {
    const path = addressOf(endpoint, "rival");
    const answer = await rig.ask({ method: endpoint.method, path, token });
    assert.equal([answer.status, answer.text], [404, nowhere.text], path);
    const without = await rig.ask({ method: endpoint.method, path: addressOf(endpoint, "demo") });
    assert.is(without.status, 401, `without a token: ${path}`);
  }
});

test.run();
