/** P-13: the cache of a process. */
import { tenantId } from "@kerbside/protocol";
import { createCache } from "@kerbside/tenants";
import { test } from "uvu";
import * as assert from "uvu/assert";

const demo = tenantId("demo");
const rival = tenantId("rival");
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test("P-13 values belong to a tenant and expire", async () => {
  let now = 0;
  const cache = createCache({ bootMs: () => now });
  await cache.set(demo, "k", bytes(1), 100);
  assert.equal(await cache.get(demo, "k"), bytes(1));
  assert.is(await cache.get(rival, "k"), undefined);
  await cache.set(rival, "k", bytes(2), 1000);
  now = 99;
  assert.equal(await cache.get(demo, "k"), bytes(1));
  now = 100;
  assert.is(await cache.get(demo, "k"), undefined);
  assert.equal(await cache.get(rival, "k"), bytes(2));
  await cache.delete(rival, "k");
  assert.is(await cache.get(rival, "k"), undefined);
});

test("P-13 it holds no more than its bound, and the oldest give way", async () => {
  const cache = createCache({ bootMs: () => 0 }, 3);
  for (const [i, key] of ["a", "b", "c", "a", "d"].entries())
    await cache.set(demo, key, bytes(i), 100);
  assert.is(await cache.get(demo, "b"), undefined);
  assert.equal(await cache.get(demo, "a"), bytes(3), "set anew, it is young again");
  assert.equal(await cache.get(demo, "d"), bytes(4));
  await cache.set(demo, "large", new Uint8Array(64 * 1024 + 1), 100);
  assert.is(await cache.get(demo, "large"), undefined);
});

test("a caller cannot change what is cached", async () => {
  const cache = createCache({ bootMs: () => 0 });
  const value = bytes(1);
  await cache.set(demo, "k", value, 100);
  value[0] = 9;
  const read = await cache.get(demo, "k");
  if (read !== undefined) read[0] = 8;
  assert.equal(await cache.get(demo, "k"), bytes(1));
});

test.run();
