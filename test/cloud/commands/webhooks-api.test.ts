/** Webhooks over the API: made, changed, taken away; secrets shown once; addresses refused; everything audited. */
import { addressRule, checkAddress } from "@kerbside/webhooks";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRig, type Reply, type Rig } from "./rig.ts";

const rule = addressRule();
const test = suite<{ rig: Rig; token: string }>("webhooks over the API");
const BASE = "/v1/tenants/demo/webhooks";
const URL_OF_RECEIVER = "https://hooks.operator.example/kerbside?key=1";

test.before(async (context) => {
  context.rig = await openRig(undefined, {
    webhookAddress: (url) => checkAddress(url, rule),
  });
  context.token = await context.rig.issuer.mint({ scope: "webhooks:read webhooks:write" });
});
test.after(({ rig }) => rig.close());

test("P-23 a secret is shown when it is made, and never again", async ({ rig, token }) => {
  const made = await rig.ask({
    path: BASE,
    token,
    body: { url: URL_OF_RECEIVER, topics: ["booking"] },
  });
  assert.is(made.status, 201, made.text);
  assert.match(made.body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(
    [made.body.url, made.body.topics, made.body.on, made.body.secretVersion],
    [URL_OF_RECEIVER, ["booking"], true, 1],
  );
  const path = `${BASE}/${made.body.webhook}`;
  const rotated = await rig.ask({ path: `${path}/rotate`, token, body: {} });
  assert.is(rotated.status, 200, rotated.text);
  assert.is.not(rotated.body.secret, made.body.secret);
  assert.is(rotated.body.secretVersion, 2);
  assert.ok(Date.parse(rotated.body.overlapUntil) > Date.now());
  for (const shown of [await rig.ask({ path, token }), await rig.ask({ path: BASE, token })]) {
    assert.is(shown.status, 200);
    assert.not.match(shown.text, /whsec_/);
  }
});

test("P-50 it is turned off and on, changed and removed, and each is on record", async ({
  rig,
  token,
}) => {
  const { body } = await rig.ask({ path: BASE, token, body: { url: URL_OF_RECEIVER } });
  const path = `${BASE}/${body.webhook}`;
  const patch = (change: object): Promise<Reply> =>
    rig.ask({ method: "PATCH", path, token, body: change });
  const off = await patch({ on: false });
  assert.equal([off.status, off.body.on, off.body.off], [200, false, "asked"]);
  const on = await patch({ on: true, topics: ["vehicle", "events"] });
  assert.equal([on.body.on, on.body.off, on.body.topics], [true, undefined, ["vehicle", "events"]]);
  const dead = await rig.ask({ path: `${path}/dead`, token });
  assert.equal([dead.status, dead.body], [200, { items: [] }]);
  const redriven = await rig.ask({ path: `${path}/redrive`, token, body: {} });
  assert.equal([redriven.status, redriven.body], [200, { count: 0 }]);
  const removed = await rig.ask({ path: `${path}/remove`, token, body: {} });
  assert.is(removed.status, 200);
  for (const gone of [
    await rig.ask({ path, token }),
    await patch({ on: true }),
    await rig.ask({ path: `${path}/rotate`, token, body: {} }),
    await rig.ask({ path: `${path}/redrive`, token, body: {} }),
    await rig.ask({ path: `${path}/remove`, token, body: {} }),
    await rig.ask({ path: `${path}/dead`, token }),
  ])
    assert.is(gone.status, 404, gone.text);
  const trail = await (await rig.store()).auditTrail(0, 1000);
  const actions = trail
    .filter(({ subject }) => subject === `webhook:${body.webhook}`)
    .map(({ action, actor, from }) => `${action} ${actor !== ""} ${from}`);
  const done = ["add", "change", "change", "redrive", "remove"];
  assert.equal(
    actions,
    done.map((action) => `webhook.${action} true 127.0.0.1`),
  );
});

test("what cannot be is refused, and nothing is kept of it", async ({ rig, token }) => {
  const before = (await rig.ask({ path: BASE, token })).body.items.length;
  const bodies = [
    { url: "http://hooks.operator.example/" },
    { url: "https://127.0.0.1/" },
    { url: "https://[::ffff:10.0.0.1]/" },
    { url: "https://2130706433/" },
    { url: "https://user:secret@hooks.operator.example/" },
    { url: URL_OF_RECEIVER, topics: ["nonsense"] },
    { url: URL_OF_RECEIVER, more: 1 },
    {},
  ];
  for (const body of bodies) {
    const { status, text } = await rig.ask({ path: BASE, token, body });
    assert.is(status, 400, `${JSON.stringify(body)}: ${text}`);
    assert.not.match(text, /secret@/);
  }
  assert.is((await rig.ask({ path: BASE, token })).body.items.length, before);
});

test("P-02 another tenant's webhook is not there", async ({ rig, token }) => {
  const { body } = await rig.ask({ path: BASE, token, body: { url: URL_OF_RECEIVER } });
  const other = await rig.issuer.mint({ tenant: "other", scope: "webhooks:read webhooks:write" });
  const path = `/v1/tenants/other/webhooks/${body.webhook}`;
  assert.is((await rig.ask({ path, token: other })).status, 404);
  assert.is((await rig.ask({ path: `${BASE}/${body.webhook}`, token: other })).status, 404);
});

test.run();
