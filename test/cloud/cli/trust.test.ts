/** Tokens of an operator platform's own issuer beside the embedded one: believed for what they prove, and no more. */
import { createServer } from "node:https";
import { serviceVerifier, TOKEN_AUDIENCE, trustedIssuer } from "@kerbside/cloud";
import { systemClock } from "@kerbside/protocol";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeCertificate } from "../../sim/rig.ts";

const OWN = "https://localhost:8443";
const THEIRS = "https://login.example";
const clock = systemClock(() => performance.now());

type Keys = {
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];
  readonly jwk: JWK;
};

async function keys(kid: string): Promise<Keys> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256" } };
}

function token(
  signer: Keys,
  issuer: string,
  claims: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT({ tenant: "demo", scope: "vehicles:read", ...claims })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: signer.jwk.kid ?? "" })
    .setIssuer(issuer)
    .setAudience(TOKEN_AUDIENCE)
    .setSubject("somebody")
    .setIssuedAt()
    .setExpirationTime("5m")
    .sign(signer.privateKey);
}

test("P-02 a token is believed by the keys of the issuer it names, and of no other", async () => {
  const own = await keys("own");
  const theirs = await keys("theirs");
  const { certificate: cert, key } = await makeCertificate();
  const server = createServer({ cert, key }, (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [theirs.jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  // Whatever fails, the server must not keep the process.
  server.unref();
  const trusted = { issuer: THEIRS, jwks: new URL(`https://localhost:${port}/jwks`), ca: cert };
  let isThere = true;
  const verify = serviceVerifier({ issuer: OWN, keys: { keys: [own.jwk] } }, trusted, clock, {
    account: async () => undefined,
    hasClient: (id, client) => isThere && id === "demo" && client === "somebody",
  });
  assert.is((await verify(await token(own, OWN))).tenant, "demo");
  const caller = await verify(await token(theirs, THEIRS));
  assert.is(caller.subject, "somebody");
  assert.ok(caller.scopes.has("vehicles:read"));

  const refused: readonly (readonly [why: string, token: string])[] = [
    ["the embedded issuer's name under their key", await token(theirs, OWN)],
    ["their name under the embedded issuer's key", await token(own, THEIRS)],
    ["an issuer that nobody configured", await token(theirs, "https://elsewhere.example")],
    ["no tenant in it", await token(theirs, THEIRS, { tenant: undefined })],
    ["no token at all", "x.y.z"],
  ];
  for (const [why, one] of refused) {
    const outcome = await verify(one).then(
      () => "believed",
      (error: { code?: string }) => error.code,
    );
    assert.is(outcome, "unauthenticated", why);
  }
  isThere = false;
  const ended = await verify(await token(own, OWN)).then(() => "believed", String);
  assert.match(ended, /the client was revoked/);
  assert.is((await verify(await token(theirs, THEIRS))).subject, "somebody", "not ours to say");
  server.close();
  server.closeAllConnections();
});

test("half a configuration, or one without TLS, is refused in words", () => {
  assert.is(trustedIssuer(undefined, undefined, undefined), undefined);
  assert.throws(() => trustedIssuer(THEIRS, undefined, undefined), /expected both/);
  assert.throws(() => trustedIssuer(THEIRS, "http://login.example/jwks", undefined), /https/);
});

test.run();
