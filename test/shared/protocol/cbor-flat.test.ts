/** The short way of reading CBOR takes nothing that the long way refuses, and reads it the same. */
import { Buffer } from "node:buffer";
import { randomInt } from "node:crypto";
import { CBOR_LIMITS, type CborValue, decodeCbor, encodeCbor } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded } from "../../support/seeded.ts";

const SEED = randomInt(2 ** 32);

/** The long way: that of all but the shape that most events have. */
const LONG_WAY = { ...CBOR_LIMITS };

test(`CBOR short flat maps read the same on both ways, and are refused on both, seed ${SEED}`, () => {
  const random = seeded(SEED);
  const below = (count: number): number => Math.floor(random() * count);
  const values: readonly (() => CborValue)[] = [
    () => below(2 ** ([4, 5, 8, 9, 16, 17, 32][below(7)] ?? 1)),
    () => -1 - below(2 ** ([4, 5, 8, 9, 16, 17, 32][below(7)] ?? 1)),
    () => (random() - 0.5) * 1000,
    () => [true, false, null, 0.5, 1e300, Number.POSITIVE_INFINITY, 2 ** 40][below(7)] ?? null,
    () => "mnop qrst uvwx yzäß".slice(0, below(20)),
  ];
  const outcome = (bytes: Uint8Array, limits?: typeof CBOR_LIMITS): unknown => {
    try {
      const value = decodeCbor(bytes, limits);
      return value instanceof Map ? [...value] : value;
    } catch (error) {
      return String(error);
    }
  };
  let refused = 0;
  for (let round = 0; round < 10_000; round += 1) {
    const keys = Array.from({ length: below(6) }, () => below(26));
    const value = new Map(keys.map((key) => [key, values[below(values.length)]?.() ?? null]));
    const bytes = encodeCbor(value).slice();
    const damaged = below(3) > 0;
    if (damaged) bytes[below(bytes.length)] = below(256);
    const cut = bytes.subarray(0, damaged && below(4) === 0 ? below(bytes.length) : bytes.length);
    const long = outcome(cut, LONG_WAY);
    if (typeof long === "string") refused += 1;
    assert.equal(
      outcome(cut),
      long,
      `seed ${SEED} round ${round}: ${Buffer.from(cut).toString("hex")}`,
    );
  }
  assert.ok(refused > 500, `${refused} were refused`);
});

test.run();
