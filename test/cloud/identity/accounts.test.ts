/** P-70 to P-73: people's accounts over a real store. */
import { randomUUID } from "node:crypto";
import {
  type AccountSeal,
  Accounts,
  accountSeal,
  isAlive,
  LINK_EVERY_MS,
  type Mail,
  passwordProblem,
  RESET_MS,
  Resets,
} from "@kerbside/identity";
import { ProtocolError, randomBytes, type TenantId, tenantId } from "@kerbside/protocol";
import type { SqliteTenantStore } from "@kerbside/tenants";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AUDIT, refuses } from "../../conformance/car-log.ts";
import { person as newPerson, PROFILE } from "../../conformance/people-store.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const DEMO = tenantId("demo");
const PASSWORD = "tall grass by the canal";
const MINUTE_MS = 60_000;

type World = {
  files: TestRegistry;
  store: SqliteTenantStore;
  clock: ManualClock;
  seal: AccountSeal;
  accounts: Accounts;
  resets: Resets;
  mails: Mail[];
  who: { tenant: TenantId; person: string };
};
const test = suite<World>("accounts");
test.before.each(async (world) => {
  world.clock = manualClock(Date.UTC(2026, 0, 1));
  world.files = await testRegistry(() => world.clock.wallMs());
  await world.files.create("demo");
  const tenant = await world.files.registry.tenant("demo");
  if (tenant === undefined) throw new ProtocolError("not_found", "demo");
  world.store = tenant.store;
  world.seal = accountSeal(randomBytes(32));
  const people = async (id: TenantId) => (await world.files.registry.tenant(id))?.store.people;
  const ports = { people, seal: world.seal, clock: world.clock };
  world.accounts = new Accounts(ports);
  world.mails = [];
  world.resets = new Resets({
    ...ports,
    accounts: world.accounts,
    send: async (mail) => void world.mails.push(mail),
    link: (token) => `https://localhost/reset?${token}`,
  });
  const record = newPerson();
  await world.store.people.putPerson(record, AUDIT);
  world.who = { tenant: DEMO, person: record.person };
  await world.accounts.create({ ...world.who, user: "ann", role: "operator" }, AUDIT);
  await world.accounts.setPassword(world.who, PASSWORD, AUDIT);
  world.clock.pass(1000);
});
test.after.each(({ files }) => files.close());

const signIn = ({ accounts }: World, password = PASSWORD, user = "Ann") =>
  accounts.signIn("demo", user, password);
const standing = async ({ store, who }: World) =>
  (await store.people.account(who.person))?.state.at;

async function fail(world: World, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) await refuses("forbidden", signIn(world, "wrong by design"));
}

test("P-70 whoever knows name and password is signed in, with a role", async (world) => {
  assert.equal(await signIn(world), {
    ...{ person: world.who.person, role: "operator" },
    hasFactor: false,
    tokensAfterMs: world.clock.wallMs() - 1000,
  });
  for (const [tenant, user, password] of [
    ["demo", "ann", "tall grass by the river"],
    ["demo", "bob", PASSWORD],
    ["other", "ann", PASSWORD],
    ["../demo", "ann", PASSWORD],
    ["demo", "ann", "x".repeat(10_000)],
  ] as const)
    await refuses("forbidden", world.accounts.signIn(tenant, user, password));
});

test("P-70 passwords are long, not common, and none of the last five", async (world) => {
  const rows = [
    { why: "11 characters", password: "abcdefgh1jk", ok: false },
    { why: "in the list", password: "passwordpassword", ok: false },
    { why: "in the list with numbers around it", password: "12345password98765", ok: false },
    { why: "letters written as signs", password: "p@$$w0rdp@$$w0rd", ok: false },
    { why: "one character", password: "aaaaaaaaaaaaaaaa", ok: false },
    { why: "own name and little else", password: "nightingale26", ok: false },
    { why: "long and one's own", password: "a barge went by at nine", ok: true },
  ];
  for (const { why, password, ok } of rows)
    assert.is(passwordProblem(password, ["Canary", "Nightingale"]) === undefined, ok, why);
  await refuses("malformed", world.accounts.setPassword(world.who, "short", AUDIT));
  for (const n of ["one", "two", "three", "four"])
    await world.accounts.setPassword(world.who, `${PASSWORD} ${n}`, AUDIT);
  await refuses("conflict", world.accounts.setPassword(world.who, PASSWORD, AUDIT));
  await world.accounts.setPassword(world.who, `${PASSWORD} five`, AUDIT);
  await world.accounts.setPassword(world.who, PASSWORD, AUDIT);
});

test("P-70 a password lets in that was set with letters and accents apart", async (world) => {
  const apart = `${PASSWORD} ${"e\u0301".repeat(60)}`;
  await world.accounts.setPassword(world.who, apart, AUDIT);
  await signIn(world, apart);
});

