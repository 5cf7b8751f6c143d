/** Another log while the buffer works: for a new ingest key, and before a log has too many segments. */
import type { Buffer } from "@kerbside/buffer";
import { parseSegmentMessage, sealKeyPair, toHex } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { type Bench, drain, note, onlineEach } from "./harness.ts";

let b: Bench;
let buffer: Buffer;
onlineEach(
  test,
  (made, opened) => {
    [b, buffer] = [made, opened];
  },
  () => ({ b, buffer }),
);

test("a renewed log follows the one before in order, and loses nothing", async () => {
  const first = await buffer.append(note("before", 1), "critical");
  const waiting = buffer.append(note("waits", 2), "track");
  buffer.renew({ ...b.cloud.ingestKey, version: 2 });
  const second = await buffer.append(note("after", 3), "critical");
  assert.is(toHex((await waiting).log), toHex(first.log), "what waited is of the log before");
  assert.is.not(toHex(second.log), toHex(first.log));
  drain(buffer, b.cloud);
  assert.is(b.cloud.events().size, 3);
  b.cloud.checkChains();
  const opening = b.cloud.openingOf(toHex(second.log));
  assert.is(opening.ingestKeyVersion, 2);
  assert.is(opening.previousEndedCleanly, true);
  assert.equal(toHex(opening.previousLog ?? new Uint8Array()), toHex(first.log));
  assert.equal(buffer.status().segments, { critical: 0, state: 0, track: 0 });
});

test("what was under way when the log was renewed is forgotten on its acknowledgement", async () => {
  await buffer.append(note("under way", 1), "critical");
  drain(buffer, b.cloud, false);
  buffer.renew({ ...b.cloud.ingestKey, version: 2 });
  for (const log of b.cloud.logs()) buffer.acknowledge(b.cloud.ackOf(log));
  assert.is(buffer.status().segments.critical, 0);
});

test("P-30 the next log's root is sealed to the new key alone", async () => {
  const other = sealKeyPair();
  buffer.renew({ version: 2, publicKey: other.publicKey });
  await buffer.append(note("after", 1), "critical");
  const segment = buffer.next({ skip: new Set(), newestStateFirst: false });
  assert.ok(segment !== undefined);
  assert.ok(parseSegmentMessage(segment.message, ADDRESS).opening !== undefined);
  assert.throws(() => b.cloud.take(segment.message));
});

test("a log that has its number of segments is ended, again and again", async () => {
  await buffer.close();
  buffer = await b.open({ limits: { logSegmentsMax: 3 } });
  buffer.online(true);
  const logs = new Set<string>();
  for (let i = 0; i < 10; i += 1)
    logs.add(toHex((await buffer.append(note("one", i), "critical")).log));
  assert.is(logs.size, 4);
  drain(buffer, b.cloud);
  assert.is(b.cloud.events().size, 10);
  b.cloud.checkChains();
});

test("a key of the version that is in use begins no log", async () => {
  const before = buffer.status().log;
  buffer.renew(b.cloud.ingestKey);
  assert.is(buffer.status().log, before);
});

test("renewing a closed buffer does nothing", async () => {
  await buffer.close();
  buffer.renew(b.cloud.ingestKey);
  assert.is(buffer.status().state, "closed");
});

test.run();
