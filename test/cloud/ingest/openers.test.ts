/** Bodies opened on threads beside: the same columns, the same refusals, the same order, whatever becomes of a thread. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  answerOrders,
  type BodyOrder,
  openHere,
  packOrders,
  threadOpeners,
  unpackAnswers,
} from "@kerbside/ingest";
import {
  type CarEvent,
  type CheckedColumns,
  cryptoReady,
  encodeColumns,
  encodeEvent,
  type Lane,
  type Log,
  ProtocolError,
  randomBytes,
  sealColumns,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../house/sources.ts";
import { silentLog } from "../../support/runtime.ts";
import { makeWorld, note } from "./harness.ts";

const test = suite("openers");
await cryptoReady();
const folder = mkdtempSync(join(tmpdir(), "kerbside-openers-"));
test.after(() => rmSync(folder, { recursive: true }));

const time = (i: number) => ({ bootMs: 1000 * i, wallOffsetMs: 1e12, doubtMs: 3 });
const doors = (count: number): readonly CarEvent[] =>
  Array.from({ length: count }, (_, i) =>
    i % 3 === 0
      ? { kind: "door.changed", data: { door: "driver", open: i % 2 === 0 }, ...time(i) }
      : { kind: "energy.changed", data: { fuelPercent: 71.5 - i / 8, low: false }, ...time(i) },
  );

function orderOf(number: number, events: readonly CarEvent[], lane: Lane = "state"): BodyOrder {
  const key = randomBytes(32);
  const place = { log: randomBytes(16), lane, number, firstSeq: 7, count: events.length };
  const body = sealColumns(key, place, encodeColumns(events.map((event) => encodeEvent(event))));
  return { key, place, body };
}

const again = (order: BodyOrder): BodyOrder => ({ ...order, key: order.key.slice() });
const spoilt = (order: BodyOrder): BodyOrder => ({ ...order, body: order.body.map((b) => b ^ 1) });
const all = (columns: CheckedColumns) => {
  const { atMs, data, ends } = columns.rows();
  return { ...columns, rows: { atMs, data: [...data], ends } };
};
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** A thread that runs this, beginning with the name of the port. */
const program = (text: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort as port } from "node:worker_threads";${text}`)}`,
  );

test("a thread answers what this thread would, for every lane, rows and newest events too", async () => {
  const openers = threadOpeners({ threads: 2, log: silentLog });
  const notes = Array.from({ length: 40 }, (_, i) => note(`n${i}`, i));
  const orders = [
    orderOf(1, doors(100)),
    orderOf(2, doors(100), "track"),
    orderOf(3, notes, "critical"),
    orderOf(4, doors(13)),
    orderOf(5, doors(2)),
    ...Array.from({ length: 30 }, (_, i) => orderOf(6 + i, doors(20 + i))),
  ];
  const expected = orders.map((order) => all(openHere(again(order))));
  const found = await Promise.all(orders.map((order) => openers.open(order)));
  for (const [i, columns] of found.entries()) {
    const one = all(columns);
    assert.equal([...one.body], [...(expected[i]?.body ?? [])]);
    assert.equal({ ...one, body: 0 }, { ...expected[i], body: 0 });
  }
  assert.ok(orders.every(({ key }) => isZero(key)));
  await openers.close();
});

test("what cannot be opened is refused with its reason, and its neighbours are not", async () => {
  const openers = threadOpeners({ threads: 1, log: silentLog });
  const short = orderOf(1, doors(30));
  const wrongCount = { ...short, place: { ...short.place, count: 29 } };
  const broken = [spoilt(orderOf(2, doors(30))), wrongCount];
  const orders = [orderOf(3, doors(30)), ...broken, orderOf(4, doors(30))];
  const told = async (order: BodyOrder): Promise<string> =>
    openers.open(order).then(
      ({ count }) => `${count}`,
      (error: unknown) => (error instanceof ProtocolError ? error.code : "?"),
    );
  const found = await Promise.all(orders.map(told));
  assert.equal(found, ["30", "unauthenticated", "unauthenticated", "30"]);
  assert.ok(orders.every(({ key }) => isZero(key)));
  await openers.close();
});