test("P-71 the sixth failure locks for five minutes, and ends what was signed in", async (world) => {
  const beganMs = world.clock.wallMs();
  world.clock.pass(1000);
  await fail(world, 5);
  assert.is(await standing(world), "open");
  await fail(world, 1);
  assert.is(await standing(world), "locked");
  await refuses("forbidden", signIn(world), "the right password does not help");
  const record = await world.store.people.account(world.who.person);
  const alive = (): boolean =>
    record !== undefined && isAlive(record, beganMs, world.clock.wallMs());
  assert.not(alive(), "while it is locked");
  world.clock.pass(5 * MINUTE_MS - 1);
  await refuses("forbidden", signIn(world));
  world.clock.pass(1);
  assert.not(alive(), "nor after");
  assert.is((await signIn(world)).person, world.who.person);
  assert.is(await standing(world), "open");
  await fail(world, 5);
  assert.is(await standing(world), "open", "the count began anew");
});

test("P-71 of guesses sent all at once no more are tried than in a row", async (world) => {
  const all = Array.from({ length: 30 }, (_, i) =>
    signIn(world, i === 8 ? PASSWORD : `guess number ${i}`).then(
      () => "in",
      (error: unknown) => (error instanceof ProtocolError ? error.code : "?"),
    ),
  );
  assert.not(
    (await Promise.all(all)).includes("in"),
    "the ninth was right, after the sixth was not",
  );
  assert.is(await standing(world), "locked");
});

/** Accounts that see the account as it was before `between`, at their second look: that of the attempt; or a later one. */
function lateAccounts(
  { files, seal, clock }: World,
  between: () => Promise<void>,
  look = 2,
): Accounts {
  let looks = 0;
  return new Accounts({
    people: async (id) => {
      const store = (await files.registry.tenant(id))?.store.people;
      if (store === undefined) return undefined;
      const account = async (person: string) => {
        const seen = await store.account(person);
        looks += 1;
        if (looks === look) await between();
        return seen;
      };
      return { ...store, account };
    },
    seal,
    clock,
  });
}

for (const { why, is, end } of [
  {
    why: "locked for good",
    is: "locked-for-good",
    end: ({ accounts, who }: World) => accounts.lock(who, AUDIT),
  },
  { why: "closed", is: "closed", end: ({ accounts, who }: World) => accounts.close(who, AUDIT) },
  {
    why: "given another password",
    is: "open",
    end: ({ accounts, who }: World) => accounts.setPassword(who, `${PASSWORD} two`, AUDIT),
  },
] as const)
  for (const password of [PASSWORD, "wrong by design"])
    test(`P-71 an account that is ${why} while ${password === PASSWORD ? "its" : "a wrong"} password is looked at stays so, and lets nobody in`, async (world) => {
      await fail(world, 1);
      const accounts = lateAccounts(world, () => end(world));
      await refuses("forbidden", accounts.signIn("demo", "ann", password));
      assert.is(await standing(world), is);
    });

test("P-70 no change of the password undoes one that came while it was under way", async (world) => {
  const theirs = `${PASSWORD} two`;
  const end = () => world.accounts.setPassword(world.who, theirs, AUDIT);
  // Past the sign-in, when the new password is looked at.
  const accounts = lateAccounts(world, end, 4);
  const shown = { user: "ann", password: PASSWORD, code: "" };
  await refuses("forbidden", accounts.changePassword("demo", shown, `${PASSWORD} three`));
  await world.accounts.signIn("demo", "ann", theirs);
});

test("P-71 an operator locks for good, and unlocks", async (world) => {
  await world.accounts.lock(world.who, AUDIT);
  world.clock.pass(86_400_000);
  await refuses("forbidden", signIn(world));
  await world.accounts.unlock(world.who, AUDIT);
  await signIn(world);
});

test("P-72 a new password takes the link and what only the person knows", async (world) => {
  await world.resets.request("demo", "ann");
  const token = world.mails[0]?.text.match(/reset\?(\S+)/)?.[1] ?? "";
  assert.is(world.mails[0]?.to, PROFILE.email);
  assert.not(world.mails[0]?.text.includes("Nightingale"), "nothing but the link");
  assert.equal(await world.resets.questions(token), ["birthDate", "licence"]);
  const answers = { birthDate: "1981-02-03", licence: "b072 rre2i55" };
  await refuses("malformed", world.resets.finish(token, answers, "short"), "and is asked again");
  const other = token.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
  await refuses("forbidden", world.resets.finish(other, answers, "a barge went by at nine"));
  await world.resets.finish(token, answers, "a barge went by at nine");
  await refuses("forbidden", world.resets.finish(token, answers, "another barge went by"));
  await refuses("forbidden", signIn(world));
  await signIn(world, "a barge went by at nine");
});

