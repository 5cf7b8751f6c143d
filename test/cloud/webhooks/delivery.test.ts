/** From the feed to a real receiver over HTTPS: what is lost when it fails, when the sender dies, when it is away. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type FeedTopic,
  randomBytes,
  signingKey,
  vehicleId,
  WEBHOOK_BATCH_MAX,
  WEBHOOK_DEAD_MAX,
  WEBHOOKS_MAX,
  webhookSecretText,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { addressRule, sender, type WebhookLimits, WebhookWorker } from "@kerbside/webhooks";
import BetterSqlite3 from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { type TestRegistry, tenantDirectories, testRegistry } from "../../support/tenant-engine.ts";
import { until } from "../../support/wait.ts";
import { openReceiver, type Receiver } from "./receiver.ts";

const FAST: Partial<WebhookLimits> = {
  lookMs: 5,
  sweepMs: 5,
  pauseMsFirst: 10,
  pauseMsMax: 20,
  leaseMs: 5000,
};
type Context = {
  files: TestRegistry;
  store: SqliteTenantStore;
  receiver: Receiver;
  now: { ms: number };
  id: string;
};
const test = suite<Context>("webhook deliveries");
let cars = 0;

test.before(async (context) => {
  context.now = { ms: 0 };
  context.files = await testRegistry(() => Date.now() + context.now.ms);
  await context.files.create("demo");
  const tenant = await context.files.registry.tenant("demo");
  if (tenant === undefined) throw new Error("it was made");
  context.store = tenant.store;
});
test.after(({ files }) => files.close());
test.before.each(async (context) => {
  context.receiver = await openReceiver();
  context.id = await add(context);
});
test.after.each(async ({ store, id, receiver }) => {
  await store.webhooks.removeWebhook(id, AUDIT);
  await receiver.close();
});

async function add(
  { store, receiver }: Context,
  topics: readonly FeedTopic[] = [],
): Promise<string> {
  const id = crypto.randomUUID();
  const secret = await store.webhooks.addWebhook({ id, url: receiver.url, topics }, AUDIT);
  receiver.secret = webhookSecretText(secret);
  return id;
}

/** Each is a change that the feed tells of. */
async function enrol(store: SqliteTenantStore, count = 1): Promise<readonly string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i += 1) {
    cars += 1;
    const vehicle = vehicleId(`car-${cars}`);
    names.push(vehicle);
    await store.putVehicle(
      {
        ...{ vehicle, profile: "p", certificateSerial: "01", enrolledAtMs: 1 },
        signingKey: signingKey(randomBytes(32)).publicKey,
      },
      AUDIT,
    );
  }
  return names;
}

function work({ files, receiver }: Context, limits: Partial<WebhookLimits> = {}): WebhookWorker {
  return new WebhookWorker({
    tenants: files.registry.list,
    store: async (id) => (await files.registry.tenant(id))?.store,
    send: sender({ rule: addressRule(() => true), answerMsMax: 5000, ca: receiver.ca }),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    limits: { ...FAST, ...limits },
  });
}

const idsOf = ({ heard }: Receiver): readonly string[] => heard.flatMap(({ ids }) => ids);

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

test("killed in the middle of a delivery: what was not taken is sent again, and nothing is lost", async (context) => {
  const { store, files, receiver } = context;
  const caFile = join(files.dir, "receiver.pem");
  writeFileSync(caFile, receiver.ca);
  const script = fileURLToPath(new URL("./worker-process.ts", import.meta.url));
  const key = Buffer.from(files.masterKey).toString("hex");
  const start = (): ChildProcess =>
    spawn(process.execPath, [script, files.dir, key, caFile], { stdio: "ignore" });
  receiver.answer = "never";
  const names = [...(await enrol(store, 5))];
  const first = start();
  await until("it is under way", () => receiver.heard.length === 1);
  const dead = once(first, "exit");
  first.kill("SIGKILL");
  await dead;
  receiver.answer = 204;
  names.push(...(await enrol(store, 5)));
  const second = start();
  await until("all of it", () => names.every((name) => idsOf(receiver).includes(name)));
  const ended = once(second, "exit");
  second.kill("SIGKILL");
  await ended;
  const [cut, again] = receiver.heard;
  assert.is(again?.id, cut?.id, "the same message, which receivers know by its id");
  assert.is(again?.body, cut?.body);
  const unique = new Map(receiver.heard.map(({ id, ids }) => [id, ids]));
  assert.equal([...unique.values()].flat(), names);
});

test.run();