test("P-30 the keys that a thread is handed are zeros once it has answered, opened or refused", () => {
  const orders = [orderOf(1, doors(20)), spoilt(orderOf(2, doors(20))), orderOf(3, doors(20))];
  const keys = orders.map(({ key }) => Buffer.from(key));
  const packed = packOrders(orders);
  assert.ok(keys.every((key) => Buffer.from(packed.bytes).includes(key)));
  const found = [...unpackAnswers(answerOrders(packed))].map((one) => one instanceof Error);
  assert.equal(found, [false, true, false]);
  assert.ok(keys.every((key) => !Buffer.from(packed.bytes).includes(key)));
});

function counting(): { readonly log: Log; readonly ends: () => number } {
  let ends = 0;
  const warn = (event: string): void => {
    if (event === "ingest.opener_ended") ends += 1;
  };
  return { log: { ...silentLog, warn }, ends: () => ends };
}

test("a thread that dies is replaced, and what it had is opened here", async () => {
  const { log, ends } = counting();
  const flag = JSON.stringify(join(folder, "died"));
  const real = JSON.stringify(pathToFileURL(join(root, "cloud/ingest/opener-thread.ts")).href);
  const dying = `import { existsSync, writeFileSync } from "node:fs";
    if (existsSync(${flag})) await import(${real});
    else port.on("message", () => { writeFileSync(${flag}, ""); process.exit(7); });`;
  const openers = threadOpeners({ threads: 1, log, program: program(dying) });
  const first = [orderOf(1, doors(20)), spoilt(orderOf(2, doors(20))), orderOf(3, doors(20))];
  const found = await Promise.allSettled(first.map((order) => openers.open(order)));
  assert.equal(
    found.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.ok(first.every(({ key }) => isZero(key)));
  assert.is(ends(), 1);
  assert.is((await openers.open(orderOf(4, doors(20)))).count, 20);
  assert.is(ends(), 1, "the next one works");
  await openers.close();
});

test("one that dies time and again is given up, and this thread goes on alone", async () => {
  const { log, ends } = counting();
  const openers = threadOpeners({ threads: 1, log, program: program("throw new Error('no')") });
  for (let i = 1; i <= 6; i += 1)
    assert.is((await openers.open(orderOf(i, doors(20)))).count, 20, `order ${i}`);
  assert.is(ends(), 3);
  await openers.close();
});

test("a thread that is slow has so many waiting and no more; the rest is opened here", async () => {
  const silent = program("port.on('message', () => undefined);");
  const openers = threadOpeners({ threads: 1, log: silentLog, program: silent });
  let answered = 0;
  const order = orderOf(1, doors(13));
  const asked = Array.from({ length: 1_068 }, () =>
    openers.open(again(order)).then(() => {
      answered += 1;
    }),
  );
  await Promise.all(asked.slice(1_024));
  assert.is(answered, 44);
  await openers.close();
});

test("what a car sends is stored in its order, opened here or there, and a refused one is a gap", async () => {
  const world = await makeWorld();
  const openers = threadOpeners({ threads: 2, log: silentLog });
  const numbers = new Map<string, number[]>();
  const worker = await world.worker({
    openers,
    hook: async (_, segments) => {
      for (const { header } of segments) {
        const mine = numbers.get(header.vehicle) ?? [];
        numbers.set(header.vehicle, [...mine, header.number]);
      }
    },
  });
  const cars = [await world.car("one"), await world.car("two"), await world.car("three")];
  const messages = cars.flatMap((car) => {
    const log = car.newLog();
    return Array.from({ length: 30 }, (_, i) => {
      const spoil = i === 17 ? { body: randomBytes(64) } : {};
      return log.segment("state", doors(i % 4 === 0 ? 400 : 1 + i), { columns: true, ...spoil });
    });
  });
  await Promise.all(messages.map((message) => worker.handle(message)));
  const inOrder = Array.from({ length: 30 }, (_, i) => i + 1);
  for (const [car, found] of numbers) assert.equal(found, inOrder, car);
  assert.is(numbers.size, 3);
  const { stored, unreadable, quarantined } = worker.counts();
  assert.equal({ stored, unreadable, quarantined }, { stored: 90, unreadable: 3, quarantined: 3 });
  await worker.close();
  await openers.close();
  await world.close();
});

test.run();
