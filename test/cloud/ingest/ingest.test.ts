/** What ingest does with what cars send as they should. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBuffer } from "@kerbside/buffer";
import { type Ingest, ingestMetrics } from "@kerbside/ingest";
import { ProtocolError, type SourceMessage, sealAck, toHex, ZERO_HASH } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";
import { codeOf, enrol, isGap, makeWorld, note, type World, words } from "./harness.ts";

let world: World;
test.before.each(async () => {
  world = await makeWorld();
});
test.after.each(() => world.close());

test("stores the events, and acknowledges them under the log's own key", async () => {
  const log = (await world.car("car-1")).newLog();
  const ingest = await world.worker();
  const messages: Uint8Array[] = [];
  world.deliver = (message) => messages.push(message);
  await ingest.handle(log.segment("state", [note("a"), note("b")]));
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b"]);
  const [ack] = world.acks;
  assert.equal(
    ack?.lanes.map(({ lane, upTo, ranges }) => [lane, upTo, ranges.length]),
    [["state", 1, 0]],
  );
  assert.ok(ack !== undefined);
  assert.equal(messages[0], sealAck(log.ackKey, ack));
});

test("a segment that comes again is stored once and acknowledged again", async () => {
  const log = (await world.car("car-1")).newLog();
  const ingest = await world.worker();
  const message = log.segment("state", [note("a")]);
  await ingest.handle(message);
  await ingest.close();
  const before = world.acks.length;
  await ingest.handle(message);
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a"]);
  assert.is(world.acks.length, before + 1);
  assert.equal(world.acks.at(-1), world.acks[0]);
  assert.is(ingest.counts().duplicates, 1);
});

test("segments come in any order: the newest first is a range, and the rest fills up to a mark", async () => {
  const log = (await world.car("car-1")).newLog();
  const ingest = await world.worker();
  const segments = ["a", "b", "c"].map((text) => log.segment("state", [note(text)]));
  const [first, second, third] = segments as [SourceMessage, SourceMessage, SourceMessage];
  await ingest.handle(third);
  await ingest.close();
  const lane = world.acks.at(-1)?.lanes[0];
  assert.equal([lane?.upTo, lane?.hash], [0, ZERO_HASH]);
  assert.equal(
    lane?.ranges.map(({ from, to }) => [from, to]),
    [[3, 3]],
  );
  await ingest.handle(first);
  await ingest.handle(second);
  await ingest.close();
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 3);
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b", "3 c"]);
});

test("a declared gap is stored as one and acknowledged", async () => {
  const log = (await world.car("car-1")).newLog();
  const ingest = await world.worker();
  await ingest.handle(log.segment("track", [note("a")]));
  await ingest.handle(log.segment("track", [], { gap: 3 }));
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a", "gap 2-4"]);
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 2);
});

test("what arrives together is committed together, and acknowledged together", async () => {
  const sizes: number[] = [];
  const ingest = await world.worker({
    hook: async (segments) => {
      sizes.push(segments);
    },
  });
  const log = (await world.car("car-1")).newLog();
  await ingest.handle(log.segment("state", [note("first")]));
  await ingest.close();
  world.acks.length = 0;
  sizes.length = 0;
  const messages = Array.from({ length: 50 }, (_, i) => log.segment("track", [note("x", i)]));
  await Promise.all(messages.map((message) => ingest.handle(message)));
  await ingest.close();
  assert.ok(sizes.length <= 5, `commits: ${sizes.join(", ")}`);
  assert.ok(world.acks.length <= sizes.length + 1, `acknowledgements: ${world.acks.length}`);
  assert.is(world.acks.at(-1)?.lanes.find(({ lane }) => lane === "track")?.upTo, 50);
});

test("what is committed while an acknowledgement is under way is acknowledged after it", async () => {
  const ingest = await world.worker();
  const log = (await world.car("car-1")).newLog();
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  world.deliver = () => {
    begun.resolve();
    return gate.promise;
  };
  await ingest.handle(log.segment("state", [note("a")]));
  await begun.promise;
  await ingest.handle(log.segment("state", [note("b")]));
  await ingest.handle(log.segment("state", [note("c")]));
  gate.resolve();
  await ingest.close();
  assert.equal(
    world.acks.map(({ lanes }) => lanes[0]?.upTo),
    [1, 3],
  );
});

test("a store that fails leaves the message with its source: no event, no acknowledgement", async () => {
  let broken = true;
  const ingest = await world.worker({
    hook: async () => {
      if (broken) throw new ProtocolError("storage_failed", "disk");
    },
  });
  const log = (await world.car("car-1")).newLog();
  const message = log.segment("critical", [note("a")]);
  assert.is(await codeOf(ingest.handle(message)), "storage_failed");
  await ingest.close();
  assert.equal(world.acks, []);
  assert.equal(await world.events("car-1"), []);
  broken = false;
  await ingest.handle(message);
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a"]);
  assert.is(world.acks.length, 1);
});

test("a worker that is new finds the log's opening in the store", async () => {
  const log = (await world.car("car-1")).newLog();
  await (await world.worker()).handle(log.segment("state", [note("a")]));
  const other = await world.worker();
  await other.handle(log.segment("state", [note("b")], { withOpening: false }));
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b"]);
});

test("messages whose log is not known wait for its opening, and are stored with it", async () => {
  const ingest = await world.worker();
  const log = (await world.car("car-1")).newLog();
  const early = ["a", "b"].map((t) => log.segment("state", [note(t)], { withOpening: false }));
  for (const message of early) await ingest.handle(message);
  await ingest.close();
  assert.equal(world.acks, [], "nothing is acknowledged that is not stored");
  await ingest.handle(log.segment("state", [note("c")]));
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b", "3 c"]);
  assert.is(world.acks.at(-1)?.lanes[0]?.upTo, 3);
});

test("what waits is bounded; what gives way is stored when the car sends it again", async () => {
  const ingest = await world.worker({ limits: { heldPerLogMax: 2, heldMax: 3 } });
  const log = (await world.car("car-1")).newLog();
  const early = [..."abcd"].map((t) => log.segment("state", [note(t)], { withOpening: false }));
  for (const message of early) await ingest.handle(message);
  assert.is(ingest.counts().dropped, 2);
  const other = (await world.car("car-2")).newLog();
  for (const t of "xy")
    await ingest.handle(other.segment("state", [note(t)], { withOpening: false }));
  assert.is(ingest.counts().dropped, 3, "the log that waited longest gives way");
  await ingest.handle(log.segment("state", [note("e")]));
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["4 d", "5 e"]);
  for (const message of early) await ingest.handle(message);
  await ingest.close();
  assert.equal(words(await world.events("car-1")), ["1 a", "2 b", "3 c", "4 d", "5 e"]);
});

test("ratchets go anywhere: far ahead, back, and on", async () => {
  const ingest = await world.worker();
  const log = (await world.car("car-1")).newLog();
  for (const number of [1, 3000, 1025, 1024, 2, 3001, 2049]) {
    const message = log.segment("track", [note(`n${number}`)], { header: { number } });
    await ingest.handle(message);
  }
  assert.is(ingest.counts().stored, 7);
  assert.is(ingest.counts().unreadable, 0);
});

test("two segments of one number are both kept, and each car learns that its own is", async () => {
  const car = await world.car("car-1");
  const log = car.newLog();
  const ingest = await world.worker();
  await ingest.handle(log.segment("state", [note("a")], { header: { number: 1 } }));
  await ingest.handle(log.segment("state", [note("b")], { header: { number: 1 } }));
  await ingest.close();
  assert.is(ingest.counts().forks, 1);
  assert.equal(
    world.store.alarms(0, 10).map(({ kind }) => kind),
    ["fork"],
  );
});

test("a store that lost the opening of a log asks for it, and stores what waited", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-ingest-buffer-"));
  const car = await world.car("car-1");
  const buffer = await openBuffer({
    dir,
    address: car,
    signingKey: car.key,
    ingestKey: { version: 1, publicKey: world.ingestKey.publicKey },
    agentVersion: "test",
    clock: realClock,
    random: realRandom,
    log: silentLog,
  });
  buffer.online(true);
  // Another store has taken the first, and with it the opening: this one was restored from before.
  const elsewhere = await makeWorld(world.ingestKey);
  await enrol(elsewhere.store, car);
  elsewhere.deliver = (message) => buffer.acknowledge(message);
  const first = await elsewhere.worker();
  const send = async (to: Ingest): Promise<void> => {
    const segment = buffer.next({ skip: new Set(), newestStateFirst: false });
    if (segment === undefined) throw new Error("nothing to send");
    await to.handle(car.message(segment.lane, segment.message));
    await new Promise((resolve) => setImmediate(resolve));
  };
  try {
    await buffer.append(note("1"), "critical");
    await send(first);
    await first.close();
    world.deliver = (message) => buffer.acknowledge(message);
    const ingest = await world.worker();
    await buffer.append(note("2"), "critical");
    await send(ingest);
    assert.equal([await world.events("car-1"), world.asked.length], [[], 1]);
    await send(ingest);
    await ingest.close();
    assert.equal(words(await world.events("car-1")), ["2 2"]);
    assert.is(buffer.status().segments.critical, 0, "acknowledged");
  } finally {
    await elsewhere.close();
    await buffer.close();
    rmSync(dir, { recursive: true });
  }
});

test("an opening is asked for once in a while, however much of its log comes", async () => {
  const log = (await world.car("car-1")).newLog();
  const ingest = await world.worker();
  for (const text of ["a", "b", "c"])
    await ingest.handle(log.segment("state", [note(text)], { withOpening: false }));
  await ingest.close();
  assert.equal(
    world.asked.map((request) => toHex(request.log)),
    [toHex(log.log)],
  );
});

test("P-42 what is counted is total, and nobody's", async () => {
  const car = await world.car("car-1");
  const log = car.newLog();
  const ingest = await world.worker();
  const first = log.segment("state", [note("a"), note("b")]);
  const messages = [first, first, log.segment("state", [], { gap: 3 })];
  for (const message of messages) await ingest.handle(message);
  await ingest.handle(car.newLog().segment("state", [note("c")], { withOpening: false }));
  const { stored, duplicates, gaps, events, bytes, held, waiting } = ingest.counts();
  assert.equal([stored, duplicates, gaps, events, held], [2, 1, 1, 2, 1]);
  await ingest.close();
  const text = ingestMetrics(ingest.counts());
  assert.match(text, /^kerbside_ingest_retries_total 1$/m);
  assert.match(text, /^kerbside_ingest_depth 0$/m);
  assert.ok(bytes > first.payload.length && waiting <= 1);
  assert.not.match(text, /car-1|demo|\{/);
  for (const line of text.trim().split("\n")) assert.match(line, /^(# (HELP|TYPE) |\w+ \d+$)/);
});

test("P-30 a real buffer: everything once in the store, whatever is sent twice or out of order", async () => {
  const seed = Number(process.argv[2] ?? Date.now() % 1e9);
  const random = seeded(seed);
  const dir = mkdtempSync(join(tmpdir(), "kerbside-ingest-buffer-"));
  const car = await world.car("car-1");
  const options = {
    dir,
    address: car,
    signingKey: car.key,
    ingestKey: { version: 1, publicKey: world.ingestKey.publicKey },
    agentVersion: "test",
    clock: realClock,
    random: realRandom,
    log: silentLog,
    limits: { segmentEventsMax: 7 },
  };
  const ingest = await world.worker();
  const appended: string[] = [];
  for (let boot = 0; boot < 3; boot += 1) {
    const buffer = await openBuffer(options);
    buffer.online(true);
    world.deliver = (message) => buffer.acknowledge(message);
    const lanes = ["critical", "state", "track"] as const;
    const done = Array.from({ length: 60 }, (_, i) => {
      const lane = lanes[Math.floor(random() * 3)] ?? "state";
      const event = { kind: "diagnostic.note", data: { note: `boot ${boot}`, number: i } } as const;
      return buffer.append(event, lane);
    });
    for (const { lane, log, seq } of await Promise.all(done)) {
      appended.push(`${toHex(log)} ${lane} ${seq}`);
    }
    // The last boot is left open until everything closed is sent; the others leave rows behind for the next.
    const outgoing: SourceMessage[] = [];
    const skip = new Set<number>();
    for (;;) {
      const segment = buffer.next({ skip, newestStateFirst: random() < 0.5 });
      if (segment === undefined) break;
      skip.add(segment.key);
      const message = car.message(segment.lane, segment.message);
      outgoing.push(message, ...(random() < 0.3 ? [message] : []));
    }
    outgoing.sort(() => random() - 0.5);
    // Some are lost on the way; the car sends them again after its next start.
    const arriving = boot < 2 ? outgoing.filter(() => random() < 0.7) : outgoing;
    await Promise.all(arriving.map((message) => ingest.handle(message)));
    await ingest.close();
    await buffer.close();
  }
  const last = await openBuffer(options);
  last.online(true);
  world.deliver = (message) => last.acknowledge(message);
  for (;;) {
    const segment = last.next({ skip: new Set(), newestStateFirst: false });
    if (segment === undefined) break;
    await ingest.handle(car.message(segment.lane, segment.message));
    await ingest.close();
  }
  await last.close();
  rmSync(dir, { recursive: true });
  const items = await world.events("car-1");
  const stored = items.flatMap((item) =>
    isGap(item) || item.kind !== "diagnostic.note" ? [] : [`${item.log} ${item.lane} ${item.seq}`],
  );
  assert.equal(stored.toSorted(), appended.toSorted(), `seed ${seed}`);
  assert.not(items.some(isGap), `seed ${seed}`);
});

test("a car whose key is replaced is verified with the new one at once", async () => {
  const ingest = await world.worker();
  const car = await world.car("car-1");
  await ingest.handle(car.newLog().segment("state", [note("a")]));
  const replaced = await world.car("car-1");
  await ingest.handle(replaced.newLog().segment("state", [note("b")]));
  await ingest.handle(car.newLog().segment("state", [note("c")]));
  assert.is(ingest.counts().stored, 2);
  assert.is(ingest.counts().quarantined, 1);
  await enrol(world.store, replaced, 1);
  await ingest.handle(replaced.newLog().segment("state", [note("d")]));
  assert.is(ingest.counts().stored, 2);
  assert.is(ingest.counts().dropped, 1);
});

test.run();
