/** No tenant makes another wait for its backlog, and a store that is slow is felt in the cars' sockets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BROKER_LIMITS } from "@kerbside/broker";
import { createIngest, INGEST_LIMITS, type Ingest } from "@kerbside/ingest";
import {
  type AuditEntry,
  randomBytes,
  type SourceMessage,
  sealKeyPair,
  tenantId,
  upTopicOf,
} from "@kerbside/protocol";
import { openRegistry, type Registry, type SqliteTenantStore } from "@kerbside/tenants";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, silentLog } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { makeWorld as makeBroker } from "../broker/harness.ts";
import { Car, enrol, note } from "./harness.ts";

const AUDIT: AuditEntry = { actor: "test", action: "test", subject: "test", outcome: "done" };
const TENANTS = ["greedy", "modest"].map(tenantId);

type Homes = {
  readonly ingest: Ingest;
  readonly car: (tenant: string, name: string) => Promise<Car>;
  /** Segments that are stored, by tenant. */
  readonly stored: Map<string, number>;
  /** Whose message was begun, in that order: `tenant.vehicle`. */
  readonly begun: string[];
  readonly close: () => Promise<void>;
};

/** Two tenants with stores of their own; `before` stands before each commit. */
async function homes(before: () => Promise<void> = async () => undefined): Promise<Homes> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-fair-"));
  const registry: Registry = await openRegistry({ dir, masterKey: randomBytes(32), create: true });
  const pair = sealKeyPair();
  const stores = new Map<string, SqliteTenantStore>();
  const stored = new Map<string, number>();
  const begun: string[] = [];
  const served = new Map();
  for (const id of TENANTS) {
    await registry.create(id, randomBytes(32), AUDIT, async () => undefined);
    const store = (await registry.tenant(id))?.store;
    if (store === undefined) throw new Error("the tenant was not made");
    stores.set(id, store);
    const commitSegments: SqliteTenantStore["commitSegments"] = async (segments) => {
      await before();
      const outcomes = await store.commitSegments(segments);
      stored.set(id, (stored.get(id) ?? 0) + segments.length);
      return outcomes;
    };
    const vehicle: SqliteTenantStore["vehicle"] = (name) => {
      begun.push(`${id}.${name}`);
      return store.vehicle(name);
    };
    served.set(id, { store: { ...store, commitSegments, vehicle }, ingestKey: async () => pair });
  }
  const ingest = await createIngest({
    tenant: async (id) => served.get(id),
    downlink: { send: async () => undefined },
    clock: realClock,
    log: silentLog,
  });
  return {
    ingest,
    stored,
    begun,
    car: async (tenant, name) => {
      const car = new Car(name, pair.publicKey, tenantId(tenant));
      const store = stores.get(tenant);
      if (store !== undefined) await enrol(store, car);
      return car;
    },
    close: async () => {
      await ingest.close();
      await registry.close();
      rmSync(dir, { recursive: true });
    },
  };
}

/** All under the ratchet's start: to make the test's own work short. */
const HEADER = { ratchet: 0 };

function backlog(car: Car, count: number): SourceMessage[] {
  const log = car.newLog();
  return Array.from({ length: count }, (_, i) =>
    log.segment("state", [note("n", i)], { header: HEADER, withOpening: i === 0 }),
  );
}

const ROOM = INGEST_LIMITS.tenantUnderWayMax;
/** Of a greedy car: well beyond the room of its tenant. */
const MANY: number = ROOM + 1200;

test("a tenant whose cars send all that they have takes its own room and no other tenant's", async () => {
  const world = await homes();
  try {
    const greedy = [await world.car("greedy", "car-1"), await world.car("greedy", "car-2")];
    const [one] = backlog(await world.car("modest", "car-1"), 1);
    const all = greedy.flatMap((car) => backlog(car, MANY / 2)).map(world.ingest.handle);
    assert.ok(one !== undefined);
    const done = world.ingest.handle(one);
    await new Promise((resolve) => setImmediate(resolve));
    assert.is(world.begun.filter((car) => car.startsWith("greedy")).length, ROOM);
    assert.ok(world.begun.includes("modest.car-1"), "it does not wait at all");
    await Promise.all([...all, done]);
    assert.is(world.stored.get("greedy"), MANY);
    assert.is(world.stored.get("modest"), 1);
  } finally {
    await world.close();
  }
});

test("of a tenant's cars, one that sends all that it has makes another wait for one message", async () => {
  const world = await homes();
  try {
    const all = backlog(await world.car("greedy", "car-1"), MANY).map(world.ingest.handle);
    const [one] = backlog(await world.car("greedy", "car-2"), 1);
    assert.ok(one !== undefined);
    await world.ingest.handle(one);
    const place = world.begun.indexOf("greedy.car-2");
    assert.ok(place <= ROOM + 1, `it was number ${place} of ${MANY}`);
    await Promise.all(all);
    assert.is(world.stored.get("greedy"), MANY + 1);
  } finally {
    await world.close();
  }
});

const SEGMENTS = 400;
/** Some 16 KB each: all of them are six times what one connection may have under way. */
const NOTES = 50;

test("while the store stands still a car's socket is not read, and then all of it is stored", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const home = await homes(() => held);
  let under = 0;
  let most = 0;
  const broker = await makeBroker({
    handler: async (message) => {
      under += 1;
      most = Math.max(most, under);
      // The broker has an enrolment of its own; the tenant's store knows the car by the same name.
      await home.ingest.handle({ topic: message.topic, payload: message.payload });
      under -= 1;
    },
  });
  try {
    const car = await home.car("greedy", "car-1");
    const client = await broker.connect(await broker.enrolled("greedy", "car-1"));
    const topic = upTopicOf(car, "state");
    const text = "x".repeat(256);
    const log = car.newLog();
    const full = Array.from({ length: NOTES }, (_, i) => note(text, i));
    const payloads = Array.from(
      { length: SEGMENTS },
      () => log.segment("state", full, { header: HEADER }).payload,
    );
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
    const taken = Promise.all(
      payloads.map((payload) => client.publishAsync(topic, Buffer.from(payload), { qos: 1 })),
    );
    // Where something else fails first, that is what counts.
    taken.catch(() => undefined);
    // From here on nothing is read of that car: each message that is under way waits for `release`.
    const readBytes = (): number =>
      broker.messages.reduce((sum, { payload }) => sum + payload.length, 0);
    const longest = Math.max(...payloads.map(({ length }) => length));
    const { inflightMessagesMax, inflightBytesMax } = BROKER_LIMITS;
    await until(
      "as much is under way as may be",
      () => most >= inflightMessagesMax || readBytes() + longest > inflightBytesMax,
    );
    const read = readBytes();
    assert.ok(most <= 65, `${most} messages were under way`);
    assert.ok(read < bytes / 4, `${read} of ${bytes} bytes were taken from the socket`);
    const stuck = Number(client.stream.writableLength);
    assert.ok(stuck > 0, "the car's side feels it");
    release();
    await taken;
    assert.is(home.stored.get("greedy"), SEGMENTS);
  } finally {
    release();
    await broker.close();
    await home.close();
  }
});

test.run();
