/** P-91: the state of each part, its history, and what people subscribe to. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerStatus, type Status, watchStatus } from "@kerbside/cloud";
import { randomBytes } from "@kerbside/protocol";
import { openRegistry, type Registry } from "@kerbside/tenants";
import Fastify from "fastify";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT } from "../conformance/car-log.ts";
import { manualClock, silentLog } from "../support/runtime.ts";

const DAY = 86_400_000;
/** Ten minutes before midnight. */
const START = Date.parse("2026-11-21T23:50:00Z");

type Context = {
  dir: string;
  registry: Registry;
  at: { ms: number };
  up: Record<string, boolean>;
  status: Status;
};
const test = suite<Context>("status");
test.before.each(async (context) => {
  context.dir = mkdtempSync(join(tmpdir(), "kerbside-status-"));
  context.at = { ms: START };
  const { at, dir } = context;
  const nowMs = (): number => at.ms;
  context.registry = await openRegistry({ dir, masterKey: randomBytes(32), create: true, nowMs });
  const up = { broker: true, signer: true };
  context.up = up;
  context.status = await watchStatus({
    ...{ platform: context.registry.platform, clock: manualClock(), log: silentLog },
    probes: {
      broker: async () => up.broker,
      signer: async () => {
        if (!up.signer) throw new Error("no answer");
        return true;
      },
    },
  });
});
test.after.each(async ({ dir, registry, status }) => {
  await status.close();
  await registry.close();
  rmSync(dir, { recursive: true });
});

async function pass({ at, status }: Context, ms: number): Promise<void> {
  at.ms += ms;
  await status.look();
}
const part = ({ status }: Context, name: string) =>
  status.view().parts.find((each) => each.part === name);

test("P-91 time is counted by what was seen, day by day, cut at midnight", async (context) => {
  for (let i = 0; i < 20; i += 1) await pass(context, 60_000);
  assert.equal(part(context, "broker")?.days, [
    { day: "2026-11-21", upMs: 600_000, downMs: 0 },
    { day: "2026-11-22", upMs: 600_000, downMs: 0 },
  ]);
  assert.is(part(context, "broker")?.share, 1);
});

test("P-91 a part that goes and comes is told with its times, and only that part", async (context) => {
  await pass(context, 60_000);
  context.up["signer"] = false;
  await pass(context, 60_000);
  assert.is(part(context, "signer")?.up, false);
  context.up["signer"] = true;
  await pass(context, 60_000);
  const { changes } = context.status.view();
  assert.equal(
    changes.filter(({ part: of }) => of === "signer").map(({ atMs, up }) => [atMs - START, up]),
    [
      [180_000, true],
      [120_000, false],
      [0, true],
    ],
  );
  const [day] = part(context, "signer")?.days ?? [];
  assert.equal([day?.upMs, day?.downMs], [120_000, 60_000]);
  assert.is(part(context, "broker")?.share, 1);
});

test("P-91 time in which nobody looked counts as away", async (context) => {
  await pass(context, 60_000);
  await pass(context, 2 * DAY);
  const days = part(context, "broker")?.days ?? [];
  assert.is(
    days.reduce((all, { upMs }) => all + upMs, 0),
    60_000,
  );
  assert.is(
    days.reduce((all, { downMs }) => all + downMs, 0),
    2 * DAY,
  );
  await pass(context, -3 * DAY);
  assert.is(part(context, "broker")?.up, true, "a clock that is set back stops nothing");
});

test("P-91 page, data and feed show parts and incidents, escaped, to anybody, and no breach", async (context) => {
  const { incidents } = context.registry.platform;
  const { id } = incidents.open("incident", "Unlocks <b>slow</b>", AUDIT);
  incidents.update(id, "identified", "a disk & its queue", AUDIT);
  incidents.open("breach", "somebody's secret", AUDIT);
  const app = Fastify();
  registerStatus(app, context.status);
  const get = async (url: string) => {
    const headers = { host: "status.example" };
    const { statusCode, body, headers: of } = await app.inject({ url, headers });
    assert.is(statusCode, 200, url);
    assert.not.match(body, /secret/);
    return { body, type: String(of["content-type"]), csp: String(of["content-security-policy"]) };
  };
  const page = await get("/status");
  assert.match(page.body, "Unlocks &lt;b&gt;slow&lt;/b&gt;");
  assert.match(page.body, "All parts are up");
  assert.match(page.csp, "default-src 'none'");
  const json = JSON.parse((await get("/status.json")).body);
  assert.equal(
    json.parts.map((each: { part: string }) => each.part),
    ["broker", "signer"],
  );
  const feed = await get("/status.atom");
  assert.match(feed.type, "application/atom+xml");
  const entries = feed.body.match(/<entry>/g) ?? [];
  assert.is(entries.length, 4, "two parts that came, and two updates");
  incidents.open("incident", "Another", AUDIT);
  assert.not.match(
    (await get("/status")).body,
    "Another",
    "who asks again at once costs no reading",
  );
  assert.match(feed.body, "a disk &amp; its queue");
  assert.match(feed.body, "<id>https://status.example/status</id>");
  context.up["broker"] = false;
  await pass(context, 60_000);
  assert.match((await get("/status")).body, "Away: broker");
  await app.close();
});

test.run();
