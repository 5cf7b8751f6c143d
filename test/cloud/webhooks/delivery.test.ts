/** From the feed to a real receiver over HTTPS: what is lost when it fails, and when it is away. */
import { join } from "node:path";
import {
  WEBHOOK_BATCH_MAX,
  WEBHOOK_DEAD_MAX,
  WEBHOOKS_MAX,
  webhookSecretText,
} from "@kerbside/protocol";
import BetterSqlite3 from "better-sqlite3";
import * as assert from "uvu/assert";
import { AUDIT, booking, refuses } from "../../conformance/car-log.ts";
import { tenantDirectories } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";
import { openReceiver } from "./receiver.ts";
import { add, enrol, idsOf, webhookSuite, work } from "./rig.ts";

const test = webhookSuite("webhook deliveries");

test("P-33 what changes is told as ids, signed, in batches, each once and in order", async (context) => {
  const { store, receiver } = context;
  const names = await enrol(store, WEBHOOK_BATCH_MAX + 20);
  const worker = work(context);
  await until("all of it", () => idsOf(receiver).length >= names.length);
  const more = await enrol(store);
  await until("what came later", () => / 3$/m.test(worker.metrics()));
  await worker.close();
  assert.equal(idsOf(receiver), [...names, ...more]);
  assert.ok(receiver.heard.every(({ verified }) => verified));
  assert.is(receiver.heard[0]?.ids.length, WEBHOOK_BATCH_MAX);
  const [first] = JSON.parse(receiver.heard[0]?.body ?? "").data.items;
  assert.equal(Object.keys(first).sort(), ["at", "cursor", "id", "topic"], "ids only");
  assert.match(worker.metrics(), /deliveries_total\{host="localhost",outcome="taken"\} 3/);
});

test("what is refused is sent again under the same id until it is taken", async (context) => {
  const { store, receiver } = context;
  receiver.answer = 500;
  await enrol(store);
  const worker = work(context);
  await until("three tries", () => receiver.heard.length >= 3);
  receiver.answer = 200;
  const more = await enrol(store);
  await until("the next", () => idsOf(receiver).includes(String(more[0])));
  await worker.close();
  const tries = receiver.heard.slice(0, -1);
  assert.is(new Set(tries.map(({ id }) => id)).size, 1, "one id for all tries");
  assert.is(new Set(tries.map(({ body }) => body)).size, 1);
});

test("only the topics that were asked for", async (context) => {
  const { store, receiver, id } = context;
  await store.webhooks.changeWebhook(id, { topics: ["booking"] }, AUDIT);
  await enrol(store, 3);
  const worker = work(context);
  await until("they are passed over", async () => {
    const feed = await store.feed(0, 1000);
    const record = await store.webhooks.webhook(id);
    return record?.cursor === feed.at(-1)?.cursor;
  });
  await worker.close();
  assert.is(receiver.heard.length, 0);
});

test("two signatures for a day after a new secret, then one", async (context) => {
  const { store, receiver, id, now } = context;
  const secret = webhookSecretText(await store.webhooks.rotateWebhook(id, AUDIT));
  assert.is.not(secret, receiver.secret);
  const worker = work(context);
  await enrol(store);
  await until("told", () => receiver.heard.length === 1);
  now.ms += 86_400_001;
  await enrol(store);
  await until("told again", () => receiver.heard.length === 2);
  receiver.secret = secret;
  await enrol(store);
  await until("told a third time", () => receiver.heard.length === 3);
  await worker.close();
  assert.equal(
    receiver.heard.map(({ signatures, verified }) => [signatures, verified]),
    [
      [2, true],
      [1, false],
      [1, true],
    ],
    "the receiver verified by the secret before, until it was good no more",
  );
});

test("P-50 a dead letter is kept, does not hold up the rest, and is sent again on request", async (context) => {
  const { store, receiver, id } = context;
  receiver.answer = 400;
  const [choked] = await enrol(store);
  const worker = work(context, { attemptsMax: 2 });
  await until(
    "it is dead",
    async () => (await store.webhooks.deadDeliveries(id, 0, 10)).length > 0,
  );
  receiver.answer = 200;
  const [after] = await enrol(store);
  await until("the next one", () => idsOf(receiver).includes(String(after)));
  const [dead] = await store.webhooks.deadDeliveries(id, 0, 10);
  assert.is(dead?.why, "status 400");
  const count = await store.webhooks.redriveDeliveries(id, undefined, {
    ...AUDIT,
    action: "redrive",
  });
  assert.is(count, 1);
  await until("it is taken", async () =>
    (receiver.heard.at(-1)?.ids ?? []).includes(String(choked)),
  );
  await worker.close();
  assert.equal(await store.webhooks.deadDeliveries(id, 0, 10), []);
  const again = receiver.heard.filter(({ ids }) => ids.includes(String(choked)));
  assert.is(new Set(again.map(({ id: of }) => of)).size, 1);
});

