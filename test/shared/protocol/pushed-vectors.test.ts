/** The golden vectors of what the cloud hands to cars ahead of time: grants, time, new keys, pushes. */
import {
  applyKeyPush,
  type Codec,
  cardIdOf,
  carriedGrantCodec,
  cryptoReady,
  decode,
  encode,
  encodeKeyPush,
  encodePush,
  fromHex,
  type GrantList,
  grantListCodec,
  openCarriedGrant,
  openGrantList,
  openTime,
  type Push,
  parsePush,
  pinHash,
  type SigningKey,
  type Succession,
  signCarriedGrant,
  signGrantList,
  signingKey,
  signTime,
  tenantId,
  timeAnswerCodec,
  toHex,
  type VerifyKey,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Vector, vector } from "./vectors.ts";

await cryptoReady();

const golden = vector;
const same = (actual: Uint8Array, expected: Uint8Array): void =>
  assert.is(toHex(actual), toHex(expected));
const refused = (run: () => unknown, code: string): void =>
  assert.throws(run, (error: { code?: string }) => error.code === code);
/** The codecs refuse what is not of the type, so a wrong vector fails. */
function typed<T>(v: Vector, name: string): T {
  return v.json(name) as T;
}

type Signed<T> = {
  readonly name: string;
  readonly codec: Codec<T>;
  readonly sign: (key: SigningKey, value: T) => Uint8Array;
  readonly open: (key: VerifyKey, envelope: Uint8Array, v: Vector) => T;
};

function signed<T>({ name, codec, sign, open }: Signed<T>): void {
  test(`vector ${name}: payload and envelope both ways, and no bit of it changed`, () => {
    const v = vector(name);
    const key = signingKey(v.hex("seed"));
    const value = typed<T>(v, "value");
    const envelope = v.hex("envelope");
    same(encode(codec, value), v.hex("payload"));
    assert.equal(decode(codec, v.hex("payload")), value);
    same(sign(key, value), envelope);
    assert.equal(open(verifyKey(key.publicKey), envelope, v), value);
    for (let at = 0; at < envelope.length; at += 1) {
      const changed = envelope.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      assert.throws(() => open(verifyKey(key.publicKey), changed, v), `byte ${at}`);
    }
  });
}

signed({ name: "grant-list", codec: grantListCodec, sign: signGrantList, open: openGrantList });
signed({
  name: "carried-grant",
  codec: carriedGrantCodec,
  sign: signCarriedGrant,
  open: openCarriedGrant,
});
signed({ name: "time", codec: timeAnswerCodec, sign: signTime, open: openTime });
test("vector grant-list: a card's number and a PIN become what the list holds", () => {
  const v = golden("grant-list");
  const list = typed<GrantList>(v, "value");
  const card = list.grants[1]?.card;
  assert.ok(card?.pin);
  same(cardIdOf(list.cardIdKey, v.hex("uid")), card?.cardId ?? new Uint8Array());
  same(pinHash(typed<string>(v, "pin"), card?.pin?.salt ?? new Uint8Array()), card.pin.hash);
});

test("vector key-push: the spare names the next authority, and versions begin anew", () => {
  const v = golden("key-push");
  const pinned = (name: string): Uint8Array => signingKey(v.hex(name)).publicKey;
  const tenant = tenantId("demo");
  const before = applyKeyPush(
    {
      tenant,
      authorityVersion: 1,
      authorityKey: pinned("authority seed"),
      spareKey: pinned("spare seed"),
      keys: {},
    },
    encodeKeyPush({ certificates: [v.hex("certificate before")] }),
  ).trusted;
  const { trusted, changed } = applyKeyPush(before, v.hex("message"));
  assert.equal(changed, ["authority", "command"]);
  same(trusted.keys.command?.publicKey ?? new Uint8Array(), v.hex("command key after"));
  const { authorityKey, spareKey } = typed<Succession>(v, "succession");
  same(trusted.authorityKey, authorityKey);
  same(trusted.spareKey ?? new Uint8Array(), spareKey);
  assert.equal(applyKeyPush(trusted, v.hex("message")).changed, [], "the same again");
});

test("vector push: three kinds", () => {
  const v = golden("push");
  const one = Uint8Array.of(1, 2);
  const pushes: readonly Push[] = [
    { kind: "artefact", manifest: one, content: Uint8Array.of(5, 6, 7) },
    { kind: "keys", keys: one },
    { kind: "grants", sealed: one },
  ];
  for (const push of pushes) {
    same(encodePush(push), v.hex(push.kind));
    assert.equal(parsePush(v.hex(push.kind)), push);
  }
  for (const bad of ["80", "8103", "820341aa", "830141aa41bb", "820041aa"])
    refused(() => parsePush(fromHex(bad)), "malformed");
});

test.run();
