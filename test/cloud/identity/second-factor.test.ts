/** P-70, P-71: a second factor of an account, by its rules and in a browser. */
import { type Accounts, codeAt, stepOf } from "@kerbside/identity";
import { utf8 } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { authorize, Browser, CONSOLE, openPeople, PASSWORD, type World } from "./people-rig.ts";

const test = suite<World>("second factor");
test.before.each(async (world) => {
  Object.assign(world, await openPeople(new Set(["support"])));
});
test.after.each(({ close }) => close());

const STEP_MS = 30_000;
/** RFC 6238 appendix B, SHA-1: the last six digits. */
const VECTORS = [
  [59, "287082"],
  [1_111_111_109, "081804"],
  [1_111_111_111, "050471"],
  [1_234_567_890, "005924"],
  [2_000_000_000, "279037"],
  [20_000_000_000, "353130"],
] as const;

test("codes are those of RFC 6238, good for a step around now, each once", () => {
  const secret = utf8("12345678901234567890");
  for (const [second, code] of VECTORS) {
    const step = Math.floor(second / 30);
    assert.is(codeAt(secret, step), code);
    for (const [offMs, isGood] of [
      [0, true],
      [STEP_MS, true],
      [-STEP_MS, true],
      [2 * STEP_MS, false],
      [-2 * STEP_MS, false],
    ] as const)
      assert.is(stepOf(secret, code, second * 1000 + offMs), isGood ? step : undefined, `${offMs}`);
    assert.is(stepOf(secret, code, second * 1000, step), undefined, "used");
  }
  for (const code of ["", "28708", "2870822", "287 0820", "-87082", "２８７０８２"])
    assert.is(stepOf(secret, code, 59_000), undefined, code);
  assert.is(stepOf(secret, "287 082", 59_000), 1);
});