test("P-50 one that is gone is turned off, with a record of it; on again it goes on where it stopped", async (context) => {
  const { store, receiver, id } = context;
  receiver.answer = 410;
  const names = await enrol(store, 2);
  const worker = work(context);
  const state = async () => (await store.webhooks.webhook(id))?.state;
  await until("it is off", async () => (await state())?.at === "off");
  const heard = receiver.heard.length;
  names.concat(await enrol(store));
  receiver.answer = 200;
  await store.webhooks.changeWebhook(id, { on: true }, AUDIT);
  await until("all of it", () => idsOf(receiver).length >= names.length + 1);
  await worker.close();
  assert.is(heard, 1);
  const trail = await store.auditTrail(0, 1000);
  assert.ok(trail.some((entry) => entry.action === "webhook.off" && entry.reason === "gone"));
});

test("P-50 that one is turned off stands or falls with the record of it", async (context) => {
  const { files, store, id } = context;
  await enrol(store);
  const [directory = ""] = tenantDirectories(files.dir);
  const db = new BetterSqlite3(join(directory, "store.sqlite"));
  db.exec(
    "CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.action = 'webhook.off' BEGIN SELECT RAISE(ABORT, 'full'); END",
  );
  const claimed = await store.webhooks.claimDelivery(id, "me", 5000);
  const batch = claimed?.batch.id ?? 0;
  const off = { at: "off", off: "gone", why: "status 410" } as const;
  await refuses("storage_failed", store.webhooks.settleDelivery(id, batch, "me", off));
  assert.equal((await store.webhooks.webhook(id))?.state, { at: "on" });
  db.exec("DROP TRIGGER full");
  db.close();
  await store.webhooks.settleDelivery(id, batch, "me", off);
  assert.is((await store.webhooks.webhook(id))?.state.at, "off");
  assert.is((await store.auditTrail(0, 1000)).at(-1)?.action, "webhook.off");
});

test("nobody answers: everything waits, and nothing is given up", async (context) => {
  const { store, receiver, id } = context;
  await receiver.close();
  const names = await enrol(store, 3);
  const worker = work(context, { attemptsMax: 2 });
  await until("it is known to fail", async () => {
    const record = await store.webhooks.webhook(id);
    return record?.failingSinceMs !== undefined;
  });
  await worker.close();
  assert.equal(await store.webhooks.deadDeliveries(id, 0, 10), []);
  context.receiver = await openReceiver();
  await store.webhooks.changeWebhook(id, { url: context.receiver.url }, AUDIT);
  const another = work(context);
  await until("all of it", () => idsOf(context.receiver).length >= names.length);
  await another.close();
  assert.equal(idsOf(context.receiver), names);
});

test("two senders over one store do not send the same at the same time", async (context) => {
  const { store, receiver } = context;
  const workers = [work(context), work(context)];
  const names: string[] = [];
  for (let i = 0; i < 20; i += 1) {
    names.push(...(await enrol(store)));
    await until("told", () => idsOf(receiver).length >= names.length);
  }
  for (const worker of workers) await worker.close();
  assert.equal(idsOf(receiver), names);
});

test("bounds: webhooks of a tenant, and dead letters, which turn it off", async (context) => {
  const { store, receiver, id } = context;
  const ids: string[] = [];
  for (let i = 1; i < WEBHOOKS_MAX; i += 1) ids.push(await add(context));
  await refuses("limit_reached", add(context));
  for (const each of ids) await store.webhooks.removeWebhook(each, AUDIT);
  const worker = work(context, { attemptsMax: 1, lookMs: 1 });
  receiver.answer = 500;
  let last: readonly string[] = [];
  for (let i = 0; i < WEBHOOK_DEAD_MAX; i += 1) {
    last = await enrol(store);
    await until("refused", () => idsOf(receiver).includes(String(last[0])));
  }
  await until("full", async () => (await store.webhooks.webhook(id))?.state.at === "off");
  await worker.close();
  const dead = await store.webhooks.deadDeliveries(id, 0, 1000);
  assert.is(dead.length, WEBHOOK_DEAD_MAX);
});

test("a batch under way keeps what it was gathered for when the webhook's topics change", async (context) => {
  const { store, id, now } = context;
  await store.webhooks.changeWebhook(id, { topics: ["booking"] }, AUDIT);
  const bookings = ["first", "last"].map((name) => `${name}-${id}`);
  for (const name of bookings) {
    await store.putBooking(booking(name, 1), AUDIT);
    await enrol(store, WEBHOOK_BATCH_MAX);
  }
  const ids = async () =>
    (await store.webhooks.claimDelivery(id, "me", 1))?.entries.map((entry) => entry.id);
  assert.equal(await ids(), bookings);
  await store.webhooks.changeWebhook(id, { topics: [] }, AUDIT);
  now.ms += 1000;
  assert.equal(await ids(), bookings);
});

test.run();
