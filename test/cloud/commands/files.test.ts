/** P-32, P-34 over the API: files are taken by what they are, sealed, handed out by short links, and end with their owner. */
import { randomBytes, randomUUID } from "node:crypto";
import { FILE_KINDS, FILE_LINK_MS } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, booking } from "../../conformance/car-log.ts";
import { person as newPerson } from "../../conformance/people-store.ts";
import { allBytes } from "../../support/tenant-engine.ts";
import { openRig, type Reply, type Rig } from "./rig.ts";

const at = "/v1/tenants/demo";
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const WORDS = `licence of ${randomBytes(8).toString("hex")}`;
const PDF = Buffer.from(`%PDF-1.7 ${WORDS}`);
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

type Context = { rig: Rig; me: string; other: string; mine: string; theirs: string; staff: string };
const test = suite<Context>("files");
test.before(async (context) => {
  const rig = await openRig();
  const { people } = await rig.store();
  const [me, other] = [newPerson(), newPerson()];
  for (const record of [me, other]) await people.putPerson(record, AUDIT);
  const member = (of: string) => rig.issuer.mint({ role: "member", subject: `person:${of}` });
  Object.assign(context, {
    ...{ rig, me: me.person, other: other.person },
    ...{ mine: await member(me.person), theirs: await member(other.person) },
    staff: await rig.issuer.mint({ role: "manager", subject: "person:m" }),
  });
});
test.after(({ rig }) => rig.close());

function send(rig: Rig, path: string, token: string, type: string, raw: Uint8Array) {
  return rig.ask({
    method: "POST",
    path: at + path,
    token,
    raw,
    headers: { "content-type": type },
  });
}

async function added(rig: Rig, token: string): Promise<string> {
  const made = await send(rig, "/me/files?kind=licence", token, "application/pdf", PDF);
  assert.is(made.status, 201, made.text);
  return made.body.file;
}

async function linkTo(rig: Rig, token: string, file: string): Promise<string> {
  const made = await rig.ask({ path: `${at}/me/files/${file}/link`, token, body: {} });
  assert.is(made.status, 201, made.text);
  return made.body.url;
}

test("P-32 a person adds a file and reads it by a link, and nobody else does", async (context) => {
  const { rig, mine, theirs } = context;
  const file = await added(rig, mine);
  assert.match(file, UUID4);
  const url = await linkTo(rig, mine, file);
  const read = await rig.ask({ path: url });
  assert.is(read.text, PDF.toString());
  assert.is(read.headers["cache-control"], "private, no-store");
  assert.match(String(read.headers["content-disposition"]), /^attachment/);
  assert.match(String(read.headers["content-security-policy"]), /sandbox/);
  const link = { path: `${at}/me/files/${file}/link`, token: theirs, body: {} };
  assert.is((await rig.ask(link)).status, 404, "somebody else's file is none");
  const remove = { path: `${at}/me/files/${file}/remove`, token: theirs, body: {} };
  assert.is((await rig.ask(remove)).status, 404);
  const foreign = { path: `${at}/me/files?owner=person:${context.me}`, token: theirs };
  assert.is((await rig.ask(foreign)).status, 404);
});

test("P-32 a link that was changed in any part opens nothing", async ({ rig, mine, theirs }) => {
  const url = await linkTo(rig, mine, await added(rig, mine));
  const another = await added(rig, theirs);
  const [path = "", query = ""] = url.split("?");
  const parts = new URLSearchParams(query);
  const changed = (name: string, value: string): string => {
    const other = new URLSearchParams(parts);
    other.set(name, value);
    return `${path}?${other.toString()}`;
  };
  const mac = parts.get("mac") ?? "";
  const rows: readonly [why: string, url: string][] = [
    ["another file", url.replace(/[0-9a-f-]{36}/, another)],
    ["another tenant", url.replace("/files/demo/", "/files/other/")],
    ["no such tenant", url.replace("/files/demo/", "/files/%2e%2e/")],
    ["longer", changed("until", String(Number(parts.get("until")) + 1))],
    ["another link", changed("link", "00".repeat(8))],
    ["a bit of the MAC", changed("mac", mac.slice(0, -1) + (mac.endsWith("0") ? "1" : "0"))],
    ["another key", changed("mac", `02${mac.slice(2)}`)],
    ["without it", path],
  ];
  const none = (await rig.ask({ path: `/files/demo/${randomUUID()}` })).text;
  for (const [why, asked] of rows) {
    const answer = await rig.ask({ path: asked });
    assert.equal([answer.status, answer.text], [404, none], why);
  }
  assert.is((await rig.ask({ path: url })).status, 200);
});

test("P-32 a link ends after five minutes at the latest", async ({ rig, me }) => {
  assert.is(FILE_LINK_MS, 300_000);
  const { files } = await rig.store();
  const content = PDF;
  const { file } = await files.putFile({ kind: "licence", owner: `person:${me}`, content }, AUDIT);
  const good = await files.linkFile(file, 60_000, AUDIT);
  assert.equal((await files.openLink(file, good, "x")).content, new Uint8Array(PDF));
  const over = await files.linkFile(file, 0, AUDIT);
  try {
    await files.openLink(file, over, "x");
    assert.unreachable("a link that is over opened the file");
  } catch (error) {
    assert.match(String(error), /there is none such/);
  }
});

