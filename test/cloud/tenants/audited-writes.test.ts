/**
 * P-50: every method of the store's contract that takes an audit entry leaves it in the trail, and anchored. The list of
 * methods is read from the contract itself, so that one that is added without a row here fails.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type {
  AccessRequest,
  ArtefactRecord,
  AuditEntry,
  FileStore,
  GrantRecord,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { booking, CAR, command } from "../../conformance/car-log.ts";
import { account, person } from "../../conformance/people-store.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const test = suite<{ files: TestRegistry; store: SqliteTenantStore }>("audited writes");
test.before(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
  const tenant = await context.files.registry.tenant("demo");
  if (tenant === undefined) throw new Error("there is no tenant");
  context.store = tenant.store;
});
test.after(({ files }) => files.close());

const hash = new Uint8Array(32);
const someone = person();
const gone = person({ state: "active" });
const hold = randomUUID();
const ticket = randomUUID();
const asked = randomUUID();
const request: AccessRequest = {
  id: asked,
  kind: "support",
  subject: `vehicle:${CAR}`,
  ticket,
  reason: "why",
  askedBy: "person:s",
  askedAtMs: Date.now(),
  lifeMs: 60_000,
  state: { at: "asked" },
};
const vehicle = {
  ...{ vehicle: CAR, profile: "kerbside-sim", signingKey: hash, certificateSerial: "0A" },
  enrolledAtMs: 5,
};
const grant: GrantRecord = {
  ...{ grant: "00".repeat(16), booking: "b-1", vehicle: CAR, credential: hash, mac: hash },
  actions: ["unlock"],
  state: "active",
  version: 1,
};
const list = {
  ...{ vehicle: CAR, version: 1, digest: hash, grants: [grant.grant], changed: [grant.grant] },
  sealed: hash,
};
const artefact: ArtefactRecord = {
  ...{ name: "fast", version: 1, envelope: hash, content: hash, publishedAtMs: 1 },
  kind: "scheme",
};

const photo: Parameters<FileStore["putFile"]>[0] = {
  kind: "damage",
  owner: "booking:b-1",
  content: Buffer.from("ffd8ffe0", "hex"),
};
const fileOf = async ({ files }: SqliteTenantStore): Promise<string> =>
  (await files.files(photo.owner))[0]?.file ?? "";

type Write = (store: SqliteTenantStore, audit: AuditEntry) => Promise<unknown>;
/** In an order in which each may be done. */
const WRITES: Readonly<Record<string, Write>> = {
  putVehicle: (s, a) => s.putVehicle(vehicle, a),
  putCertificate: (s, a) => s.putCertificate(CAR, "0A", "0B", a),
  putBooking: (s, a) => s.putBooking(booking("b-1", 1), a),
  putGrant: (s, a) => s.putGrant(grant, a),
  putGrantList: (s, a) => s.putGrantList(list, a),
  putArtefact: (s, a) => s.putArtefact(artefact, a),
  createCommand: (s, a) => s.createCommand(command(1), a),
  signCommand: (s, a) =>
    s.signCommand(command(1).id, a, () => ({ requestHash: hash, requestSeal: hash })),
  audit: (s, a) => s.audit(a),
  putPerson: (s, a) => s.people.putPerson(someone, a),
  giveConsent: (s, a) =>
    s.people.giveConsent(someone.person, { purpose: "terms", version: "1", givenAtMs: 1 }, a),
  withdrawConsent: (s, a) => s.people.withdrawConsent(someone.person, "terms", a),
  putCredential: (s, a) =>
    s.people.putCredential(
      {
        credential: randomUUID(),
        person: someone.person,
        kind: "card",
        value: "04aa",
        addedAtMs: 1,
      },
      a,
    ),
  putAccount: (s, a) => s.people.putAccount(account(someone.person), "ann", a),
  placeHold: (s, a) =>
    s.people.placeHold(
      { hold, person: someone.person, reason: "why", readers: ["r"], placedAtMs: 1 },
      a,
    ),
  readHeld: (s, a) => s.people.readHeld(hold, "r", a),
  releaseHold: (s, a) => s.people.releaseHold(hold, a),
  erasePerson: async (s, a) => {
    const before = { ...a, action: "before" };
    await s.people.putPerson(gone, before);
    await s.people.putPerson({ ...gone, state: "suspended", suspendedAtMs: 1 }, before);
    await s.people.erasePerson(gone.person, a);
  },
  putFile: (s, a) => s.files.putFile(photo, a),
  setPositions: (s, a) => s.privacy.setPositions({ rented: "coarse", free: "none" }, a),
  setTerms: (s, a) => s.retention.setTerms({ positions: 30 }, a),
  setOwner: (s, a) => s.privacy.setOwner(CAR, someone.person, a),
  linkFile: async (s, a) => s.files.linkFile(await fileOf(s), 1000, a),
  readFile: async (s, a) => s.files.readFile(await fileOf(s), a),
  removeFile: async (s, a) => s.files.removeFile(await fileOf(s), a),
  openTicket: (s, a) =>
    s.access.openTicket(
      { id: ticket, openedBy: "person:o", words: "w", openedAtMs: Date.now() },
      a,
    ),
  ask: (s, a) => s.access.ask(request, a),
  decide: (s, a) => s.access.decide(asked, "person:m", "approve", a),
  use: (s, a) => s.access.use(asked, "person:s", a),
  closeTicket: (s, a) => s.access.closeTicket(ticket, a),
};

test("P-50 each method that takes an audit entry has a row here", () => {
  const named = ["store", "people", "access", "owned-files", "privacy", "retention"].flatMap(
    (name) => {
      const url = new URL(`../../../shared/protocol/${name}.ts`, import.meta.url);
      const methods = readFileSync(url, "utf8").matchAll(/^ {2}readonly (\w+): \(([^;]*?)\) =>/gms);
      return [...methods].flatMap(([, method = "", words = ""]) =>
        /\baudit: AuditEntry|\bentry: AuditEntry/.test(words) ? [method] : [],
      );
    },
  );
  assert.ok(named.length > 20, `${named.length} are found`);
  assert.equal(
    named.filter((method) => !Object.hasOwn(WRITES, method)),
    [],
  );
});

test("P-50 P-51 each write leaves its entry, and the trail with its anchors holds", async ({
  store,
}) => {
  const silent: string[] = [];
  for (const [name, write] of Object.entries(WRITES)) {
    await write(store, { actor: "tester", action: name, subject: "it", outcome: "done" });
    const actions = (await store.auditTrail(0, 1000)).map(({ action }) => action);
    if (!actions.includes(name)) silent.push(name);
  }
  assert.equal(silent, []);
  const report = store.verifyAudit();
  assert.equal(report.problems, []);
});

test.run();