function bytesOf(text: string): Uint8Array {
  const bits = [...text.replaceAll(" ", "")]
    .map((sign) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(sign).toString(2).padStart(5, "0"))
    .join("");
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

/** As an app on a telephone makes it, `later` steps from now. */
function appCode({ ahead }: World, secret: Uint8Array, later = 0): string {
  return codeAt(secret, Math.floor((Date.now() + ahead.ms) / STEP_MS) + later);
}

async function password(browser: Browser, more: Readonly<Record<string, string>> = {}) {
  const { to } = await browser.open(authorize());
  const answer = await browser.open(to, { user: "ann", password: PASSWORD, ...more });
  return { ...answer, form: to };
}

/** As after a right password just now. */
async function begun({ accounts, who }: World) {
  const { tokensAfterMs } = await accounts.open(who);
  return { ...who, hasFactor: true, tokensAfterMs };
}

/** What the pages show: the key, then codes to keep. */
async function enrol(world: World, browser: Browser, more: Readonly<Record<string, string>> = {}) {
  const { form, status, text } = await password(browser, more);
  assert.is(status, 200);
  const secret = bytesOf(/<code>([A-Z2-7 ]+)<\/code>/.exec(text)?.[1] ?? "");
  assert.match(text, "otpauth://totp/Kerbside%20demo%3Aann?secret=");
  const wrong = await browser.open(form, { code: "000000" });
  assert.is(wrong.status, 400);
  const kept = await browser.open(form, { code: appCode(world, secret) });
  assert.match(kept.text, "Keep these codes");
  const codes = [...kept.text.matchAll(/<li><code>([A-Z2-7 ]+)<\/code>/g)].map(
    ([, code = ""]) => code,
  );
  return { secret, codes, form };
}

async function isIn(browser: Browser, form: string, body: Readonly<Record<string, string>>) {
  const answer = await browser.open(form, body);
  if (answer.status !== 303) return false;
  return (await browser.open(answer.to)).to.startsWith(`${CONSOLE}?code=`);
}

test("P-70 a role that needs one sets it up at its first sign-in, and is asked for it from then on", async (world) => {
  const first = new Browser(world.server);
  const { secret, codes, form } = await enrol(world, first);
  assert.is(codes.length, 10);
  assert.ok(await isIn(first, form, {}));
  world.ahead.ms += 10 * STEP_MS;
  const browser = new Browser(world.server);
  const asked = await password(browser);
  assert.match(asked.text, "Second factor");
  assert.is((await browser.open(asked.form, { code: "123456" })).status, 403);
  const code = appCode(world, secret);
  const another = new Browser(world.server);
  const beside = await password(another);
  assert.ok(await isIn(browser, asked.form, { code }));
  assert.is((await another.open(beside.form, { code })).status, 403, "a code that was used");
  assert.ok(await isIn(another, beside.form, { code: appCode(world, secret, 1) }));
});

test("a code to keep lets in once, and a new factor takes the place of the old one and its codes", async (world) => {
  const { codes } = await enrol(world, new Browser(world.server));
  const [one = "", two = ""] = codes;
  const browser = new Browser(world.server);
  const asked = await password(browser);
  assert.ok(await isIn(browser, asked.form, { code: one.toLowerCase() }));
  const again = await password(new Browser(world.server));
  assert.match(again.text, "Second factor");
  const renewing = new Browser(world.server);
  const { form } = await password(renewing, { factor: "new" });
  assert.is((await renewing.open(form, { code: one })).status, 403, "it was used");
  const page = await renewing.open(form, { code: two });
  const secret = bytesOf(/<code>([A-Z2-7 ]+)<\/code>/.exec(page.text)?.[1] ?? "");
  assert.match((await renewing.open(form, { code: appCode(world, secret) })).text, "Keep these");
  for (const old of codes.slice(2, 4))
    await refuses("forbidden", world.accounts.checkCode(await begun(world), old));
  assert.ok(await isIn(renewing, form, {}));
  const trail = await (await world.files.registry.tenant("demo"))?.store.auditTrail(0, 1000);
  const told = trail?.map(({ action, outcome, reason = "" }) =>
    `${action} ${outcome} ${reason}`.trim(),
  );
  assert.ok(told?.includes("account.factor done"));
  assert.ok(told?.includes("account.recovery-code done"));
  assert.ok(told?.includes("account.sign-in refused second factor"));
});

test("P-71 wrong codes lock the account, and a right password between them does not help", async (world) => {
  const { secret } = await enrol(world, new Browser(world.server));
  world.ahead.ms += 10 * STEP_MS;
  const { accounts, who } = world;
  for (let i = 0; i < 6; i += 1) {
    const signed = await accounts.signIn("demo", "ann", PASSWORD);
    assert.is(signed.hasFactor, true);
    await refuses("forbidden", accounts.checkCode({ ...who, ...signed }, "000000"));
  }
  await refuses("forbidden", accounts.signIn("demo", "ann", PASSWORD));
  await refuses("forbidden", accounts.checkCode(await begun(world), appCode(world, secret)));
  world.ahead.ms += 300_000;
  const signed = await accounts.signIn("demo", "ann", PASSWORD);
  await accounts.checkCode({ ...who, ...signed }, appCode(world, secret));
});

test("P-71 of codes sent at once no more are tried than in a row", async (world) => {
  await enrol(world, new Browser(world.server));
  const guesses = Array.from({ length: 30 }, (_, i) => String(i).padStart(6, "0"));
  const signed = await begun(world);
  const outcomes = await Promise.allSettled(guesses.map((code) => check(world.accounts, code)));
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  assert.is((await world.accounts.open(world.who)).state.at, "locked");
  assert.ok((await world.accounts.open(world.who)).secret.failures <= 6);
  function check(accounts: Accounts, code: string): Promise<void> {
    return accounts.checkCode(signed, code);
  }
});

test("the password alone, another browser's sign-in or a jump ahead get nobody in", async (world) => {
  const { codes } = await enrol(world, new Browser(world.server));
  const [mine, theirs] = [new Browser(world.server), new Browser(world.server)];
  const asked = await password(mine);
  assert.is((await theirs.open(asked.form, { code: codes[0] ?? "" })).status, 400);
  assert.is((await mine.open(asked.form, {})).status, 403, "no code");
  await mine.open(asked.form);
  const anew = await mine.open(asked.form, { code: codes[0] ?? "" });
  assert.match(anew.text, "do not fit", "after a look at the form it begins with the password");
  world.ahead.ms += 600_001;
  assert.match((await mine.open(authorize())).to, /sign-in/);
});

const OTHER_PASSWORD = "another meadow by the sea";
for (const { why, end } of [
  { why: "another password", end: ({ accounts, who }: World) => set(accounts, who) },
  { why: "a lock that was taken back", end: ({ accounts, who }: World) => lock(accounts, who) },
] as const)
  test(`P-71 ${why} ends the sign-ins that were begun before it, at each of their pages`, async (world) => {
    const fresh = () => new Browser(world.server);
    const [setting, coding, keeping, coming] = [fresh(), fresh(), fresh(), fresh()];
    const { secret, codes, form } = await enrol(world, keeping);
    const renewed = await password(setting, { factor: "new" });
    const shown = await setting.open(renewed.form, { code: codes[0] ?? "" });
    world.ahead.ms += 10 * STEP_MS;
    const [asked, back] = [await password(coding), await password(coming)];
    const { status, to } = await coming.open(back.form, { code: appCode(world, secret) });
    assert.is(status, 303);
    await end(world);
    world.ahead.ms += 10 * STEP_MS;
    const code = appCode(world, secret);
    const own = bytesOf(/<code>([A-Z2-7 ]+)<\/code>/.exec(shown.text)?.[1] ?? "");
    assert.is((await setting.open(renewed.form, { code: appCode(world, own) })).status, 400);
    assert.is((await keeping.open(form, {})).status, 400, "the codes were shown");
    assert.is((await coding.open(asked.form, { code })).status, 403);
    assert.match((await coming.open(to)).to, "/sign-in/", "not back at the console yet");
    assert.equal((await world.accounts.open(world.who)).secret.factor, secret);
  });

async function set(accounts: Accounts, who: World["who"]): Promise<void> {
  await accounts.setPassword(who, OTHER_PASSWORD, AUDIT);
}

async function lock(accounts: Accounts, who: World["who"]): Promise<void> {
  await accounts.lock(who, AUDIT);
  await accounts.unlock(who, AUDIT);
}

test("who was asked to set a factor up does not replace one that was set up meanwhile", async (world) => {
  const [owner, thief] = [new Browser(world.server), new Browser(world.server)];
  const { form, text } = await password(thief);
  const { secret } = await enrol(world, owner);
  const theirs = bytesOf(/<code>([A-Z2-7 ]+)<\/code>/.exec(text)?.[1] ?? "");
  assert.is((await thief.open(form, { code: appCode(world, theirs) })).status, 400);
  assert.equal((await world.accounts.open(world.who)).secret.factor, secret);
});

test("who lost it gets a new one after the operator took it away; a new password does not take it away", async (world) => {
  await enrol(world, new Browser(world.server));
  world.ahead.ms += 2000;
  const { accounts, who } = world;
  await accounts.setPassword(who, "another meadow by the sea", AUDIT);
  assert.is((await accounts.signIn("demo", "ann", "another meadow by the sea")).hasFactor, true);
  await accounts.removeFactor(who, AUDIT);
  assert.is((await accounts.signIn("demo", "ann", "another meadow by the sea")).hasFactor, false);
});

test("P-70 with a second factor the password is changed by its code too", async (world) => {
  const browser = new Browser(world.server);
  const { secret } = await enrol(world, browser);
  const change = (code: string) =>
    browser.open("/oauth/people/password", {
      ...{ tenant: "demo", user: "ann", old: PASSWORD, code, password: "slow rain on the harbour" },
    });
  for (const code of ["", "000000"]) assert.is((await change(code)).status, 403, code);
  assert.is((await change(appCode(world, secret, 1))).status, 200);
});

test.run();
