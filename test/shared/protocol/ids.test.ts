/** Ids of tenants, vehicles and bookings: short pseudonyms that are safe wherever they are put. */
import {
  bookingCodec,
  encode,
  ProtocolError,
  tenantCodec,
  tenantId,
  vehicleCodec,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const GOOD = ["a", "0", "car-7", "a-", "x".repeat(40), "constructors", "to-string"];
const BAD: readonly unknown[] = [
  ...["", "-a", "A", "a.b", "a/b", "a+", "#", "a b", "é", "..", "__proto__", "x".repeat(41), "a\n"],
  ...["constructor", "prototype", "valueof", "tostring"],
  ...[7, null, undefined, ["a"]],
];

test("what may be an id, and what may not", () => {
  for (const [name, parse] of [
    ["tenant id", tenantId],
    ["vehicle id", vehicleId],
  ] as const) {
    for (const good of GOOD) assert.is(parse(good), good);
    for (const bad of BAD)
      assert.throws(
        () => parse(bad),
        (error: unknown) =>
          error instanceof ProtocolError &&
          error.code === "malformed" &&
          error.message === `${name}: expected 1 to 40 of a–z, 0–9 and hyphen`,
        JSON.stringify(bad),
      );
  }
});

test("they are checked on their way out and in", () => {
  for (const [codec, describe] of [
    [tenantCodec, "tenant id"],
    [vehicleCodec, "vehicle id"],
  ] as const) {
    assert.is(codec.describe, describe);
    assert.is(codec.fromCbor("car-7", "x"), "car-7");
    assert.throws(() => codec.fromCbor("../x", "x"), describe);
  }
  assert.throws(() => encode(bookingCodec, "B-1"));
  assert.throws(() => encode(bookingCodec, "b".repeat(41)));
  encode(bookingCodec, "b".repeat(40));
});

test.run();
