/** Tokens: given to whom they belong, and believed only as they were made. */
import { createServer, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Issuer, openIssuer, tokenVerifier } from "@kerbside/identity";
import { ProtocolError, type TokenVerifier, tenantId, type Vault } from "@kerbside/protocol";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";
import { makePki, memoryVault } from "./pki.ts";

const ISSUER = "https://localhost:8443";
const AUDIENCE = "kerbside";
const SCOPES = ["vehicles:read", "commands:write", "platform:admin"];
const CLIENT = {
  client: "backend",
  tenant: tenantId("demo"),
  scopes: ["vehicles:read", "commands:write"],
};
const SECRET = "a secret: &+% =";

let vault: Vault;
let clock: ManualClock;
let issuer: Issuer;
let server: Server;
let verify: TokenVerifier;
let revoked: boolean;
const told: (readonly [event: string, client: unknown])[] = [];

async function open(more: { readonly proxied?: boolean } = {}): Promise<Issuer> {
  return openIssuer({
    ...more,
    issuer: ISSUER,
    audience: AUDIENCE,
    scopes: SCOPES,
    vault,
    clients: {
      client: async (id) => (id === CLIENT.client && !revoked ? CLIENT : undefined),
      verifyClient: async (id, secret) => {
        // A real check takes its time, in which others come in.
        await delay(5);
        return id === CLIENT.client && secret === SECRET && !revoked ? CLIENT : undefined;
      },
    },
    clock,
    log: {
      ...silentLog,
      info: (event, fields) => told.push([event, fields?.["client"]]),
      warn: (event, fields) => told.push([event, fields?.["client"]]),
    },
    limits: { byClient: { failuresMax: 3, windowMs: 300_000, keysMax: 100 } },
  });
}

test.before.each(async () => {
  vault = memoryVault();
  revoked = false;
  told.length = 0;
  clock = manualClock(Date.now());
  issuer = await open();
  server = createServer(issuer.handler).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  verify = tokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: issuer.jwks, clock });
});
test.after.each(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

type Answer = {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfter?: string | null;
};

async function ask(
  form: Readonly<Record<string, string>>,
  {
    client = CLIENT.client,
    secret = SECRET,
    path = "/oauth/token",
    spelt = encodeURIComponent(client),
    from = "192.0.2.7",
    at = server,
  } = {},
): Promise<Answer> {
  const { port } = at.address() as AddressInfo;
  const basic = `${spelt}:${encodeURIComponent(secret)}`;
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    body: new URLSearchParams(form),
    headers: {
      authorization: `Basic ${Buffer.from(basic).toString("base64")}`,
      "x-forwarded-for": from,
    },
  });
  const text = await answer.text();
  const body: unknown = text.startsWith("{") ? JSON.parse(text) : {};
  const retryAfter = answer.headers.get("retry-after");
  return { status: answer.status, body: body as Answer["body"], retryAfter };
}

const GRANT = { grant_type: "client_credentials", scope: "vehicles:read" };

test("P-02 a backend gets a token of ten minutes, of its tenant, with the scopes it asked for", async () => {
  const { status, body } = await ask(GRANT);
  assert.is(status, 200);
  assert.is(body["expires_in"], 600);
  const caller = await verify(String(body["access_token"]));
  assert.is(caller.tenant, "demo");
  assert.is(caller.subject, "backend");
  assert.equal([...caller.scopes], ["vehicles:read"]);
  const leftMs = caller.expiresAtMs - Date.now();
  assert.ok(leftMs > 590_000 && leftMs <= 600_000);
});

test("P-02 a token is over when its time is, but for five seconds of doubt", async () => {
  const token = String((await ask(GRANT)).body["access_token"]);
  const { expiresAtMs } = await verify(token);
  clock.setWall(expiresAtMs + 4_000);
  await verify(token);
  clock.setWall(expiresAtMs + 6_000);
  assert.is(await refusal(verify(token)), "unauthenticated");
});

type Refused = {
  readonly why: string;
  readonly form: Record<string, string>;
  readonly error: string;
};
const REFUSED: readonly Refused[] = [
  {
    why: "a scope that is not the client's",
    form: { ...GRANT, scope: "platform:admin" },
    error: "invalid_scope",
  },
  {
    why: "P-70 the password grant",
    form: { grant_type: "password", username: "a", password: "b" },
    error: "unsupported_grant_type",
  },
  {
    why: "another resource",
    form: { ...GRANT, resource: "https://elsewhere.example" },
    error: "invalid_target",
  },
  { why: "no grant", form: {}, error: "invalid_request" },
];
for (const { why, form, error } of REFUSED) {
  test(`refused: ${why}`, async () => {
    const { status, body } = await ask(form);
    assert.is(status, 400);
    assert.is(body["error"], error);
  });
}