test("P-32 what a file is, is seen from its bytes, and its size is bounded", async ({
  rig,
  mine,
  staff,
}) => {
  const script = Buffer.from("<script>alert(1)</script>");
  const large = Buffer.alloc(FILE_KINDS.avatar.bytesMax + 1);
  PNG.copy(large);
  const rows: readonly [why: string, Promise<Reply>, status: number][] = [
    ["no image", send(rig, "/me/files?kind=avatar", mine, "image/png", script), 400],
    ["a document as a picture", send(rig, "/me/files?kind=avatar", mine, "image/png", PDF), 400],
    ["too large", send(rig, "/me/files?kind=avatar", mine, "image/png", large), 400],
    ["no such kind", send(rig, "/me/files?kind=movie", mine, "image/png", PNG), 400],
    ["no such type", send(rig, "/me/files?kind=avatar", mine, "text/html", script), 415],
    [
      "of a car",
      send(rig, "/files?kind=licence&owner=vehicle:car-1", staff, "image/png", PNG),
      400,
    ],
    ["of none", send(rig, "/files?kind=damage&owner=booking:b-9", staff, "image/png", PNG), 404],
    ["beyond all", send(rig, "/me/files?kind=licence", mine, "image/png", randomBytes(9e6)), 413],
  ];
  for (const [why, answer, status] of rows) assert.is((await answer).status, status, why);
  const named = await send(rig, "/me/files?kind=licence", mine, "image/jpeg", PDF);
  assert.is(named.body.type, "application/pdf", "whatever it was called");
});

test("P-34 an avatar is for whoever is signed in to the tenant, and there is one", async ({
  rig,
  me,
  mine,
  theirs,
}) => {
  for (const end of ["00", "01"]) {
    const image = Buffer.concat([PNG, Buffer.from(end, "hex")]);
    const made = await send(rig, "/me/files?kind=avatar", mine, "image/png", image);
    assert.is(made.status, 201, made.text);
  }
  const path = `${at}/people/${me}/avatar`;
  const seen = await rig.ask({ path, token: theirs });
  assert.equal([seen.status, seen.headers["content-type"]], [200, "image/png"]);
  assert.is(seen.headers["cache-control"], "private, no-store");
  assert.is((await rig.ask({ path })).status, 401, "not without a token");
  const stranger = await rig.issuer.mint({ role: "member", tenant: "other", subject: "person:x" });
  assert.is((await rig.ask({ path, token: stranger })).status, 404, "not of another tenant");
  const { files } = await rig.store();
  const kinds = (await files.files(`person:${me}`)).map(({ kind }) => kind);
  assert.is(kinds.filter((kind) => kind === "avatar").length, 1);
});

test("P-31 P-32 P-52 files lie sealed, are audited, and go with the person", async ({
  rig,
  me,
  mine,
}) => {
  const file = await added(rig, mine);
  const url = await linkTo(rig, mine, file);
  assert.is((await rig.ask({ path: url })).status, 200);
  const operator = await rig.issuer.mint({ role: "operator", subject: "person:o" });
  const listed = await rig.ask({ path: `${at}/files?owner=person:${me}`, token: operator });
  assert.is(listed.status, 200);
  const store = await rig.store();
  assert.not(allBytes(rig.dir).includes(WORDS), "nothing of it is in the clear");
  const trail = (await store.auditTrail(0, 1000)).map(
    ({ action, subject }) => `${action} ${subject}`,
  );
  for (const entry of [
    `file.add person:${me}`,
    `read.listFiles person:${me}`,
    `file.link file:${file}`,
    `file.fetch file:${file}`,
  ])
    assert.ok(trail.includes(entry), entry);
  const { people } = store;
  const record = await people.person(me);
  assert.ok(record !== undefined);
  await people.putPerson({ ...record, state: "suspended", suspendedAtMs: Date.now() }, AUDIT);
  const hold = { hold: randomUUID(), person: me, reason: "r", readers: ["r"], placedAtMs: 1 };
  await people.placeHold(hold, AUDIT);
  const held = { path: `${at}/me/files/${file}/remove`, token: mine, body: {} };
  assert.is((await rig.ask(held)).status, 409, "P-82 what is held is not removed");
  await people.releaseHold(hold.hold, AUDIT);
  await people.erasePerson(me, AUDIT);
  assert.is((await rig.ask({ path: url })).status, 404);
  assert.equal(await store.files.files(`person:${me}`), []);
});

test("P-82 whose booking it was removes no photo of it, and nobody does while a hold names them", async (context) => {
  const { rig, other, theirs, staff } = context;
  const { people, files, ...store } = await rig.store();
  const times = { fromMs: Date.now() - 2, toMs: Date.now() - 1 };
  await store.putBooking(booking("b-dent", 1, { holder: other, ...times, state: "ended" }), AUDIT);
  const photo = await send(rig, "/files?kind=damage&owner=booking:b-dent", staff, "image/png", PNG);
  assert.is(photo.status, 201, photo.text);
  const { file } = photo.body;
  const look = { path: `${at}/me/files/${file}/link`, token: theirs, body: {} };
  assert.is((await rig.ask(look)).status, 201, "to be seen it is");
  const own = { path: `${at}/me/files/${file}/remove`, token: theirs, body: {} };
  assert.is((await rig.ask(own)).status, 404);
  const hold = { hold: randomUUID(), person: other, reason: "r", readers: ["r"], placedAtMs: 1 };
  await people.placeHold(hold, AUDIT);
  const byStaff = { path: `${at}/files/${file}/remove`, token: staff, body: {} };
  assert.is((await rig.ask(byStaff)).status, 409);
  await people.releaseHold(hold.hold, AUDIT);
  assert.equal((await rig.ask(byStaff)).body, { removed: true });
  assert.is(await files.file(file), undefined);
});

test.run();
