/** What the API shows: events, the feed, metrics, and its own description. */
import { randomUUID } from "node:crypto";
import { request } from "node:https";
import { SCOPES } from "@kerbside/commands";
import {
  type CarEvent,
  encodeCbor,
  type OpenedSegment,
  randomBytes,
  sha256,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DEMO } from "./car.ts";
import { CAR, openRig, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; token: string }>("api answers");
const HOUR = 3_600_000;

let isLocked = false;
it.before(async (context) => {
  context.rig = await openRig(undefined, { isLocked: () => isLocked });
  context.token = await context.rig.issuer.mint();
  await context.rig.car.announce();
});
it.after(({ rig }) => rig.close());

function segment(number: number, firstSeq: number, events: readonly CarEvent[]): OpenedSegment {
  const header = {
    tenant: DEMO,
    vehicle: CAR,
    log: new Uint8Array(16).fill(3),
    lane: "track",
    number,
    firstSeq,
    count: events.length,
    ratchetIndex: number,
    codec: "rows",
    bodyHash: randomBytes(32),
    previousHash: new Uint8Array(32),
  } as const;
  return { header, headerHash: sha256(encodeCbor(number)), events } as unknown as OpenedSegment;
}

it("P-52 shows events and the latest state, and records who read them before it shows them", async ({
  rig,
  token,
}) => {
  const store = await rig.store();
  const time = { bootMs: 1000, wallOffsetMs: Date.now(), doubtMs: 5 };
  await store.commitSegments([
    segment(1, 1, [
      { ...time, kind: "position.sampled", data: { latitude: 48.137154, longitude: 11.575382 } },
      {
        ...time,
        bootMs: 2000,
        kind: "position.sampled",
        data: { latitude: 48.2, longitude: 11.6 },
      },
    ]),
  ]);
  const events = await rig.ask({ path: "/v1/tenants/demo/events?vehicle=car-1&limit=1", token });
  assert.is(events.body.items.length, 1, events.text);
  assert.is(events.body.items[0].data.latitude, 48.137154);
  assert.is(events.body.items[0].kind, "position.sampled");
  const rest = await rig.ask({
    path: `/v1/tenants/demo/events?vehicle=car-1&after=${encodeURIComponent(events.body.next)}`,
    token,
  });
  assert.is(rest.body.items[0].seq, 2, rest.text);
  const latest = await rig.ask({ path: "/v1/tenants/demo/vehicles/car-1/latest", token });
  assert.is(latest.body.items[0].data.latitude, 48.2);
  assert.is(latest.headers["cache-control"], "no-store");
  const trail = await store.auditTrail(0, 1000);
  const reads = trail.filter((entry) => entry.action.startsWith("read.list"));
  assert.ok(reads.some((entry) => entry.subject === "vehicle:car-1" && entry.actor === "backend"));
});

