/** Checks of trails in processes of their own: whose turn it is, and how much is said. */
import type { AuditCheck } from "@kerbside/commands";
import { ProtocolError, type TenantId, tenantId } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { auditChecks } from "../../cloud/audit-check.ts";
import { refuses } from "../conformance/car-log.ts";

const test = suite("checks of audit trails");
const SOUND: AuditCheck = { entries: 1, unanchored: 0, problems: [] };

function held() {
  const begun: TenantId[] = [];
  const ends = new Map<TenantId, (error?: Error) => void>();
  const checks = auditChecks("", new Uint8Array(), (tenant) => {
    begun.push(tenant);
    return new Promise((resolve, reject) =>
      ends.set(tenant, (error) => (error === undefined ? resolve(SOUND) : reject(error))),
    );
  });
  const end = async (name: string, error?: Error): Promise<void> => {
    ends.get(tenantId(name))?.(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, end, ask: (name: string) => checks(tenantId(name)) };
}

test("P-51 one tenant's check keeps no other from theirs: two at a time, the others in turn", async () => {
  const { begun, end, ask } = held();
  const [a, b, c, d] = [ask("a"), ask("b"), ask("c"), ask("d")];
  await refuses("limit_reached", ask("a"));
  await refuses("limit_reached", ask("c"));
  assert.equal(begun, ["a", "b"]);
  await end("b");
  assert.equal(await b, SOUND);
  assert.equal(begun, ["a", "b", "c"]);
  const failed = refuses("unavailable", a);
  await end("a", new ProtocolError("unavailable", "it did not end"));
  await failed;
  assert.equal(begun, ["a", "b", "c", "d"], "one that fails makes room too");
  const again = ask("a");
  for (const name of ["c", "d", "a"]) await end(name);
  assert.equal(await Promise.all([c, d, again]), [SOUND, SOUND, SOUND]);
});

test("no more wait than so many", async () => {
  const { end, ask, begun } = held();
  const asked = Array.from({ length: 34 }, (_, i) => ask(`t${i}`));
  await refuses("limit_reached", ask("late"));
  for (let i = 0; i < asked.length; i += 1) await end(`t${i}`);
  assert.is((await Promise.all(asked)).length, 34);
  assert.is(begun.length, 34);
});

test.run();
