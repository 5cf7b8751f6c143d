/** The API's gate, what it refuses, what it shows, and how. */
import { randomUUID } from "node:crypto";
import { connect } from "node:tls";
import { BODY_BYTES_MAX } from "@kerbside/commands";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRig, type Reply, type Rig } from "./rig.ts";
import { ALL_SCOPES, issuer, type Minted } from "./tokens.ts";

const it = suite<{ rig: Rig; token: string }>("api");
const HOUR = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const key = (): Record<string, string> => ({ "idempotency-key": randomUUID() });
const aBooking = (more: object = {}): object => ({
  vehicle: "car-1",
  holder: "person-1",
  from: iso(Date.now() - 1000),
  to: iso(Date.now() + HOUR),
  ...more,
});

it.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint();
  await context.rig.car.announce();
});
it.after(({ rig }) => rig.close());

/** Every route there is, with a request that would do. */
const REQUESTS: readonly {
  readonly method: string;
  readonly path: string;
  readonly scope: string;
}[] = [
  { method: "GET", path: "/vehicles", scope: "vehicles:read" },
  { method: "GET", path: "/vehicles/car-1", scope: "vehicles:read" },
  { method: "GET", path: "/vehicles/car-1/latest", scope: "events:read" },
  { method: "GET", path: "/events", scope: "events:read" },
  { method: "POST", path: "/bookings", scope: "bookings:write" },
  { method: "GET", path: "/bookings", scope: "bookings:read" },
  { method: "GET", path: "/bookings/b-1", scope: "bookings:read" },
  { method: "PATCH", path: "/bookings/b-1", scope: "bookings:write" },
  { method: "POST", path: "/bookings/b-1/end", scope: "bookings:write" },
  { method: "POST", path: "/bookings/b-1/cancel", scope: "bookings:write" },
  { method: "POST", path: "/vehicles/car-1/commands", scope: "commands:write" },
  { method: "GET", path: "/vehicles/car-1/commands", scope: "commands:read" },
  { method: "GET", path: "/commands/00112233445566778899aabbccddeeff", scope: "commands:read" },
  { method: "GET", path: "/feed", scope: "feed:read" },
];

const BAD_TOKENS: readonly { readonly why: string; readonly claims: Minted }[] = [
  { why: "expired", claims: { lifeS: -1 } },
  { why: "for another audience", claims: { audience: "elsewhere" } },
  { why: "of another issuer", claims: { issuer: "https://other.test" } },
  { why: "of no tenant", claims: { tenant: "" } },
];
for (const { why, claims } of BAD_TOKENS) {
  it(`P-02 a token ${why} is refused on every route`, async ({ rig }) => {
    const token = await rig.issuer.mint(claims);
    for (const { method, path } of REQUESTS) {
      const reply = await rig.ask({ method, path: `/v1/tenants/demo${path}`, token });
      assert.is(reply.status, 401, `${method} ${path}`);
      assert.is(reply.body.code, "unauthenticated");
      assert.ok(String(reply.headers["www-authenticate"]).startsWith("Bearer"));
    }
  });
}

it("P-02 no token, an altered one, one of a foreign key, and one in the URL are refused", async ({
  rig,
  token,
}) => {
  const foreign = await (await issuer()).mint();
  const [head, claims, signature] = token.split(".");
  const altered = JSON.parse(Buffer.from(claims ?? "", "base64url").toString());
  altered.tenant = "other";
  const body = Buffer.from(JSON.stringify(altered)).toString("base64url");
  const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;
  const tokens = [undefined, foreign, `${head}.${body}.${signature}`, none, "x", `${token}x`];
  for (const bad of tokens) {
    const reply = await rig.ask({ path: "/v1/tenants/demo/vehicles", token: bad });
    assert.is(reply.status, 401, bad);
    assert.not.match(reply.text, token.slice(0, 20));
  }
  const inUrl = await rig.ask({ path: `/v1/tenants/demo/vehicles?access_token=${token}` });
  assert.is(inUrl.status, 401);
});

