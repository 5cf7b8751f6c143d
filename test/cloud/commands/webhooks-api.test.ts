/** Webhooks over the API: made, changed, taken away; secrets shown once; addresses refused; everything audited. */
import { type Client, Problem } from "@kerbside/client";
import { addressRule, checkAddress } from "@kerbside/webhooks";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { clientOf } from "./client.ts";
import { openRig, type Rig } from "./rig.ts";

const rule = addressRule();
const test = suite<{ rig: Rig; token: string; client: Client }>("webhooks over the API");
const BASE = "/v1/tenants/demo/webhooks";
const URL_OF_RECEIVER = "https://hooks.operator.example/kerbside?key=1";

test.before(async (context) => {
  context.rig = await openRig(undefined, {
    webhookAddress: (url) => checkAddress(url, rule),
  });
  context.token = await context.rig.issuer.mint({ scope: "webhooks:read webhooks:write" });
  context.client = clientOf(context.rig, context.token);
});
test.after(({ rig }) => rig.close());

test("P-23 a secret is shown when it is made, and never again", async ({ client }) => {
  const made = await client.call("addWebhook", {
    body: { url: URL_OF_RECEIVER, topics: ["booking"] },
  });
  assert.match(made.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(
    [made.url, made.topics, made.on, made.secretVersion],
    [URL_OF_RECEIVER, ["booking"], true, 1],
  );
  const path = { webhook: made.webhook };
  const rotated = await client.call("rotateWebhook", { path });
  assert.is.not(rotated.secret, made.secret);
  assert.is(rotated.secretVersion, 2);
  assert.ok(Date.parse(rotated.overlapUntil ?? "") > Date.now());
  for (const shown of [
    await client.call("getWebhook", { path }),
    await client.call("listWebhooks"),
  ])
    assert.not.match(JSON.stringify(shown), /whsec_/);
});

/** The status it is refused with. */
const refusal = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => "done",
    (error: unknown) => (error instanceof Problem ? error.status : error),
  );

test("P-50 it is turned off and on, changed and removed, and each is on record", async ({
  rig,
  client,
}) => {
  const body = await client.call("addWebhook", { body: { url: URL_OF_RECEIVER } });
  const path = { webhook: body.webhook };
  const off = await client.call("changeWebhook", { path, body: { on: false } });
  assert.equal([off.on, off.off], [false, "asked"]);
  const change = { on: true, topics: ["vehicle", "events"] } as const;
  const on = await client.call("changeWebhook", { path, body: change });
  assert.equal([on.on, on.off, on.topics], [true, undefined, ["vehicle", "events"]]);
  assert.equal(await client.call("listDeadDeliveries", { path }), { items: [] });
  assert.equal(await client.call("redriveDeliveries", { path }), { count: 0 });
  assert.equal([on.dead, on.waiting], [0, undefined]);
  await client.call("removeWebhook", { path });
  const gone = await Promise.all([
    refusal(client.call("getWebhook", { path })),
    refusal(client.call("changeWebhook", { path, body: { on: true } })),
    refusal(client.call("rotateWebhook", { path })),
    refusal(client.call("redriveDeliveries", { path })),
    refusal(client.call("removeWebhook", { path })),
    refusal(client.call("listDeadDeliveries", { path })),
  ]);
  assert.equal(
    gone,
    Array.from(gone, () => 404),
  );
  const trail = await (await rig.store()).auditTrail(0, 1000);
  assert.equal(
    trail.filter(({ action }) => action === "webhook.change").map(({ reason }) => reason),
    ["state on -> off", "topics all -> vehicle,events; state off -> on"],
  );
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
