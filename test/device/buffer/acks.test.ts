/** What may be forgotten: only what was sent, under the hash it was sent with, said by who holds the log's key. */
import type { Buffer } from "@kerbside/buffer";
import {
  type Ack,
  encodeOpeningRequest,
  fromHex,
  type LaneMark,
  parseSegmentMessage,
  randomBytes,
  vehicleId,
  ZERO_HASH,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { randomOf } from "../../fuzz/random.ts";
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

const held = (): number => buffer.status().segments.critical;
const ack = (change?: (ack: Ack) => Ack): Uint8Array =>
  b.cloud.ackOf(b.cloud.logs().at(-1) ?? "", change);

async function sendFour(): Promise<void> {
  for (let i = 1; i <= 4; i += 1) await buffer.append(note(`${i}`, i), "critical");
  assert.is(drain(buffer, b.cloud, false), 4);
}

/** Changes the mark of the first lane. */
function marked(change: (mark: LaneMark) => Partial<LaneMark>): (ack: Ack) => Ack {
  return (said) => ({ ...said, lanes: said.lanes.map((mark) => ({ ...mark, ...change(mark) })) });
}

test("an opening that is asked for travels again until the log is acknowledged, and nothing goes", async () => {
  const openings = (): readonly boolean[] => {
    const found: boolean[] = [];
    const skip = new Set<number>();
    for (;;) {
      const segment = buffer.next({ skip, newestStateFirst: false });
      if (segment === undefined) return found;
      skip.add(segment.key);
      found.push(parseSegmentMessage(segment.message, ADDRESS).opening !== undefined);
    }
  };
  await sendFour();
  buffer.acknowledge(ack());
  await buffer.append(note("5", 5), "critical");
  assert.equal(openings(), [false]);
  const log = fromHex(b.cloud.logs().at(-1) ?? "");
  const request = { ...ADDRESS, log };
  const other = { ...request, vehicle: vehicleId("another") };
  assert.is(buffer.acknowledge(encodeOpeningRequest(other)).kind, "ignored");
  const unknown = { ...request, log: randomBytes(16) };
  assert.is(buffer.acknowledge(encodeOpeningRequest(unknown)).kind, "ignored");
  assert.equal(openings(), [false]);
  assert.equal(buffer.acknowledge(encodeOpeningRequest(request)), {
    ...{ kind: "taken", forgotten: [], bytes: 0 },
  });
  assert.is(held(), 1);
  assert.equal(openings(), [true]);
  drain(buffer, b.cloud);
  await buffer.append(note("6", 6), "critical");
  assert.equal(openings(), [false]);
});

const LIES: readonly { why: string; change: (ack: Ack) => Ack }[] = [
  { why: "a hash of nothing", change: marked(() => ({ hash: randomBytes(32) })) },
  { why: "zeros", change: marked(() => ({ hash: ZERO_HASH })) },
  { why: "beyond what was ever sent", change: marked(() => ({ upTo: 5 })) },
  { why: "swapped: the hash of 4 for 3", change: marked(() => ({ upTo: 3 })) },
  {
    why: "a range that ends before it begins",
    change: marked(({ hash }) => ({ upTo: 0, ranges: [{ from: 4, to: 3, hash }] })),
  },
  { why: "a lane that has nothing", change: marked(() => ({ lane: "track" })) },
  { why: "a number beyond all", change: marked(() => ({ upTo: Number.MAX_SAFE_INTEGER })) },
];
for (const { why, change } of LIES) {
  test(`a lie under the right key deletes nothing: ${why}`, async () => {
    await sendFour();
    const outcome = buffer.acknowledge(ack(change));
    assert.ok(outcome.kind === "taken" && outcome.forgotten.length === 0);
    assert.is(held(), 4);
  });
}

test("every bit of an acknowledgement counts", async () => {
  await sendFour();
  const good = ack();
  for (let bit = 0; bit < good.length * 8; bit += 1) {
    const bent = Uint8Array.from(good);
    const at = bit >> 3;
    bent[at] = (bent[at] ?? 0) ^ (1 << (bit & 7));
    assert.is(buffer.acknowledge(bent).kind, "ignored", `bit ${bit}`);
  }
  assert.is(held(), 4);
  assert.is(buffer.acknowledge(good).kind, "taken");
  assert.is(held(), 0);
});

test("an early one, for what was not sent yet, deletes nothing, and a replayed one later neither", async () => {
  await buffer.append(note("1"), "critical");
  drain(buffer, b.cloud, false);
  const first = ack();
  await buffer.append(note("2"), "critical");
  const unsent = held();
  buffer.acknowledge(first);
  assert.is(held(), unsent - 1);
  assert.is(buffer.acknowledge(first).kind, "taken");
  assert.is(held(), unsent - 1);
});

test("after a restart it counts only for what is sent again", async () => {
  await sendFour();
  const good = ack();
  await buffer.close();
  buffer = await b.open();
  buffer.acknowledge(good);
  assert.is(held(), 4);
  drain(buffer, b.cloud);
  assert.is(held(), 0);
});

const seed = Date.now() % 1e9;
test(`stored in any order, acknowledged by ranges, all is forgotten in the end (seed ${seed})`, async () => {
  const random = randomOf(seed);
  for (let round = 0; round < 20; round += 1) {
    for (let i = 0; i < 12; i += 1) await buffer.append(note(`${i}`, i), "critical");
    const segments: { key: number; message: Uint8Array }[] = [];
    const skip = new Set<number>();
    for (;;) {
      const segment = buffer.next({ skip, newestStateFirst: false });
      if (segment === undefined) break;
      skip.add(segment.key);
      segments.push(segment);
    }
    while (segments.length > 0) {
      const [segment] = segments.splice(random.int(segments.length), 1);
      if (segment === undefined) break;
      b.cloud.take(segment.message);
      if (random.bool()) buffer.acknowledge(ack());
    }
    buffer.acknowledge(ack());
    assert.is(held(), 0, `round ${round}`);
  }
  assert.is(b.cloud.events().size, 240);
  b.cloud.checkChains();
});

test.run();