test("P-72 a reset is over after its time", async (world) => {
  await world.resets.request("demo", "ann");
  const token = world.mails[0]?.text.match(/reset\?(\S+)/)?.[1] ?? "";
  world.clock.pass(RESET_MS.default - 1);
  await world.resets.questions(token);
  world.clock.pass(1);
  await refuses("forbidden", world.resets.questions(token));
  for (const resetMs of [14 * MINUTE_MS, 61 * MINUTE_MS])
    assert.throws(
      () =>
        new Resets({
          people: async () => undefined,
          seal: world.seal,
          clock: world.clock,
          accounts: world.accounts,
          send: async () => undefined,
          link: String,
          resetMs,
        }),
      /15 to 60 minutes/,
    );
});

test("P-72 four wrong answers lock for good, also when they come all at once", async (world) => {
  await world.resets.request("demo", "ann");
  const token = world.mails[0]?.text.match(/reset\?(\S+)/)?.[1] ?? "";
  const answer = (birthDate: string) =>
    world.resets.finish(token, { birthDate, licence: PROFILE.licence }, "a barge went by at nine");
  const days = ["1980-01-01", "1980-01-02", "1980-01-03", "1980-01-04", PROFILE.birthDate];
  const tried = await Promise.allSettled(days.map(answer));
  assert.equal(
    tried.map(({ status }) => status),
    days.map(() => "rejected"),
  );
  assert.is(await standing(world), "locked-for-good");
  await world.resets.request("demo", "ann");
  assert.is(world.mails.length, 1, "and no link is sent any more");
});

test("P-72 another link does not begin the count of wrong answers anew", async (world) => {
  const wrong = { birthDate: "1980-01-01", licence: PROFILE.licence };
  for (let i = 1; i <= 4; i += 1) {
    await world.resets.request("demo", "ann");
    const token = world.mails.at(-1)?.text.match(/reset\?(\S+)/)?.[1] ?? "";
    await refuses("unauthenticated", world.resets.finish(token, wrong, "a barge went by at nine"));
    assert.is(await standing(world), i < 4 ? "open" : "locked-for-good");
  }
});

test("P-63 whoever asks again and again sends one mail in five minutes, and spoils no link", async (world) => {
  const ask = () => world.resets.request("demo", "ann", LINK_EVERY_MS);
  await ask();
  const token = world.mails[0]?.text.match(/reset\?(\S+)/)?.[1] ?? "";
  for (let i = 0; i < 10; i += 1) await ask();
  world.clock.pass(LINK_EVERY_MS - 1);
  await ask();
  assert.is(world.mails.length, 1);
  await world.resets.questions(token);
  world.clock.pass(1);
  await ask();
  assert.is(world.mails.length, 2);
  await refuses("forbidden", world.resets.questions(token));
});

test("P-72 nobody learns whether there is such an account", async (world) => {
  await world.resets.request("demo", "nobody");
  await world.resets.request("elsewhere", "ann");
  assert.is(world.mails.length, 0);
});

test("P-73 a closed account stays closed, with nobody in it", async (world) => {
  await world.accounts.close(world.who, AUDIT);
  await refuses("forbidden", signIn(world));
  await refuses("conflict", world.accounts.unlock(world.who, AUDIT));
  await refuses(
    "conflict",
    world.accounts.setPassword(world.who, "a barge went by at nine", AUDIT),
  );
  assert.is(await standing(world), "closed");
  const record = await world.store.people.person(world.who.person);
  const { paymentToken } = PROFILE;
  assert.equal(record?.profile, { paymentToken }, "until the erasure has it revoked");
  assert.equal(await world.store.people.findPeople("email", PROFILE.email), []);
});

test("P-81 whoever is suspended is out at once, and gets no link to come back by", async (world) => {
  const { people } = world.store;
  const { person } = world.who;
  const nowMs = world.clock.wallMs();
  const alive = async (): Promise<boolean> => {
    const account = await people.account(person);
    return account !== undefined && isAlive(account, nowMs, world.clock.wallMs());
  };
  assert.ok(await alive());
  const record = await people.person(person);
  assert.ok(record !== undefined);
  await people.putPerson({ ...record, state: "suspended", suspendedAtMs: nowMs }, AUDIT);
  assert.not(await alive());
  await refuses("forbidden", signIn(world));
  await world.resets.request("demo", "ann");
  assert.is(world.mails.length, 0);
});

test("P-73 P-82 what a legal hold needs stays until it is released", async (world) => {
  const { people } = world.store;
  const hold = { hold: randomUUID(), person: world.who.person, reason: "r", readers: ["a"] };
  await people.placeHold({ ...hold, placedAtMs: 1 }, AUDIT);
  await world.accounts.close(world.who, AUDIT);
  assert.equal((await people.person(world.who.person))?.profile, PROFILE);
});

test("P-70 whoever writes to the store without the issuer's key changes no account", async (world) => {
  const { people } = world.store;
  const record = await people.account(world.who.person);
  if (record === undefined) throw new ProtocolError("not_found", "account");
  const forged = { ...record, version: record.version + 1, role: "manager" } as const;
  await people.putAccount(forged, undefined, AUDIT);
  await refuses("unauthenticated", signIn(world));
});

test.run();