test("a scope that there is not is left out of the token (RFC 6749 § 3.3)", async () => {
  const { body } = await ask({ ...GRANT, scope: "everything vehicles:read" });
  assert.is(body["scope"], "vehicles:read");
  assert.equal([...(await verify(String(body["access_token"]))).scopes], ["vehicles:read"]);
});

test("P-63 wrong secrets are refused, and after a few even the right one waits", async () => {
  for (let i = 0; i < 3; i += 1) assert.is((await ask(GRANT, { secret: `no ${i}` })).status, 401);
  const slowed = await ask(GRANT);
  assert.is(slowed.status, 429);
  assert.is(slowed.retryAfter, "300");
  clock.pass(300_000);
  assert.is((await ask(GRANT)).status, 200);
});

test("P-63 guesses that are sent all at once are no more tried than guesses in a row", async () => {
  const guesses = Array.from({ length: 20 }, (_, i) => ask(GRANT, { secret: `no ${i}` }));
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  assert.is(statuses.filter((status) => status === 401).length, 3);
  assert.is(statuses.filter((status) => status === 429).length, 17);
});

test("P-63 a client is one client, however its name is spelt", async () => {
  // One more letter as its number each time.
  const spellings = Array.from({ length: CLIENT.client.length + 1 }, (_, n) =>
    [...CLIENT.client]
      .map((letter, i) => (i < n ? `%${letter.charCodeAt(0).toString(16)}` : letter))
      .join(""),
  );
  const guesses = spellings.map((spelt) => ask(GRANT, { spelt, secret: "no" }));
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  assert.equal(statuses.toSorted(), [401, 401, 401, 429, 429, 429, 429, 429]);
});

test("P-63 of IPv6 a network is counted, not each of the addresses that it has without number", async () => {
  const proxied = createServer((await open({ proxied: true })).handler).listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => proxied.once("listening", resolve));
    const from = (n: number): string => `2001:db8:0:1::${n}`;
    const statuses: number[] = [];
    for (let n = 1; n <= 4; n += 1)
      statuses.push((await ask(GRANT, { secret: "no", from: from(n), at: proxied })).status);
    assert.equal(statuses, [401, 401, 401, 429]);
    assert.is((await ask(GRANT, { from: "2001:db8:0:2::1", at: proxied })).status, 200);
  } finally {
    proxied.closeAllConnections();
    proxied.close();
  }
});

test("P-63 sign-ins that come together wait for each other, up to a bound", async () => {
  const many = await Promise.all(Array.from({ length: 40 }, () => ask(GRANT)));
  assert.ok(many.every(({ status }) => status === 200));
  const tooMany = await Promise.all(Array.from({ length: 200 }, () => ask(GRANT)));
  assert.ok(tooMany.some(({ status, retryAfter }) => status === 429 && retryAfter === "1"));
  assert.is((await ask(GRANT)).status, 200);
});

test("P-63 a name that does not exist is answered like a wrong secret", async () => {
  const wrong = await ask(GRANT, { secret: "no" });
  const nobody = await ask(GRANT, { client: "nobody" });
  assert.is(nobody.status, wrong.status);
  assert.equal(nobody.body, wrong.body);
});

test("each token that a client gets is logged by its name, a refusal without what it claims to be", async () => {
  await ask(GRANT);
  await ask(GRANT, { secret: "wrong" });
  await ask(GRANT, { client: "ann@operator.example" });
  assert.equal(told, [
    ["issuer.issued", "backend"],
    ["issuer.refused", undefined],
    ["issuer.refused", undefined],
  ]);
});

test("a client that was revoked gets no more", async () => {
  assert.is((await ask(GRANT)).status, 200);
  revoked = true;
  assert.is((await ask(GRANT)).status, 401);
});

test("the library's other pages are not there", async () => {
  for (const path of ["/auth", "/session/end", "/request", "/me", "/token", "/reg"]) {
    assert.is((await ask(GRANT, { path })).status, 404, path);
  }
});

test("the signing key outlives the process, and its private half is not among the public keys", async () => {
  const token = String((await ask(GRANT)).body["access_token"]);
  const again = await open();
  assert.equal(again.jwks, issuer.jwks);
  await tokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: again.jwks, clock })(token);
  assert.not.match(JSON.stringify(issuer.jwks), '"d"');
});

