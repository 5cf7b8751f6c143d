/** What every engine must do for people, their accounts and what becomes of both. */
import { randomUUID } from "node:crypto";
import {
  type AccountRecord,
  type PersonRecord,
  personProfileCodec,
  refuseCardNumbers,
} from "@kerbside/protocol";
import * as assert from "uvu/assert";
import { AUDIT, booking, refuses } from "./car-log.ts";
import type { It } from "./tenant-store.ts";

/** Every field that says who somebody is, each a canary. */
export const PROFILE = {
  name: "Canary Nightingale",
  email: "Canary.Nightingale@example.test",
  phone: "+49 170 5550 1234",
  birthDate: "1981-02-03",
  address: "Canary Wharf 17, Exampleton",
  licence: "B072 RRE2 I55",
  nationalId: "T220 00129",
  paymentToken: "tok_canary_7f3a",
};

export function person(change: Partial<PersonRecord> = {}): PersonRecord {
  return {
    person: randomUUID(),
    state: "active",
    profile: PROFILE,
    createdAtMs: 1_000,
    ...change,
  };
}

export function account(of: string, change: Partial<AccountRecord> = {}): AccountRecord {
  const secret = new TextEncoder().encode("sealed by the issuer");
  const base = { person: of, version: 1, role: "member", tokensAfterMs: 0, secret } as const;
  return { ...base, state: { at: "open" }, ...change };
}

export function peopleConformance(it: It): void {
  lookups(it);
  accounts(it);
  endings(it);
}

function lookups(it: It): void {
  it("P-31 a person is read back whole, and found however the value is written", async ({
    store,
    again,
  }) => {
    const record = person({ usedAtMs: 2_000, paidAtMs: 3_000 });
    await store.people.putPerson(record, AUDIT);
    const { people } = await again();
    assert.equal(await people.person(record.person), record);
    const rows = [
      ["email", " canary.nightingale@EXAMPLE.test"],
      ["phone", "+491705550 1234"],
      ["licence", "b072rre2i55"],
    ] as const;
    for (const [by, value] of rows)
      assert.equal(await people.findPeople(by, value), [record.person], by);
    assert.equal(await people.findPeople("email", "somebody@example.test"), []);
    const moved = { ...record, profile: { ...PROFILE, email: "new@example.test" } };
    await people.putPerson(moved, AUDIT);
    assert.equal(await people.findPeople("email", PROFILE.email), [], "no longer");
    assert.equal(await people.findPeople("email", "new@example.test"), [record.person]);
  });

  it("people are read page by page", async ({ store }) => {
    const ids = Array.from({ length: 5 }, () => randomUUID()).sort();
    for (const id of ids) await store.people.putPerson(person({ person: id }), AUDIT);
    const first = await store.people.people("", 3);
    const second = await store.people.people(first.at(-1)?.person ?? "", 3);
    assert.equal(
      [...first, ...second].map((each) => each.person),
      ids,
    );
  });

  it("P-23 a card number is refused in every text of a profile", async ({ store }) => {
    for (const name of Object.keys(personProfileCodec.fields ?? {})) {
      const profile = { ...PROFILE, [name]: "paid with 4111 1111-1111 1111 once" };
      await refuses("malformed", store.people.putPerson(person({ profile }), AUDIT));
    }
    refuseCardNumbers("none of these", ["4111 1111 1111 1112", "+49 170 5550 1234", "B072RRE2I55"]);
  });

  it("P-74 consents keep both of their dates", async ({ store }) => {
    const { person: id } = person();
    await store.people.giveConsent(id, { purpose: "terms", version: "1", givenAtMs: 1 }, AUDIT);
    await store.people.giveConsent(id, { purpose: "marketing", version: "1", givenAtMs: 2 }, AUDIT);
    assert.is(await store.people.withdrawConsent(id, "marketing", AUDIT), true);
    assert.is(await store.people.withdrawConsent(id, "marketing", AUDIT), false);
    await store.people.giveConsent(id, { purpose: "marketing", version: "2", givenAtMs: 9 }, AUDIT);
    const [terms, first, second] = await store.people.consents(id);
    assert.is(terms?.withdrawnAtMs, undefined);
    assert.type(first?.withdrawnAtMs, "number");
    assert.equal(second, { purpose: "marketing", version: "2", givenAtMs: 9 });
  });

  it("a card is found by its UID, and a removed one keeps its dates", async ({ store }) => {
    const record = person();
    await store.people.putPerson(record, AUDIT);
    const card = {
      credential: randomUUID(),
      person: record.person,
      kind: "card",
      value: "04A1B2C3D4E5F6",
      addedAtMs: 5,
    } as const;
    await store.people.putCredential(card, AUDIT);
    assert.equal(await store.people.findPeople("card", "04a1-b2c3-d4e5f6"), [record.person]);
    await store.people.putCredential({ ...card, removedAtMs: 6 }, AUDIT);
    assert.equal(await store.people.credentials(record.person), [{ ...card, removedAtMs: 6 }]);
  });
}

