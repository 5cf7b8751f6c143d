/** P-63: how many calls an account and a tenant may make, over the running API. */

import { quotasOf } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRig, type Rig } from "./rig.ts";

const test = suite<{ rig: Rig }>("calls of a tenant");
const PATH = "/v1/tenants/demo/vehicles";

test.before(async (context) => {
  context.rig = await openRig(undefined, { quotas: () => quotasOf({ requestsPerMin: 20 }) });
});
test.after(({ rig }) => rig.close());

test("P-63 one account gets half of what its tenant has, and the others what is left", async ({
  rig,
}) => {
  const calls = async (subject: string, count: number): Promise<readonly number[]> => {
    const token = await rig.issuer.mint({ subject });
    const found: number[] = [];
    for (let i = 0; i < count; i += 1) found.push((await rig.ask({ path: PATH, token })).status);
    return found;
  };
  const greedy = await calls("greedy", 14);
  assert.is(greedy.filter((status) => status === 200).length, 10);
  assert.ok(greedy.slice(11).includes(429));
  const second = await calls("second", 12);
  assert.ok(second.filter((status) => status === 200).length >= 9);
  const third = await rig.ask({ path: PATH, token: await rig.issuer.mint({ subject: "third" }) });
  assert.is(third.status, 429);
  assert.equal(
    [third.body.code, third.body.temporary, third.headers["retry-after"]],
    ["limit_reached", true, "1"],
  );
  assert.match(third.body.detail, /of this tenant/);
  const other = await rig.issuer.mint({ tenant: "other" });
  const theirs = await rig.ask({ path: "/v1/tenants/other/vehicles", token: other });
  assert.is(theirs.status, 200, "another tenant has its own");
});

test.run();
