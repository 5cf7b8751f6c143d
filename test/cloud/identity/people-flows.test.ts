/** P-70, P-71: people sign in with a browser, and what they get follows their account. */
import { ProtocolError, ROLES } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import {
  authorize,
  Browser,
  CONSOLE,
  openPeople,
  PASSWORD,
  VERIFIER,
  type World,
} from "./people-rig.ts";

const test = suite<World>("people's sign-in");
test.before.each(async (world) => {
  Object.assign(world, await openPeople());
});
test.after.each(({ close }) => close());

/** Ends at the address that the browser is sent back to. */
async function signIn(browser: Browser, password = PASSWORD, url = authorize()): Promise<string> {
  const asked = await browser.open(url);
  assert.match(asked.to, /^\/oauth\/people\/sign-in\//, asked.text);
  const form = await browser.open(asked.to);
  assert.is(form.status, 200);
  assert.match(form.csp, /default-src 'none'/);
  const posted = await browser.open(asked.to, { user: "ann", password });
  if (posted.status !== 303) return posted.text;
  const back = await browser.open(posted.to);
  return back.to;
}

async function exchange(
  browser: Browser,
  to: string,
  verifier = VERIFIER,
  client = "console.demo",
) {
  const code = new URL(to).searchParams.get("code") ?? "";
  const { status, text } = await browser.open("/oauth/token", {
    grant_type: "authorization_code",
    client_id: client,
    redirect_uri: CONSOLE,
    code,
    code_verifier: verifier,
  });
  const body: unknown = JSON.parse(text);
  assert.not(text.includes("id_token"), "nobody has a use for one");
  const token =
    typeof body === "object" && body !== null && "access_token" in body
      ? String(body.access_token)
      : "";
  return { status, token };
}

test("P-70 a person gets a code for the password, a token for the code, and scopes for the role", async (world) => {
  const browser = new Browser(world.server);
  const to = await signIn(browser);
  assert.match(to, /^https:\/\/localhost:8443\/console\/\?code=/);
  assert.is(new URL(to).searchParams.get("state"), "s1");
  const { token } = await exchange(browser, to);
  const caller = await world.verify(token);
  assert.is(caller.subject, `person:${world.who.person}`);
  assert.is(caller.tenant, "demo");
  assert.is(caller.role, "support");
  assert.equal([...caller.scopes].sort(), [...ROLES.support.scopes].sort());
});

test("P-70 whatever is asked for, the role decides", async (world) => {
  const browser = new Browser(world.server);
  const scope = "people:erase commands:operate self";
  const to = await signIn(browser, PASSWORD, authorize({ scope }));
  const { token } = await exchange(browser, to);
  assert.equal([...(await world.verify(token)).scopes], ["self"]);
  const platform = await browser.open(authorize({ scope: "platform:admin" }));
  assert.match(platform.to, /error=invalid_scope/);
});

test("P-70 a code works once, with the verifier of whoever asked for it", async (world) => {
  const browser = new Browser(world.server);
  const stolen = await signIn(browser);
  assert.is((await exchange(browser, stolen, "w".repeat(64))).status, 400);
  const second = (await browser.open(authorize())).to;
  assert.is((await exchange(browser, second)).status, 200, "the session is still there");
  assert.is((await exchange(browser, second)).status, 400);
});

test("P-70 no other flow is open to people", async (world) => {
  const browser = new Browser(world.server);
  const rows = [
    { why: "without PKCE", url: authorize({ code_challenge: "", code_challenge_method: "" }) },
    { why: "plain PKCE", url: authorize({ code_challenge_method: "plain" }) },
    { why: "implicit", url: authorize({ response_type: "token" }) },
    { why: "another address", url: authorize({ redirect_uri: "https://elsewhere.test/" }) },
    { why: "a tenant that is not there", url: authorize({ client_id: "console.nobody" }) },
    { why: "a name that is no tenant's", url: authorize({ client_id: "console.constructor" }) },
  ];
  for (const { why, url } of rows) {
    const { status, to } = await browser.open(url);
    assert.ok(status === 400 || to.includes("error="), `${why}: ${status} ${to}`);
    assert.not(to.includes("code="), why);
    assert.not(to.startsWith("https://elsewhere"), why);
  }
  const { status, text } = await browser.open("/oauth/token", {
    grant_type: "password",
    client_id: "console.demo",
    username: "ann",
    password: PASSWORD,
  });
  assert.is(status, 400);
  assert.match(text, /unsupported_grant_type|unauthorized_client/);
});

test("P-70 a wrong password tells nothing, and markup in it does nothing", async (world) => {
  const browser = new Browser(world.server);
  const text = await signIn(browser, "<script>alert(1)</script>");
  assert.match(text, /do not fit/);
  assert.not(text.includes("<script>"));
});

test("P-71 a locked account's tokens and sessions end at once", async (world) => {
  const browser = new Browser(world.server);
  const { token } = await exchange(browser, await signIn(browser));
  await world.verify(token);
  await world.accounts.lock(world.who, AUDIT);
  await refuses("unauthenticated", world.verify(token));
  const again = await browser.open(authorize());
  assert.match(again.to, /sign-in/, "the session asks for the password again");
  world.ahead.ms += 2000;
  await world.accounts.unlock(world.who, AUDIT);
  await refuses("unauthenticated", world.verify(token), "and the old token stays out");
});

test("P-02 a person of one tenant is nobody at another", async (world) => {
  const browser = new Browser(world.server);
  await signIn(browser);
  const rival = await browser.open(authorize({ client_id: "console.rival" }));
  assert.match(rival.to, /sign-in/, "the session is not one of that tenant");
  const posted = await browser.open(rival.to, { user: "ann", password: PASSWORD });
  assert.is(posted.status, 403);
});

test("P-70 nobody posts a form into another one's sign-in", async (world) => {
  const [mine, theirs] = [new Browser(world.server), new Browser(world.server)];
  const asked = await mine.open(authorize());
  const posted = await theirs.open(asked.to, { user: "ann", password: PASSWORD });
  assert.is(posted.status, 400);
});

test("P-63 an address that fails too often waits", async (world) => {
  const browser = new Browser(world.server);
  for (let i = 0; i < 31; i += 1) {
    const asked = await browser.open(authorize());
    const { status } = await browser.open(asked.to, { user: `nobody-${i}`, password: "no" });
    assert.is(status, i < 30 ? 403 : 429, `${i}`);
    if (status === 429) break;
  }
});

test("P-70 a person changes the password by showing the one until now, and older sessions end", async (world) => {
  const browser = new Browser(world.server);
  const { token } = await exchange(browser, await signIn(browser));
  const page = await browser.open("/oauth/people/password?tenant=demo%22%3E%3Cb%3E");
  assert.not(page.text.includes("<b>"));
  assert.match(page.text, "Password until now");
  const next = "slow rain on the harbour";
  const change = (fields: Readonly<Record<string, string>>) =>
    browser.open("/oauth/people/password", {
      ...{ tenant: "demo", user: "ann", old: PASSWORD, password: next },
      ...fields,
    });
  for (const [why, fields, status] of [
    ["another password until now", { old: next }, 403],
    ["nobody's name", { user: "bob" }, 403],
    ["another tenant's", { tenant: "rival" }, 403],
    ["no tenant's", { tenant: "../demo" }, 403],
    ["too short", { password: "short" }, 400],
    ["the one that it is", { password: PASSWORD }, 400],
  ] as const)
    assert.is((await change(fields)).status, status, why);
  await world.verify(token);
  assert.match((await change({})).text, "The new password is set");
  await refuses("unauthenticated", world.verify(token), "the older token");
  assert.match((await browser.open(authorize())).to, /sign-in/, "the older session");
  assert.match(await signIn(browser), /do not fit/);
  assert.match(await signIn(browser, next), /\?code=/);
});

test("each sign-in is on record, also one that changes nothing", async (world) => {
  for (const password of [PASSWORD, "a guess that is long enough", PASSWORD])
    await signIn(new Browser(world.server), password);
  const store = (await world.files.registry.tenant("demo"))?.store;
  const trail = (await store?.auditTrail(0, 100)) ?? [];
  assert.equal(
    trail.filter(({ action }) => action === "account.sign-in").map(({ outcome }) => outcome),
    ["done", "refused", "done"],
  );
});

test("signing out ends the session", async (world) => {
  const browser = new Browser(world.server);
  await signIn(browser);
  const asked = await browser.open("/oauth/sign-out");
  assert.is(asked.status, 200);
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(asked.text)?.[1];
  if (xsrf === undefined) throw new ProtocolError("not_found", asked.text);
  await browser.open("/oauth/sign-out/confirm", { xsrf, logout: "yes" });
  assert.match((await browser.open(authorize())).to, /sign-in/);
});

test("P-63 guesses at many names at once are no more tried than in a row", async (world) => {
  const guess = (n: number) =>
    new Browser(world.server).open("/oauth/people/password", {
      ...{ tenant: "demo", user: `nobody-${n}`, old: "wrong by design", code: "" },
      password: "a barge went by at nine",
    });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => guess(n)));
  const tried = answers.filter(({ status }) => status === 403).length;
  assert.ok(tried > 0 && tried <= 30, `${tried} tried`);
  assert.ok(answers.every(({ status }) => status === 403 || status === 429));
});

test("P-63 what goes well counts for nothing against an address", async (world) => {
  for (let n = 0; n <= 30; n += 1) {
    const wrong = { tenant: "demo", user: "ann", old: PASSWORD, code: "", password: "short" };
    const { status } = await new Browser(world.server).open("/oauth/people/password", wrong);
    assert.is(status, 400, "a new password that will not do is no guess");
  }
});

test.run();