it("P-02 a foreign tenant's path answers as a path that does not exist, byte for byte", async ({
  rig,
}) => {
  const stranger = await rig.issuer.mint({ tenant: "other" });
  const nobody = await rig.issuer.mint({ tenant: "nobody" });
  const shape = ({ status, headers, text }: Reply): string => {
    const { date: _, ...rest } = headers;
    return JSON.stringify({ status, headers: rest, text });
  };
  const missing = shape(
    await rig.ask({ path: "/v1/tenants/other/no-such-thing", token: stranger }),
  );
  for (const { method, path } of REQUESTS) {
    for (const token of [stranger, nobody]) {
      const reply = await rig.ask({ method, path: `/v1/tenants/demo${path}`, token });
      assert.is(shape(reply), missing, `${method} ${path}`);
    }
  }
  for (const path of ["/v1", "/v1/", "/v1/tenants", "/v1/tenants/none/vehicles"]) {
    assert.is(shape(await rig.ask({ path, token: stranger })), missing, path);
  }
});

it("each route asks for its scope, and for no other", async ({ rig }) => {
  const others = (scope: string): string =>
    ALL_SCOPES.split(" ")
      .filter((s) => s !== scope)
      .join(" ");
  for (const { method, path, scope } of REQUESTS) {
    const without = await rig.issuer.mint({ scope: others(scope) });
    const refused = await rig.ask({ method, path: `/v1/tenants/demo${path}`, token: without });
    assert.is(refused.status, 403, `${method} ${path}`);
    const only = await rig.issuer.mint({ scope });
    const taken = await rig.ask({ method, path: `/v1/tenants/demo${path}`, token: only });
    assert.ok(![401, 403].includes(taken.status), `${method} ${path}: ${taken.text}`);
  }
});

const BAD_REQUESTS: readonly {
  readonly why: string;
  readonly path: string;
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly says: RegExp;
}[] = [
  {
    why: "an unknown field",
    path: "/vehicles/car-1/commands",
    body: { action: "lock", colour: "red" },
    status: 400,
    says: /additional/,
  },
  {
    why: "an unknown field of the query",
    path: "/vehicles?colour=red",
    status: 400,
    says: /additional/,
  },
  {
    why: "an unknown action",
    path: "/vehicles/car-1/commands",
    body: { action: "explode" },
    status: 400,
    says: /allowed/,
  },
  {
    why: "an action of the wrong type",
    path: "/vehicles/car-1/commands",
    body: { action: ["lock"] },
    status: 400,
    says: /string/,
  },
  {
    why: "no Idempotency-Key",
    path: "/vehicles/car-1/commands",
    body: { action: "lock" },
    headers: {},
    status: 400,
    says: /idempotency-key/,
  },
  {
    why: "an Idempotency-Key too long",
    path: "/bookings",
    body: aBooking(),
    headers: { "idempotency-key": "x".repeat(65) },
    status: 400,
    says: /idempotency-key/,
  },
  {
    why: "a time without an offset",
    path: "/bookings",
    body: aBooking({ from: "2026-11-21T08:00:00" }),
    status: 400,
    says: /from/,
  },
  ...["2026-02-30T08:00:00Z", "2026-13-01T08:00:00Z", "2026-11-21T24:00:00Z"].map((from) => ({
    why: `a time that no calendar has: ${from}`,
    path: "/bookings",
    body: aBooking({ from }),
    status: 400,
    says: /from/,
  })),
  {
    why: "an end before its begin",
    path: "/bookings",
    body: aBooking({ to: iso(Date.now() - HOUR) }),
    status: 400,
    says: /from before to/,
  },
  {
    why: "an address where an opaque id belongs",
    path: "/bookings",
    body: aBooking({ holder: "jane@example.org" }),
    status: 400,
    says: /holder/,
  },
  { why: "broken JSON", path: "/bookings", raw: "{", status: 400, says: /JSON/ },
  {
    why: "not JSON at all",
    path: "/bookings",
    raw: "a=b",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    says: /Unsupported/,
  },
  {
    why: "a body too large",
    path: "/bookings",
    body: aBooking({ holder: "x".repeat(BODY_BYTES_MAX) }),
    status: 413,
    says: /large/,
  },
  {
    why: "__proto__ in the body",
    path: "/bookings",
    raw: '{"__proto__":{"vehicle":"car-1"}}',
    status: 400,
    says: /JSON/,
  },
  { why: "a limit too large", path: "/events?limit=1001", status: 400, says: /1 to 1000/ },
  { why: "a limit that is no number", path: "/events?limit=1e3", status: 400, says: /limit/ },
  { why: "a wait too long", path: "/feed?wait=30001", status: 400, says: /30000/ },
  { why: "a URL too long", path: `/events?after=${"x".repeat(3000)}`, status: 414, says: /URL/ },
  { why: "a URL that cannot be read", path: "/vehicles/%zz", status: 400, says: /URL/ },
];
for (const { why, path, status, says, ...row } of BAD_REQUESTS) {
  it(`${why} is refused and named`, async ({ rig, token }) => {
    const headers = row.headers ?? key();
    const { body, raw } = row;
    const reply = await rig.ask({
      path: `/v1/tenants/demo${path}`,
      token,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(raw === undefined ? {} : { raw }),
    });
    assert.is(reply.status, status, reply.text);
    assert.match(String(reply.headers["content-type"]), "application/problem+json");
    assert.match(reply.body.detail, says);
    assert.is(reply.body.mayHaveSucceeded, false);
  });
}

