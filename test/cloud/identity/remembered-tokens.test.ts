/** P-02: a token that verified a moment ago is not verified anew, and is good not a moment longer for it. */
import { rememberTokens } from "@kerbside/identity";
import { type Caller, ProtocolError, tenantId } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refuses } from "../../conformance/car-log.ts";
import { manualClock } from "../../support/runtime.ts";

const START_MS = 1_000_000;
const LIFE_MS = 600_000;
type Fixture = {
  clock: ReturnType<typeof manualClock>;
  verified: string[];
  verify: (token: string) => Promise<Caller>;
};
const it = suite<Fixture>("remembered tokens");

it.before.each((f) => {
  f.clock = manualClock(START_MS);
  f.verified = [];
  const verify = async (token: string): Promise<Caller> => {
    f.verified.push(token);
    const isGood = token.startsWith("good") && f.clock.wallMs() < START_MS + LIFE_MS;
    if (!isGood) throw new ProtocolError("unauthenticated", "token: does not verify");
    const expiresAtMs = START_MS + (token === "good, soon over" ? 1000 : LIFE_MS);
    return { subject: "me", tenant: tenantId("demo"), scopes: new Set(), token, expiresAtMs };
  };
  f.verify = rememberTokens(verify, f.clock);
});

it("P-02 the same bytes are verified once, and answered alike", async ({ verify, verified }) => {
  const first = await verify("good");
  assert.equal(await verify("good"), first);
  await verify("good, another");
  assert.equal(verified, ["good", "good, another"]);
});

it("P-02 what does not verify is not remembered", async ({ verify, verified }) => {
  await refuses("unauthenticated", verify("bad"), "first");
  await refuses("unauthenticated", verify("bad"), "again");
  assert.is(verified.length, 2);
});

it("P-02 it is verified anew when", async ({ clock, verify, verified }) => {
  const rows = [
    { why: "its life is over", token: "good, soon over", atMs: START_MS + 1000 },
    { why: "its issuer may have taken the key back", token: "good", atMs: START_MS + 30_000 },
    { why: "the clock was set back", token: "good", atMs: START_MS - 1 },
  ];
  for (const { why, token, atMs } of rows) {
    clock.setWall(START_MS);
    await verify(token);
    verified.length = 0;
    clock.setWall(atMs - Math.sign(atMs - START_MS));
    if (atMs > START_MS) await verify(token);
    assert.equal(verified, [], `${why}: not before`);
    clock.setWall(atMs);
    await verify(token);
    assert.equal(verified, [token], why);
  }
});

it("P-02 more tokens than are remembered are still verified", async ({ verify, verified }) => {
  for (let i = 0; i <= 10_000; i += 1) await verify(`good ${i}`);
  await verify("good 10000");
  assert.is(verified.length, 10_001);
  await verify("good 0");
  assert.is(verified.length, 10_002, "the one that came first was forgotten");
});

it.run();