it("P-52 tells trips by their ends and beginnings, page by page, and records who read them", async ({
  rig,
  token,
}) => {
  const store = await rig.store();
  const time = { wallOffsetMs: Date.UTC(2026, 9, 1), doubtMs: 5 };
  const events: readonly CarEvent[] = [1, 2].flatMap((n): readonly CarEvent[] => [
    {
      ...{ ...time, bootMs: n * HOUR, kind: "trip.started" },
      data: { odometerM: n * 1000, fuelPercent: 80, booking: "b-1" },
    },
    {
      ...{ ...time, bootMs: n * HOUR + 60_000, kind: "trip.ended" },
      data: { distanceM: 700, durationS: 60, odometerM: n * 1000 + 700, fuelPercent: 79 },
    },
  ]);
  const made = segment(1, 1, events);
  const log = new Uint8Array(16).fill(4);
  await store.commitSegments([{ ...made, header: { ...made.header, lane: "state", log } }]);
  const path = "/v1/tenants/demo/vehicles/car-1/trips";
  const first = await rig.ask({ path: `${path}?limit=1`, token });
  assert.equal(first.body.items, [
    {
      ...{ vehicle: "car-1", log: "04".repeat(16), seq: 2, booking: "b-1" },
      ...{ startedAt: "2026-10-01T01:00:00.000Z", endedAt: "2026-10-01T01:01:00.000Z" },
      ...{ distanceM: 700, durationS: 60, odometerStartM: 1000, odometerEndM: 1700 },
      ...{ fuelStartPercent: 80, fuelEndPercent: 79 },
    },
  ]);
  const after = encodeURIComponent(first.body.next);
  const second = await rig.ask({ path: `/v1/tenants/demo/trips?limit=1&after=${after}`, token });
  assert.equal(
    second.body.items.map((trip: { seq: number }) => trip.seq),
    [4],
    second.text,
  );
  assert.is(second.body.next, undefined);
  const late = await rig.ask({ path: `${path}?from=2026-10-01T02:00:00Z`, token });
  assert.is(late.body.items.length, 1);
  const bad = await rig.ask({ path: `${path}?after=nonsense`, token });
  assert.is(bad.status, 400);
  const trail = await store.auditTrail(0, 1000);
  assert.ok(trail.some(({ action }) => action === "read.listVehicleTrips"));
});

