/** What a grant list and a carried grant must be, whoever signs them: each row breaks one rule. */
import {
  CARD_ID_BYTES,
  CARRIED_GRANT_MS_MAX,
  type CardGrant,
  type CarriedGrant,
  cardIdOf,
  carriedGrantCodec,
  credentialCodec,
  cryptoReady,
  encode,
  GRANT_ACTIONS,
  GRANT_DOMAINS,
  GRANTS_MAX,
  type Grant,
  type GrantList,
  grantListCodec,
  openCarriedGrant,
  openGrantList,
  PIN_PATTERN,
  randomBytes,
  sealGrantList,
  sign1,
  signCarriedGrant,
  signGrantList,
  signingKey,
  tenantId,
  toHex,
  unsealGrantList,
  utf8,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const KEY = signingKey(randomBytes(32));
const VERIFY = verifyKey(KEY.publicKey);
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const PIN = { salt: new Uint8Array(16), hash: new Uint8Array(32) };
const PHONE: Grant = {
  id: new Uint8Array(16),
  booking: "b-1",
  actions: ["unlock"],
  fromMs: 1000,
  toMs: 2000,
  phone: { publicKey: new Uint8Array(32) },
};
function card(change: Partial<CardGrant>): Grant {
  const { phone: _phone, ...rest } = PHONE;
  const plain = { cardId: new Uint8Array(16), proof: "uid", uidRule: "alone" } as const;
  return { ...rest, card: { ...plain, ...change } };
}
const { phone: _phone, ...NOBODY } = PHONE;
const listOf = (...grants: readonly Grant[]): GrantList => ({
  ...ADDRESS,
  version: 1,
  issuedAtMs: 0,
  cardIdKey: new Uint8Array(32),
  grants,
});

type Row = { readonly why: string; readonly grants: readonly Grant[]; readonly words?: RegExp };
const ROWS: readonly Row[] = [
  { why: "no grant at all", grants: [] },
  { why: "a phone's", grants: [PHONE] },
  { why: "a bare card's", grants: [card({})] },
  { why: "a keyed card's", grants: [card({ proof: "keyed", key: new Uint8Array(16) })] },
  { why: "a card's with a PIN", grants: [card({ uidRule: "with_pin", pin: PIN })] },
  {
    why: "a card's that never opens by number, with a PIN",
    grants: [card({ uidRule: "never", pin: PIN })],
  },
  { why: "for a millisecond", grants: [{ ...PHONE, toMs: 1001 }] },
  { why: "for nobody", grants: [NOBODY], words: /one of phone and card/ },
  {
    why: "for a phone and a card",
    grants: [{ ...card({}), phone: { publicKey: new Uint8Array(32) } }],
    words: /one of phone and card/,
  },
  { why: "over as it begins", grants: [{ ...PHONE, toMs: 1000 }], words: /from before to/ },
  { why: "over before it begins", grants: [{ ...PHONE, toMs: 999 }], words: /from before to/ },
  { why: "of nothing", grants: [{ ...PHONE, actions: [] }], words: /an action/ },
  { why: "keyed without a key", grants: [card({ proof: "keyed" })], words: /a key with a keyed/ },
  {
    why: "a key that is not asked for",
    grants: [card({ key: new Uint8Array(16) })],
    words: /a key with a keyed/,
  },
  {
    why: "a PIN asked for that is not there",
    grants: [card({ uidRule: "with_pin" })],
    words: /a PIN where one is asked for/,
  },
  { why: "an id twice", grants: [PHONE, card({})], words: /each id once/ },
  {
    why: "the second breaks a rule",
    grants: [
      { ...PHONE, id: new Uint8Array(16).fill(1) },
      { ...PHONE, toMs: 1 },
    ],
    words: /from before to/,
  },
];
const malformed =
  (words: RegExp) =>
  (error: { code?: string; message: string }): boolean =>
    error.code === "malformed" && words.test(error.message);

for (const { why, grants, words } of ROWS)
  test(`a grant list is judged as it is signed and as it is opened: ${why}`, () => {
    const list = listOf(...grants);
    const envelope = sign1(KEY, GRANT_DOMAINS.list, encode(grantListCodec, list));
    if (words === undefined) {
      assert.is(toHex(signGrantList(KEY, list)), toHex(envelope));
      assert.equal(openGrantList(VERIFY, envelope), list);
      return;
    }
    assert.throws(() => signGrantList(KEY, list), malformed(words));
    assert.throws(() => openGrantList(VERIFY, envelope), malformed(words));
  });

test("a list holds 400 grants, and no more", () => {
  assert.is(GRANTS_MAX, 400);
  const many = (count: number): GrantList =>
    listOf(
      ...Array.from({ length: count }, (_, i) => ({
        ...PHONE,
        id: Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? i & 0xff : i >> 8)),
      })),
    );
  assert.is(openGrantList(VERIFY, signGrantList(KEY, many(400))).grants.length, 400);
  assert.throws(() => signGrantList(KEY, many(401)), malformed(/grant list/));
});