it("not found: a car, a booking, a command that is none", async ({ rig, token }) => {
  for (const path of [
    "/vehicles/car-9",
    "/vehicles/NO%20ID",
    "/vehicles/car-9/latest",
    "/vehicles/car-9/commands",
    "/bookings/b-9",
    "/commands/xyz",
    "/commands/00112233445566778899aabbccddeeff",
  ]) {
    const reply = await rig.ask({ path: `/v1/tenants/demo${path}`, token });
    assert.is(reply.status, 404, path);
    assert.is(reply.body.code, "not_found");
  }
});

it("makes a booking once for a key, pages through bookings, cancels, and ends none twice", async ({
  rig,
  token,
}) => {
  const base = "/v1/tenants/demo/bookings";
  const asked = { path: base, token, body: aBooking(), headers: key() };
  const made = await rig.ask(asked);
  assert.is(made.status, 201, made.text);
  assert.is(made.headers["location"], `${base}/${made.body.booking}`);
  const again = await rig.ask(asked);
  assert.is(again.status, 200);
  assert.equal(again.body, made.body);
  const other = await rig.ask({ ...asked, body: aBooking({ holder: "person-2" }) });
  assert.is(other.status, 409, other.text);
  const second = await rig.ask({ ...asked, headers: key() });
  assert.is.not(second.body.booking, made.body.booking);
  const seen: string[] = [];
  for (let next: string | undefined = ""; next !== undefined; ) {
    const page: Reply = await rig.ask({
      path: `${base}?limit=1${next === "" ? "" : `&after=${next}`}`,
      token,
    });
    seen.push(...page.body.items.map((item: { booking: string }) => item.booking));
    next = page.body.next;
  }
  assert.is(new Set(seen).size, seen.length);
  assert.ok(seen.includes(made.body.booking) && seen.includes(second.body.booking));
  const post = (path: string): Promise<Reply> => rig.ask({ method: "POST", path, token });
  const cancelled = await post(`${base}/${made.body.booking}/cancel`);
  assert.is(cancelled.body.state, "cancelled");
  assert.equal((await post(`${base}/${made.body.booking}/cancel`)).body, cancelled.body);
  assert.is((await post(`${base}/${made.body.booking}/end`)).status, 409);
});

it("the same booking asked for five times at once is made once", async ({ rig, token }) => {
  const asked = { path: "/v1/tenants/demo/bookings", token, body: aBooking(), headers: key() };
  const replies = await Promise.all(Array.from({ length: 5 }, () => rig.ask(asked)));
  assert.is(new Set(replies.map((reply) => reply.body.booking)).size, 1);
  assert.equal(replies.map((reply) => reply.status).sort(), [200, 200, 200, 200, 201]);
});

it("two cancel and end at once: one of them holds", async ({ rig, token }) => {
  const base = "/v1/tenants/demo/bookings";
  const made = await rig.ask({ path: base, token, body: aBooking(), headers: key() });
  const paths = ["end", "cancel"].map((verb) => `${base}/${made.body.booking}/${verb}`);
  const replies = await Promise.all(paths.map((path) => rig.ask({ method: "POST", path, token })));
  assert.equal(replies.map((reply) => reply.status).sort(), [200, 409]);
});

it("P-01 speaks TLS 1.3 and nothing older", async ({ rig }) => {
  const error = await new Promise<Error | undefined>((done) => {
    const options = { ca: rig.ca, servername: "localhost", maxVersion: "TLSv1.2" } as const;
    const socket = connect({ host: "127.0.0.1", port: rig.port(), ...options }, () => {
      socket.destroy();
      done(undefined);
    });
    socket.once("error", done);
  });
  assert.ok(error, "TLS 1.2 was accepted");
});

it.run();