type Stream = {
  readonly text: () => string;
  readonly ended: Promise<void>;
  readonly end: () => void;
};
function follow(rig: Rig, token: string, headers: Record<string, string> = {}): Promise<Stream> {
  return new Promise((done, fail) => {
    const outgoing = request(
      {
        host: "127.0.0.1",
        port: rig.port(),
        servername: "localhost",
        ca: rig.ca,
        agent: false,
        path: "/v1/tenants/demo/feed",
        headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...headers },
      },
      (incoming) => {
        let text = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (chunk: string) => {
          text += chunk;
        });
        const ended = new Promise<void>((over) => incoming.once("close", () => over()));
        done({ text: () => text, ended, end: () => outgoing.destroy() });
      },
    );
    outgoing.once("error", fail);
    outgoing.end();
  });
}
async function until(holds: () => boolean, what: string): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`not in time: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; ) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("not in time");
}

it("P-33 the feed announces ids only, as a page and as a stream that goes on where it ended", async ({
  rig,
  token,
}) => {
  const holder = "person-of-the-feed";
  const stream = await follow(rig, token);
  const made = await rig.ask({
    path: "/v1/tenants/demo/bookings",
    token,
    body: {
      vehicle: "car-1",
      holder,
      from: new Date().toISOString(),
      to: new Date(Date.now() + HOUR).toISOString(),
    },
    headers: { "idempotency-key": randomUUID() },
  });
  await until(() => stream.text().includes(made.body.booking), "the booking's announcement");
  stream.end();
  const blocks = stream
    .text()
    .split("\n\n")
    .filter((block) => block.startsWith("id: "));
  for (const block of blocks) {
    const data = JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? "");
    assert.equal(Object.keys(data).sort(), ["at", "cursor", "id", "topic"]);
  }
  assert.not.match(stream.text(), holder);
  assert.not.match(stream.text(), "48.1");
  const lastId = /^id: (\d+)$/m.exec(blocks.at(-1) ?? "")?.[1] ?? "";
  const resumed = await follow(rig, token, { "last-event-id": String(Number(lastId) - 1) });
  await until(() => resumed.text().includes("id: "), "the last entry again");
  assert.match(resumed.text(), `id: ${lastId}\n`);
  assert.not.match(resumed.text(), `id: ${Number(lastId) - 1}\n`);
  resumed.end();
  const page = await rig.ask({ path: "/v1/tenants/demo/feed?limit=2", token });
  assert.is(page.body.items.length, 2, page.text);
  const next = await rig.ask({ path: `/v1/tenants/demo/feed?after=${page.body.next}`, token });
  assert.ok(next.body.items[0].cursor > page.body.items[1].cursor);
});

it("a tenant has 64 streams at most, and the place of one that ends is free again", async ({
  rig,
  token,
}) => {
  const streams = await Promise.all(Array.from({ length: 64 }, () => follow(rig, token)));
  const headers = { accept: "text/event-stream" };
  const path = "/v1/tenants/demo/feed";
  const refused = await rig.ask({ path, token, headers });
  assert.is(refused.status, 429, refused.text);
  assert.is(refused.body.code, "limit_reached");
  for (const stream of streams) stream.end();
  const again = await eventually(async () => {
    const stream = await follow(rig, token);
    await until(() => stream.text() !== "", "its first bytes");
    return stream.text().startsWith("retry:") ? stream : undefined;
  });
  again.end();
});

it("the feed can be followed from its end", async ({ rig, token }) => {
  const path = "/v1/tenants/demo/feed";
  const end = (await rig.ask({ path: `${path}?after=end`, token })).body;
  assert.equal(end.items, []);
  let last = "0";
  for (;;) {
    const { body } = await rig.ask({ path: `${path}?after=${last}&limit=7`, token });
    if (body.items.length === 0) break;
    last = body.next;
  }
  assert.is(end.next, last);
});

it("a stream ends with its token", async ({ rig }) => {
  const stream = await follow(rig, await rig.issuer.mint({ lifeS: 2 }));
  await stream.ended;
});

it("P-71 a stream ends within 2 s of the lock of its account", async ({ rig, token }) => {
  const stream = await follow(rig, token);
  await until(() => stream.text() !== "", "its first bytes");
  const lockedMs = performance.now();
  isLocked = true;
  await stream.ended;
  isLocked = false;
  assert.ok(performance.now() - lockedMs < 2000);
});

it("P-42 metrics hold route templates, methods and statuses, and nothing of what was asked", async ({
  rig,
  token,
}) => {
  await rig.ask({ path: "/v1/tenants/demo/vehicles/car-1?x=secret", token });
  await rig.ask({ path: "/v1/tenants/demo/no-such-path-48.137", token });
  await rig.ask({ method: "PROPFIND", path: "/v1/tenants/demo/vehicles", token });
  assert.is((await rig.ask({ path: "/metrics" })).status, 401);
  assert.is((await rig.ask({ path: "/metrics", token })).status, 403);
  const admin = await rig.issuer.mint({ scope: "platform:admin" });
  assert.is((await rig.ask({ path: "/metrics", token: admin })).status, 403);
  const collector = await rig.issuer.mint({ scope: "platform:metrics" });
  const { text } = await rig.ask({ path: "/metrics", token: collector });
  for (const word of ["car-1", "demo", "secret", "48.137", "person", "127.0.0.1", "PROPFIND"]) {
    assert.not.match(text, word);
  }
  const routes = new Set([...text.matchAll(/route="([^"]*)"/g)].map(([, route]) => route));
  for (const route of routes) assert.match(route ?? "", /^(\/v1\/tenants\/:tenant[a-z/:]*|other)$/);
  assert.match(text, 'method="GET",route="/v1/tenants/:tenant/vehicles/:vehicle",status="400"');
  assert.is((await rig.ask({ path: "/v1/platform/tenants", token: collector })).status, 403);
});

it("describes itself in OpenAPI 3.1, each route with its scopes, and has a page to try it", async ({
  rig,
}) => {
  const { body } = await rig.ask({ path: "/openapi.json" });
  assert.match(body.openapi, /^3\.1/);
  const described = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods as object).map(([method, row]) => ({ path, method, row })),
  );
  assert.ok(described.length >= 19, `${described.length} routes`);
  for (const { path, row } of described) {
    for (const scope of row.security[0].oauth2) assert.ok(Object.hasOwn(SCOPES, scope), path);
  }
  const page = await rig.ask({ path: "/docs" });
  assert.is(page.status, 200);
  assert.match(String(page.headers["content-security-policy"]), "default-src 'none'");
  assert.not.match(page.text, /https?:\/\/(?!127|localhost)/);
});

it.run();