function accounts(it: It): void {
  it("P-70 an account is changed by who has seen it last, and no two share a name", async ({
    store,
    again,
  }) => {
    const [one, two] = [person(), person()];
    for (const each of [one, two]) await store.people.putPerson(each, AUDIT);
    await store.people.putAccount(account(one.person), "Ann", AUDIT);
    await refuses("conflict", store.people.putAccount(account(one.person), undefined, AUDIT));
    await refuses("conflict", store.people.putAccount(account(two.person), " ann", AUDIT));
    const locked = account(one.person, { version: 2, state: { at: "locked", untilMs: 7 } });
    await store.people.putAccount(locked, undefined, AUDIT);
    const { people } = await again();
    assert.equal(await people.account(one.person), locked);
    assert.equal(await people.findPeople("user", "ANN"), [one.person]);
  });
}

function endings(it: It): void {
  it("P-81 a person is suspended first, for good, and then erased with all that was booked", async ({
    store,
    again,
  }) => {
    const record = person();
    const { people } = store;
    await people.putPerson(record, AUDIT);
    await people.putAccount(account(record.person), "ann", AUDIT);
    await store.putBooking(booking("b-1", 1, { holder: record.person }), AUDIT);
    await store.putBooking(booking("b-2", 1, { holder: "another" }), AUDIT);
    assert.equal(await people.bookingsOf(record.person), ["b-1"]);
    await refuses("conflict", people.erasePerson(record.person, AUDIT));
    await people.putPerson({ ...record, state: "suspended", suspendedAtMs: 5 }, AUDIT);
    await refuses("conflict", people.putPerson(record, AUDIT));
    await people.erasePerson(record.person, AUDIT);
    await people.erasePerson(record.person, AUDIT);
    const { people: later, ...rest } = await again();
    const erased = await later.person(record.person);
    assert.is(erased?.state, "erased");
    assert.equal(erased?.profile, {});
    assert.equal(await later.findPeople("email", PROFILE.email), []);
    assert.equal(
      (await later.account(record.person))?.state,
      { at: "closed" },
      "P-73 its shell stays",
    );
    assert.is((await later.account(record.person))?.secret.length, 0);
    assert.is((await rest.booking("b-1"))?.holder, "");
    assert.is((await rest.booking("b-2"))?.holder, "another");
    await refuses("not_found", later.putPerson(record, AUDIT));
  });

  it("P-82 a legal hold stops erasure, and its copy is for those it names", async ({ store }) => {
    const record = person({ state: "suspended", suspendedAtMs: 1 });
    const { people } = store;
    await people.putPerson(record, AUDIT);
    const hold = {
      hold: randomUUID(),
      person: record.person,
      reason: "proceedings 7/26",
      readers: ["person:counsel"],
      placedAtMs: 3,
    };
    await people.placeHold(hold, AUDIT);
    await refuses("conflict", people.erasePerson(record.person, AUDIT));
    await refuses("forbidden", people.readHeld(hold.hold, "person:other", AUDIT));
    const copy = await people.readHeld(hold.hold, "person:counsel", AUDIT);
    assert.match(copy, PROFILE.email);
    await people.releaseHold(hold.hold, AUDIT);
    await refuses("not_found", people.readHeld(hold.hold, "person:counsel", AUDIT));
    await people.erasePerson(record.person, AUDIT);
    await refuses("conflict", people.placeHold({ ...hold, hold: randomUUID() }, AUDIT));
    assert.type((await people.holds())[0]?.releasedAtMs, "number");
  });
}
