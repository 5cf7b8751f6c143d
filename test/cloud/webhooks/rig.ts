/** Webhooks of one tenant in real files, a receiver over HTTPS, and a worker between them. */
import {
  type FeedTopic,
  randomBytes,
  signingKey,
  vehicleId,
  webhookSecretText,
} from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { addressRule, sender, type WebhookLimits, WebhookWorker } from "@kerbside/webhooks";
import { suite } from "uvu";
import { AUDIT } from "../../conformance/car-log.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";
import { openReceiver, type Receiver } from "./receiver.ts";

const FAST: Partial<WebhookLimits> = {
  lookMs: 5,
  sweepMs: 5,
  pauseMsFirst: 10,
  pauseMsMax: 20,
  leaseMs: 5000,
};
export type Context = {
  files: TestRegistry;
  store: SqliteTenantStore;
  receiver: Receiver;
  now: { ms: number };
  id: string;
};
let cars = 0;

/** A suite whose tests have a webhook and a receiver of their own. */
export function webhookSuite(name: string): ReturnType<typeof suite<Context>> {
  const test = suite<Context>(name);

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
  return test;
}

export async function add(
  { store, receiver }: Context,
  topics: readonly FeedTopic[] = [],
): Promise<string> {
  const id = crypto.randomUUID();
  const secret = await store.webhooks.addWebhook({ id, url: receiver.url, topics }, AUDIT);
  receiver.secret = webhookSecretText(secret);
  return id;
}

/** Each is a change that the feed tells of. */
export async function enrol(store: SqliteTenantStore, count = 1): Promise<readonly string[]> {
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

export function work(
  { files, receiver }: Context,
  limits: Partial<WebhookLimits> = {},
): WebhookWorker {
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

export const idsOf = ({ heard }: Receiver): readonly string[] => heard.flatMap(({ ids }) => ids);