type Carried = {
  readonly why: string;
  readonly change: Partial<CarriedGrant>;
  readonly ok: boolean;
};
const CARRIED: readonly Carried[] = [
  {
    why: "a phone's for 24 h",
    change: { grant: { ...PHONE, toMs: CARRIED_GRANT_MS_MAX + 500 } },
    ok: true,
  },
  {
    why: "a millisecond longer",
    change: { grant: { ...PHONE, toMs: CARRIED_GRANT_MS_MAX + 501 } },
    ok: false,
  },
  { why: "a card's", change: { grant: card({}) }, ok: false },
  {
    why: "one that breaks a rule of grants",
    change: { grant: { ...PHONE, actions: [] } },
    ok: false,
  },
];
for (const { why, change, ok } of CARRIED)
  test(`a carried grant is judged as it is signed and as it is opened: ${why}`, () => {
    assert.is(CARRIED_GRANT_MS_MAX, 86_400_000);
    const carried = { ...ADDRESS, listVersion: 3, issuedAtMs: 500, grant: PHONE, ...change };
    const envelope = sign1(KEY, GRANT_DOMAINS.carried, encode(carriedGrantCodec, carried));
    if (ok) {
      assert.is(toHex(signCarriedGrant(KEY, carried)), toHex(envelope));
      assert.equal(openCarriedGrant(VERIFY, envelope), carried);
      return;
    }
    assert.throws(() => signCarriedGrant(KEY, carried), malformed(/expected/));
    assert.throws(() => openCarriedGrant(VERIFY, envelope), malformed(/expected/));
  });

test("a list is no carried grant and neither is a command: the domains part them", () => {
  assert.equal(GRANT_DOMAINS, {
    list: "kerbside/v1/grant/list",
    carried: "kerbside/v1/grant/carried",
  });
  const list = signGrantList(KEY, listOf(PHONE));
  const carried = signCarriedGrant(KEY, {
    ...ADDRESS,
    listVersion: 1,
    issuedAtMs: 1500,
    grant: PHONE,
  });
  const isForged = (error: { code?: string }): boolean => error.code === "unauthenticated";
  assert.throws(() => openCarriedGrant(VERIFY, list), isForged);
  assert.throws(() => openGrantList(VERIFY, carried), isForged);
});

test("a sealed list opens with the car's own seed, and with no other", () => {
  const seed = randomBytes(32);
  const sealed = sealGrantList(signingKey(seed).publicKey, Uint8Array.of(1, 2, 3));
  assert.equal(unsealGrantList(seed, sealed), Uint8Array.of(1, 2, 3));
  assert.throws(
    () => unsealGrantList(randomBytes(32), sealed),
    (error: { code?: string }) => error.code === "unauthenticated",
  );
});

test("names and places on the wire are those that they were", () => {
  assert.equal(
    [...GRANT_ACTIONS],
    ["unlock", "lock", "trunk", "unlock_and_release", "lock_and_immobilise", "end_rental"],
  );
  const { card: own } = card({});
  assert.ok(own !== undefined);
  assert.is(
    toHex(encode(credentialCodec, { card: own })),
    `a101a30050${"00".repeat(16)}0101${"0302"}`,
  );
});

test("a PIN is 4 to 8 digits", () => {
  for (const pin of ["0000", "12345678"]) assert.ok(PIN_PATTERN.test(pin), pin);
  for (const pin of ["", "123", "123456789", "12a4", "x1234", "1234x", "1234\n"])
    assert.not.ok(PIN_PATTERN.test(pin), JSON.stringify(pin));
});

test("what stands for a card's number hangs on the list's key and on all of the number", () => {
  const key = new Uint8Array(32);
  const id = cardIdOf(key, utf8("number"));
  assert.is(id.length, CARD_ID_BYTES);
  for (const other of [
    cardIdOf(key, utf8("numbes")),
    cardIdOf(new Uint8Array(32).fill(1), utf8("number")),
  ])
    assert.is.not(toHex(other), toHex(id));
});

test.run();