async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  return error instanceof ProtocolError ? error.code : undefined;
}

const NOW_S = Math.floor(Date.now() / 1000);
const CLAIMS: JWTPayload = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "backend",
  tenant: "demo",
  scope: "vehicles:read",
  iat: NOW_S,
  exp: NOW_S + 600,
};
const without = (claim: string): JWTPayload =>
  Object.fromEntries(Object.entries(CLAIMS).filter(([name]) => name !== claim));
type Forged = { readonly why: string; readonly claims?: JWTPayload; readonly typ?: string };
const FORGED: readonly Forged[] = [
  { why: "another issuer", claims: { ...CLAIMS, iss: "https://evil.example" } },
  { why: "another audience", claims: { ...CLAIMS, aud: "elsewhere" } },
  { why: "no tenant", claims: without("tenant") },
  { why: "a tenant that is no id", claims: { ...CLAIMS, tenant: "../demo" } },
  { why: "no expiry", claims: without("exp") },
  { why: "no subject", claims: without("sub") },
  { why: "not valid yet", claims: { ...CLAIMS, nbf: NOW_S + 60 } },
  { why: "scopes that are no text", claims: { ...CLAIMS, scope: ["vehicles:read"] } },
  { why: "an identity token in place of an access token", typ: "JWT" },
];

/** An issuer of somebody else, whose keys are known. */
async function foreign(): Promise<{
  sign: (claims: JWTPayload, typ?: string) => Promise<string>;
  keys: Parameters<typeof tokenVerifier>[0]["keys"];
}> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" };
  const sign = (claims: JWTPayload, typ = "at+jwt"): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "1", typ }).sign(privateKey);
  return { sign, keys: { keys: [jwk] } };
}

test("P-02 tokens that are signed well and say the wrong thing are refused", async () => {
  const { sign, keys } = await foreign();
  const check = tokenVerifier({ issuer: ISSUER, audience: AUDIENCE, keys, clock });
  assert.is((await check(await sign(CLAIMS))).tenant, "demo");
  for (const { why, claims = CLAIMS, typ } of FORGED) {
    assert.is(await refusal(check(await sign(claims, typ))), "unauthenticated", why);
  }
});

test("P-02 tokens that are not signed by the issuer are refused", async () => {
  const { sign } = await foreign();
  const token = String((await ask(GRANT)).body["access_token"]);
  const [head = "", body = "", signature = ""] = token.split(".");
  const changed = Buffer.from(body, "base64url").toString().replace("demo", "evil");
  // The public key as an HMAC secret: the classic confusion of algorithms.
  const hmacHead = Buffer.from(JSON.stringify({ alg: "HS256", typ: "at+jwt" })).toString(
    "base64url",
  );
  const tokens = {
    "another key": await sign(CLAIMS),
    unsecured: new UnsecuredJWT(CLAIMS).encode(),
    "a changed payload": `${head}.${Buffer.from(changed).toString("base64url")}.${signature}`,
    "no signature": `${head}.${body}.`,
    "another algorithm": `${hmacHead}.${body}.${signature}`,
    "nothing at all": "",
    "a megabyte": "a".repeat(1e6),
  };
  for (const [why, forged] of Object.entries(tokens)) {
    assert.is(await refusal(verify(forged)), "unauthenticated", why);
  }
});

test("works with any issuer whose keys are read over HTTPS, under the authority it is told to trust", async () => {
  const pki = await makePki();
  const { sign, keys } = await foreign();
  const https = createHttps({ ...pki.server, minVersion: "TLSv1.3" }, (_request, response) => {
    response.setHeader("content-type", "application/json").end(JSON.stringify(keys));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => https.once("listening", resolve));
  const { port } = https.address() as AddressInfo;
  const url = new URL(`https://localhost:${port}/jwks`);
  const options = { issuer: ISSUER, audience: AUDIENCE, clock };
  const token = await sign(CLAIMS);
  const ca = pki.platform.rootCertificate;
  assert.is((await tokenVerifier({ ...options, keys: { url, ca } })(token)).tenant, "demo");
  assert.is(await refusal(tokenVerifier({ ...options, keys: { url } })(token)), "unauthenticated");
  https.closeAllConnections();
  await new Promise((resolve) => https.close(resolve));
  assert.throws(() => tokenVerifier({ ...options, keys: { url: new URL("http://localhost/") } }));
});

test.run();
