/** What an operator publishes for cars: signed, above the version before, pushed until the car says that it has it. */
import {
  type ArtefactKind,
  artefactCodec,
  artefactId,
  DEFAULT_RENTAL_POLICY,
  decode,
  openArtefact,
  type Push,
  parsePush,
  parseSign1,
  rentalPolicyCodec,
  utf8,
  verifyKey,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";
import { openRig, type Reply, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; token: string }>("artefacts");
it.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint({ scope: "artefacts:write artefacts:read" });
});
it.before.each(({ rig }) => {
  rig.car.taken.length = 0;
  rig.car.connected = true;
});
it.after(({ rig }) => rig.close());

const scheme = (version: number, name = "fast"): object => ({
  format: 1,
  name,
  version,
  rules: [],
});

function put(rig: Rig, token: string, path: string, body: object): Promise<Reply> {
  return rig.ask({ method: "PUT", path: `/v1/tenants/demo/artefacts/${path}`, token, body });
}

type Artefact = Extract<Push, { kind: "artefact" }>;
function pushed(rig: Rig): readonly Artefact[] {
  return rig.car.taken
    .filter(({ channel }) => channel === "artefact")
    .map(({ payload }) => parsePush(payload))
    .filter((push): push is Artefact => push.kind === "artefact");
}

const idOf = ({ manifest }: Artefact): Uint8Array =>
  artefactId(decode(artefactCodec, parseSign1(manifest).payload));

async function states(rig: Rig, token: string): Promise<readonly string[]> {
  const { body } = await rig.ask({ path: "/v1/tenants/demo/vehicles/car-1/artefacts", token });
  return body.items.map((item: Record<string, unknown>) =>
    [item["kind"], item["name"], item["version"], item["state"], item["reason"]]
      .filter((part) => part !== undefined)
      .join(" "),
  );
}

it("a scheme is signed, pushed, and pending until the car says that it keeps it", async ({
  rig,
  token,
}) => {
  await rig.car.announce({ artefacts: [] });
  const made = await put(rig, token, "scheme/fast", { version: 1, document: scheme(1) });
  assert.equal([made.status, made.body.version], [200, 1], made.text);
  await until("the push", () => pushed(rig).length === 1);
  const [push] = pushed(rig);
  assert.ok(push);
  const key = verifyKey(rig.artefactKey);
  const manifest = openArtefact(key, push.manifest, push.content);
  assert.equal([manifest.kind, manifest.name, manifest.version], ["scheme", "fast", 1]);
  assert.equal(JSON.parse(Buffer.from(push.content).toString()), scheme(1));
  assert.equal(await states(rig, token), ["scheme fast 1 pending"]);
  await rig.car.announce({ artefacts: [], reason: "change" });
  await until("it comes again", () => pushed(rig).length === 2);
  await rig.car.announce({ artefacts: [idOf(push)], reason: "change" });
  assert.equal(await states(rig, token), ["scheme fast 1 applied"]);
  await rig.car.announce({ artefacts: [idOf(push)], reason: "change" });
  assert.is(pushed(rig).length, 2, "and no more");
});

it("what the car refuses is shown with its reason, and not sent again", async ({ rig, token }) => {
  await rig.car.announce({ artefacts: [] });
  await put(rig, token, "scheme/fast", { version: 2, document: scheme(2) });
  const second = (push: Artefact): boolean =>
    decode(artefactCodec, parseSign1(push.manifest).payload).version === 2;
  await until("the push", () => pushed(rig).some(second));
  const push = pushed(rig).find(second);
  assert.ok(push);
  const artefactsRefused = [{ artefact: idOf(push), reason: "rules: there are none" }];
  const count = pushed(rig).length;
  await rig.car.announce({ artefacts: [], artefactsRefused, reason: "change" });
  assert.equal(await states(rig, token), ["scheme fast 2 refused rules: there are none"]);
  assert.is(pushed(rig).length, count);
  await put(rig, token, "scheme/fast", { version: 3, document: scheme(3) });
  await until("the next version", () => pushed(rig).length > count);
});

