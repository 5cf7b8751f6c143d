/** P-60: a key to read with, for a while. */
import { randomUUID } from "node:crypto";
import { newTenantKey, TENANT_KEY_SCOPES, tenantKeys } from "@kerbside/identity";
import { type AccessRequest, ProtocolError, tenantId } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { refuses } from "../../conformance/car-log.ts";
import { manualClock } from "../../support/runtime.ts";

const DEMO = tenantId("demo");
const clock = manualClock(1_000_000);
const id = randomUUID();
const { key, hash } = newTenantKey(DEMO, id);
const good: AccessRequest = {
  ...{ id, kind: "tenant-key", subject: "tenant", reason: "r", askedBy: "a", askedAtMs: 0 },
  ...{ lifeMs: 1000, state: { at: "approved", by: "b", untilMs: 1_001_000 }, secretHash: hash },
};
let record: AccessRequest | undefined = good;
const verify = tenantKeys(
  () => Promise.reject(new ProtocolError("unauthenticated", "no token")),
  async (tenant, of) => (tenant === DEMO && of === id ? record : undefined),
  clock,
);

test("P-60 it reads, and does nothing else", async () => {
  const caller = await verify(key);
  assert.equal([caller.tenant, caller.subject], [DEMO, `key:${id}`]);
  assert.equal([...caller.scopes], [...TENANT_KEY_SCOPES]);
  assert.ok([...caller.scopes].every((scope) => scope.endsWith(":read")));
});

test("P-60 it is over when its record is", async () => {
  const rows: readonly { why: string; change: Partial<AccessRequest> }[] = [
    { why: "revoked", change: { state: { at: "ended", by: "b" } } },
    { why: "not approved", change: { state: { at: "asked" } } },
    { why: "another kind", change: { kind: "support" } },
    { why: "another secret", change: { secretHash: newTenantKey(DEMO, id).hash } },
  ];
  for (const { why, change } of rows) {
    record = { ...good, ...change };
    await refuses("unauthenticated", verify(key), why);
  }
  record = { ...good };
  clock.setWall(1_000_999);
  await verify(key);
  clock.setWall(1_001_000);
  await refuses("unauthenticated", verify(key), "its time is over");
  clock.setWall(1_000_000);
});

test("P-60 what is not a key of a record is none", async () => {
  const other = newTenantKey(tenantId("rival"), id).key;
  for (const text of [other, `${key}x`, key.slice(0, -1), "kbk1.", "kbk1.demo.x.y", "token"])
    await refuses("unauthenticated", verify(text), text.slice(0, 20));
});

test.run();
