/** The form that cars send: without a header that follows from the rest, of whom the topic names and the key signed. */
import { authenticate } from "@kerbside/ingest";
import {
  cryptoReady,
  encodeSegmentMessage,
  randomBytes,
  sha256,
  shortenSegmentMessage,
  signHeader,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();

test("the short form of a message is as authentic as the plain one, and of its own car alone", async () => {
  const car = signingKey(randomBytes(32));
  const address = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
  const body = randomBytes(40);
  const header = signHeader(car, {
    ...{ ...address, log: randomBytes(16), lane: "state", number: 4, firstSeq: 10, count: 2 },
    ...{ ratchet: 3, codec: "rows", bodyHash: sha256(body), previousHash: randomBytes(32) },
  });
  const plain = encodeSegmentMessage({ header, body });
  const short = shortenSegmentMessage({ header, body });
  assert.ok(short.length < plain.length);
  const key = verifyKey(car.publicKey);
  const topic = { ...address, channel: "up", lane: "state" } as const;
  const [long, again] = [
    await authenticate({ topic, payload: plain }, key),
    await authenticate({ topic, payload: short }, key),
  ];
  assert.is(toHex(again.headerHash), toHex(long.headerHash));
  assert.equal([again.header, again.body], [long.header, long.body]);
  const other = { ...topic, vehicle: vehicleId("car-2") };
  await authenticate({ topic: other, payload: short }, key).then(
    () => assert.unreachable(),
    (error: { code?: string }) => assert.is(error.code, "unauthenticated"),
  );
});

test.run();