it("an older version, another content, another tenant's token and nonsense are refused", async ({
  rig,
  token,
}) => {
  await put(rig, token, "scheme/fast", { version: 5, document: scheme(5) });
  const same = await put(rig, token, "scheme/fast", { version: 5, document: scheme(5) });
  assert.is(same.status, 200, "the same again");
  const backend = await rig.issuer.mint({ scope: "bookings:write artefacts:read" });
  const rows: readonly (readonly [
    why: string,
    status: number,
    path: string,
    body: object,
    token?: string,
  ])[] = [
    ["an older version", 409, "scheme/fast", { version: 4, document: scheme(4) }],
    ["another content", 409, "scheme/fast", { version: 5, document: { ...scheme(5), rules: [1] } }],
    ["another name inside", 400, "scheme/fast", { version: 6, document: scheme(6, "slow") }],
    ["another version inside", 400, "scheme/fast", { version: 6, document: scheme(7) }],
    ["both forms", 400, "scheme/fast", { version: 6, document: scheme(6), content: "e30=" }],
    ["neither", 400, "scheme/fast", { version: 6 }],
    ["no JSON", 400, "scheme/fast", { version: 6, content: "AAAA" }],
    ["a name no car takes", 400, "scheme/Fast", { version: 6, document: scheme(6) }],
    ["no such kind", 404, "engine/fast", { version: 6, document: scheme(6) }],
    ["a profile as a document", 400, "profile/p", { version: 1, document: {} }],
    ["no policy", 400, "rental/city", { version: 1, document: { zones: 1 } }],
    [
      "a policy and more",
      400,
      "rental/city",
      { version: 1, document: { ...DEFAULT_RENTAL_POLICY, more: 1 } },
    ],
    [
      "a car that is not there",
      404,
      "scheme/fast",
      { version: 6, document: scheme(6), vehicles: ["car-9"] },
    ],
    ["a backend", 403, "scheme/fast", { version: 6, document: scheme(6) }, backend],
  ];
  for (const [why, status, path, body, by = token] of rows) {
    const reply = await put(rig, by, path, body);
    assert.is(reply.status, status, `${why}: ${reply.text}`);
  }
  const stranger = await rig.issuer.mint({ tenant: "other", scope: "artefacts:write" });
  assert.is(
    (await put(rig, stranger, "scheme/fast", { version: 6, document: scheme(6) })).status,
    404,
  );
  const big = Buffer.alloc(300_000, 32).toString("base64");
  assert.is((await put(rig, token, "scheme/fast", { version: 6, content: big })).status, 413);
});

it("a rental policy brings its zones, for the cars that are named", async ({ rig, token }) => {
  await rig.car.announce({ artefacts: [] });
  const corner = (latitude: number, longitude: number) => ({ latitude, longitude });
  const document = {
    endConditions: [{ condition: "in_zone", unknown: "flag" }],
    zones: [[corner(52.4, 13.3), corner(52.6, 13.3), corner(52.6, 13.5)]],
    unstartedMs: 600_000,
  };
  const elsewhere = { version: 1, document, vehicles: ["car-2"] };
  assert.is((await put(rig, token, "rental/city", elsewhere)).status, 200);
  const rental = (kind: ArtefactKind) => (push: Artefact) =>
    decode(artefactCodec, parseSign1(push.manifest).payload).kind === kind;
  await rig.car.announce({ artefacts: [], reason: "change" });
  assert.not(pushed(rig).some(rental("rental")), "another car's");
  await put(rig, token, "rental/city", { version: 2, document, vehicles: ["car-1", "car-2"] });
  await until("the policy", () => pushed(rig).some(rental("rental")));
  const push = pushed(rig).find(rental("rental"));
  assert.equal(decode(rentalPolicyCodec, push?.content ?? new Uint8Array()), document);
});

it("P-51 it is audited by the signer before it signs, and by whom", async ({ rig, token }) => {
  await put(rig, token, "flow/doors", {
    version: 1,
    content: Buffer.from(utf8('{"name":"doors","version":1}')).toString("base64"),
  });
  const trail = (await (await rig.store()).auditTrail(0, 1000)).filter(
    ({ subject }) => subject === "artefact:flow/doors",
  );
  assert.equal(
    trail.map(({ actor, action }) => [actor, action]),
    [
      ["backend", "signer.sign_artefact"],
      ["backend", "artefact.publish"],
    ],
  );
});

it("somebody who writes to the database publishes nothing", async ({ rig, token }) => {
  await put(rig, token, "scheme/kept", { version: 1, document: scheme(1, "kept") });
  // Pushed after the other, in the order of names.
  await put(rig, token, "scheme/zoo", { version: 1, document: scheme(1, "zoo") });
  const nameOf = ({ manifest }: Artefact): string =>
    decode(artefactCodec, parseSign1(manifest).payload).name;
  await rig.car.announce({ artefacts: [], reason: "change" });
  await until("what was published", () => pushed(rig).some((push) => nameOf(push) === "zoo"));
  const store = await rig.store();
  const record = await store.artefact("scheme", "kept");
  assert.ok(record);
  const forged = { ...record, version: 2, content: utf8("{}"), envelope: record.envelope.slice() };
  forged.envelope[forged.envelope.length - 1] = (forged.envelope.at(-1) ?? 0) ^ 1;
  await store.putArtefact(forged, {
    actor: "intruder",
    action: "artefact.publish",
    subject: "artefact:scheme/kept",
    outcome: "done",
  });
  // Once the ones of before have arrived; each car's are sent one after the other.
  await rig.car.announce({ artefacts: [], reason: "change" });
  rig.car.taken.length = 0;
  await rig.car.announce({ artefacts: [], reason: "change" });
  await until("the one after", () => pushed(rig).some((push) => nameOf(push) === "zoo"));
  for (const push of pushed(rig)) {
    assert.is.not(Buffer.from(push.content).toString(), "{}", "nothing was signed for it");
  }
});

it.run();
