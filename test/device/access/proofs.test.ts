/** What cards and phones have to show, against a reader that says just what a row wants: in memory, no line, no time. */
import {
  type AccessFacts,
  type CardProofOptions,
  type Heard,
  hearPhone,
  PIN_FAILURES_MAX,
  proveCard,
  type Reason,
  TryLimits,
} from "@kerbside/access";
import {
  answerChallenge,
  type CardChip,
  type CardGrant,
  type CarriedGrant,
  cryptoReady,
  decode,
  type Grant,
  phoneChallengeCodec,
  pinHash,
  randomBytes,
  signCarriedGrant,
  signingKey,
  stepCardChip,
  tenantId,
  toHex,
  type VerifyKey,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const KEY = randomBytes(16);
const SALT = randomBytes(16);
const PIN = { salt: SALT, hash: pinHash("4711", SALT) };
const ID = new Uint8Array(16).fill(0xcd);
const PIN_TRIES = `pin:${"cd".repeat(16)}`;
const CARD_TRIES = `card:${"ee".repeat(16)}`;

function grantOf(card: Partial<CardGrant> | undefined): Grant {
  const times = { fromMs: 1, toMs: 2, actions: ["unlock"] as const };
  const base = { cardId: new Uint8Array(16).fill(0xee), proof: "uid", uidRule: "never" } as const;
  const who = card === undefined ? { phone: { publicKey: ID } } : { card: { ...base, ...card } };
  return { id: ID, booking: "b-1", ...times, ...who };
}
const KEYED = grantOf({ proof: "keyed", key: KEY });
const WITH_PIN = grantOf({ uidRule: "with_pin", pin: PIN });
const ALONE = grantOf({ uidRule: "alone" });

type Case = {
  readonly grants: readonly Grant[];
  readonly keyed?: boolean;
  /** The key in the card; undefined: it is taken away. */
  readonly chipKey?: Uint8Array | undefined;
  /** Answers in place of the card's. */
  readonly garbled?: Uint8Array;
  readonly pin?: string | undefined;
  readonly tries?: Readonly<Record<string, number>>;
  readonly disk?: boolean;
  readonly inRental?: boolean;
};
type Ended = {
  readonly proof: Awaited<ReturnType<typeof proveCard>>;
  /** What was kept of tries, each time. */
  readonly kept: readonly Readonly<Record<string, number>>[];
  readonly limits: TryLimits;
  readonly asked: readonly string[];
};

async function prove(given: Case): Promise<Ended> {
  const { grants, keyed = true, pin, tries = {}, disk = true, garbled } = given;
  const kept: Record<string, number>[] = [];
  const asked: string[] = [];
  let chip: CardChip = { value: "idle" };
  // Long after the start of this boot, so that what was counted before is over.
  const limits = new TryLimits(new Map(Object.entries(tries)), 0);
  const options: CardProofOptions = {
    presentation: { id: 5, kind: "card", uid: new Uint8Array(7), keyed },
    offered: grants.map((grant) => ({ grant, from: "listed" })),
    reader: {
      exchange: async (presentation, data) => {
        asked.push(`exchange ${presentation}`);
        if (garbled !== undefined) return garbled;
        if (given.chipKey === undefined) return undefined;
        const step = stepCardChip(chip, data, given.chipKey, randomBytes(16));
        chip = step.chip;
        return step.answer;
      },
      askPin: async (presentation) => {
        asked.push(`pin ${presentation}`);
        return pin;
      },
    },
    random: { bytes: randomBytes },
    limits,
    nowMs: () => 1_000_000,
    inRental: given.inRental ?? false,
    keepTries: async (next) => {
      kept.push(Object.fromEntries(next));
      return disk;
    },
  };
  return { proof: await proveCard(options), kept, limits, asked };
}

const no = (...reasons: readonly Reason[]) => ({ proven: false, reasons });

test("a card with its key shows it, and its failures are forgotten", async () => {
  const none = await prove({ grants: [KEYED], chipKey: KEY, tries: { uid: 1 } });
  assert.equal(none.kept, [], "other tries are none of its own");
  const { proof, kept, asked } = await prove({ grants: [KEYED], chipKey: KEY });
  assert.equal(proof, { proven: true, shown: "key" });
  assert.equal(kept, [], "there was nothing to forget");
  assert.equal(asked, ["exchange 5", "exchange 5", "exchange 5"]);
  const after = await prove({ grants: [KEYED], chipKey: KEY, tries: { [CARD_TRIES]: 2, uid: 1 } });
  assert.equal(after.proof, { proven: true, shown: "key" });
  assert.equal(after.kept, [{ uid: 1 }]);
});

test("another key, noise and a card that is taken away: each has its reason, the first two count", async () => {
  const wrong = await prove({ grants: [KEYED], chipKey: randomBytes(16) });
  assert.equal(wrong.proof, no("wrong_key"));
  assert.equal(wrong.kept, [{ [CARD_TRIES]: 1 }]);
  const noise = await prove({ grants: [KEYED, KEYED], garbled: Uint8Array.of(0x55) });
  assert.equal(noise.proof, no("not_understood"));
  assert.equal(noise.kept, [{ [CARD_TRIES]: 1 }]);
  const gone = await prove({ grants: [KEYED], chipKey: undefined });
  assert.equal(gone.proof, no("no_answer"));
  assert.equal(gone.kept, []);
  assert.equal(gone.asked, ["exchange 5"]);
});

test("a card that failed too often waits, and is not spoken to", async () => {
  const slowed = await prove({ grants: [KEYED], chipKey: KEY, tries: { [CARD_TRIES]: 200 } });
  assert.is(slowed.proof.proven, true, "its time has passed");
  const limits = new TryLimits(new Map(), 0);
  for (let i = 0; i < 3; i += 1) limits.count(CARD_TRIES, 999_000);
  const { proof, asked } = await proveWith(limits, { grants: [KEYED], chipKey: KEY });
  assert.equal(proof, no("try_later"));
  assert.equal(asked, []);
});

/** As `prove`, with counters of this boot. */
async function proveWith(limits: TryLimits, given: Case): Promise<Pick<Ended, "proof" | "asked">> {
  const asked: string[] = [];
  const proof = await proveCard({
    presentation: { id: 5, kind: "card", uid: new Uint8Array(7), keyed: given.keyed ?? true },
    offered: given.grants.map((grant) => ({ grant, from: "listed" })),
    reader: {
      exchange: async () => void asked.push("exchange"),
      askPin: async () => void asked.push("pin"),
    },
    random: { bytes: randomBytes },
    limits,
    nowMs: () => 1_000_000,
    inRental: given.inRental ?? false,
    keepTries: async () => true,
  });
  return { proof, asked };
}

test("it waits to the last millisecond, and no longer", async () => {
  for (const [triedAtMs, reason] of [
    [990_001, "try_later"],
    [990_000, "no_answer"],
  ] as const) {
    const limits = new TryLimits(new Map(), 0);
    for (let i = 0; i < 3; i += 1) limits.count(CARD_TRIES, triedAtMs);
    assert.equal((await proveWith(limits, { grants: [KEYED] })).proof, no(reason));
  }
});

test("strangers' numbers are counted together, and slow bare numbers of others only", async () => {
  const stranger = await prove({ grants: [], keyed: false });
  assert.equal(stranger.proof, no("not_listed"));
  assert.equal(stranger.kept, [{ uid: 1 }]);
  const phones = await prove({ grants: [grantOf(undefined)] });
  assert.equal(phones.kept, [{ uid: 1 }]);
  assert.equal(phones.proof, no("not_listed"), "a grant without a card is none for a card");
  const limits = new TryLimits(new Map(), 0);
  for (let i = 0; i < 3; i += 1) limits.count("uid", 999_500);
  assert.equal((await proveWith(limits, { grants: [] })).proof, no("not_listed", "try_later"));
  for (const grant of [ALONE, WITH_PIN, grantOf({})])
    assert.equal((await proveWith(limits, { grants: [grant] })).proof, no("try_later"));
  assert.equal((await proveWith(limits, { grants: [KEYED] })).proof, no("no_answer"), "its key");
  const driver = await proveWith(limits, { grants: [ALONE], inRental: true });
  assert.is(driver.proof.proven, true, "who is in the rental is not slowed");
});

test("the dearest proof that the grants speak of and the card can give is the one that is asked for", async () => {
  const rows: readonly (Case & {
    readonly why: string;
    readonly shown: string;
    readonly asks?: string;
  })[] = [
    {
      why: "a key before a number",
      grants: [ALONE, KEYED],
      chipKey: KEY,
      shown: "key",
      asks: "exchange 5",
    },
    { why: "a copy of its number", grants: [ALONE, KEYED], keyed: false, shown: "uid" },
    { why: "a copy, and nothing else allowed", grants: [KEYED], keyed: false, shown: "uid" },
    { why: "a number that is enough", grants: [WITH_PIN, ALONE], pin: "1", shown: "uid" },
    {
      why: "a number with a PIN",
      grants: [grantOf({}), WITH_PIN],
      pin: "4711",
      shown: "uid_and_pin",
      asks: "pin 5",
    },
    { why: "a PIN that no grant has", grants: [grantOf({ uidRule: "with_pin" })], shown: "uid" },
    {
      why: "a PIN that is not asked for",
      grants: [grantOf({ pin: PIN })],
      pin: "4711",
      shown: "uid",
    },
    { why: "a key that only the card knows of", grants: [ALONE], keyed: true, shown: "uid" },
  ];
  for (const { why, shown, asks, ...given } of rows) {
    const { proof, asked } = await prove(given);
    assert.equal(proof, { proven: true, shown }, why);
    assert.is(asked[0], asks, why);
  }
});

test("P-20 a PIN is counted before it is judged, and only the right one clears its count", async () => {
  const wrong = await prove({ grants: [WITH_PIN], pin: "4712", tries: { [PIN_TRIES]: 1 } });
  assert.equal(wrong.proof, no("pin_wrong"));
  assert.equal(wrong.kept, [{ [PIN_TRIES]: 2 }]);
  const right = await prove({ grants: [WITH_PIN], pin: "4711", tries: { [PIN_TRIES]: 1 } });
  assert.equal(right.proof, { proven: true, shown: "uid_and_pin" });
  assert.equal(right.kept, [{ [PIN_TRIES]: 2 }, {}]);
  const others = await prove({ grants: [WITH_PIN], pin: "4711", tries: { uid: 2 } });
  assert.equal(others.kept, [{ uid: 2, [PIN_TRIES]: 1 }, { uid: 2 }], "and no other's");
  const none = await prove({ grants: [WITH_PIN, WITH_PIN], pin: undefined });
  assert.equal(none.proof, no("pin_wanted"));
  assert.equal(none.kept, [], "who enters nothing has not failed");
  const unkept = await prove({ grants: [WITH_PIN], pin: "4711", disk: false });
  assert.equal(unkept.proof, no("storage"), "what cannot be counted is not tried");
  assert.is(unkept.limits.failures(PIN_TRIES, 1_000_000), 1);
});

test("P-20 wrong PINs are slowed, and in the end none is taken any more", async () => {
  const last = { [PIN_TRIES]: PIN_FAILURES_MAX - 1 };
  assert.is((await prove({ grants: [WITH_PIN], pin: "4711", tries: last })).proof.proven, true);
  const over = await prove({
    grants: [WITH_PIN],
    pin: "4711",
    tries: { [PIN_TRIES]: PIN_FAILURES_MAX },
  });
  assert.equal(over.proof, no("pin_blocked"));
  assert.equal([over.asked, over.kept], [[], []]);
  const limits = new TryLimits(new Map(), 0);
  for (let i = 0; i < 3; i += 1) limits.count(PIN_TRIES, 999_000);
  const slowed = await proveWith(limits, { grants: [WITH_PIN] });
  assert.equal(slowed.proof, no("try_later"));
  assert.equal(slowed.asked, []);
});

const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const PHONE = signingKey(randomBytes(32));
const GRANT_KEY = signingKey(randomBytes(32));
const NOW = Date.UTC(2026, 10, 1);
const KNOWN: AccessFacts["time"] = { value: "known", wallMs: NOW, doubtMs: 1 };

type Phone = {
  readonly time?: AccessFacts["time"];
  readonly answer: (challenge: Uint8Array) => Uint8Array | undefined;
  readonly hasKey?: boolean;
};
async function hear(given: Phone): Promise<{ readonly heard: Heard; readonly asked: Uint8Array }> {
  const { time = KNOWN, answer, hasKey = true } = given;
  let asked = new Uint8Array();
  const heard = await hearPhone({
    address: ADDRESS,
    presentation: 8,
    reader: {
      exchange: async (presentation, data) => {
        assert.is(presentation, 8);
        asked = Uint8Array.from(data);
        return answer(data);
      },
    },
    random: { bytes: randomBytes },
    time,
    grantKey: () => (hasKey ? verifyKey(GRANT_KEY.publicKey) : undefined),
  });
  return { heard, asked };
}
const says =
  (carried?: Uint8Array) =>
  (challenge: Uint8Array): Uint8Array =>
    answerChallenge(PHONE, challenge, "trunk", carried);

test("a phone is asked with a fresh nonce, the car's name, and its time where it knows it", async () => {
  const first = await hear({ answer: says() });
  assert.equal(first.heard, { heard: true, publicKey: PHONE.publicKey, action: "trunk" });
  const { nonce, ...known } = decode(phoneChallengeCodec, first.asked);
  assert.equal(known, { ...ADDRESS, wallMs: NOW });
  const second = await hear({ answer: says(), time: { value: "unknown" } });
  const { nonce: other, ...unknown } = decode(phoneChallengeCodec, second.asked);
  assert.equal(unknown, ADDRESS);
  assert.is(nonce.length, 16);
  assert.is.not(toHex(nonce), toHex(other));
});

test("silence, noise and an answer to another question are no answers", async () => {
  const old = (await hear({ answer: says() })).asked;
  const rows = [
    { answer: () => undefined, reason: "no_answer" },
    { answer: () => randomBytes(40), reason: "not_understood" },
    { answer: () => says()(old), reason: "not_this_challenge" },
  ] as const;
  for (const { answer, reason } of rows)
    assert.equal((await hear({ answer })).heard, { heard: false, reason });
});

const FOR_PHONE: Grant = {
  id: ID,
  booking: "b-1",
  actions: ["unlock"],
  fromMs: NOW,
  toMs: NOW + 1000,
  phone: { publicKey: PHONE.publicKey },
};
function carried(change: Partial<CarriedGrant> = {}, key = GRANT_KEY): Uint8Array {
  const plain = { ...ADDRESS, listVersion: 3, issuedAtMs: NOW, grant: FOR_PHONE };
  return signCarriedGrant(key, { ...plain, ...change });
}

test("what a phone brings along is told with it, or why it does not count", async () => {
  const genuine: CarriedGrant = { ...ADDRESS, listVersion: 3, issuedAtMs: NOW, grant: FOR_PHONE };
  const rows = [
    { why: "genuine", bring: carried(), tells: genuine },
    {
      why: "of another key",
      bring: carried({}, signingKey(randomBytes(32))),
      tells: "carried_not_authentic",
    },
    { why: "noise", bring: randomBytes(50), tells: "carried_not_authentic" },
    {
      why: "another tenant's",
      bring: carried({ tenant: tenantId("other") }),
      tells: "carried_other_car",
    },
    {
      why: "another car's",
      bring: carried({ vehicle: vehicleId("car-2") }),
      tells: "carried_other_car",
    },
    {
      why: "another phone's, of one bit",
      bring: carried({ grant: { ...FOR_PHONE, phone: { publicKey: randomBytes(32) } } }),
      tells: "carried_other_car",
    },
  ];
  for (const { why, bring, tells } of rows) {
    const { heard } = await hear({ answer: says(bring) });
    assert.equal(
      heard,
      { heard: true, publicKey: PHONE.publicKey, action: "trunk", carried: tells },
      why,
    );
  }
  const keyless = await hear({ answer: says(carried()), hasKey: false });
  assert.ok(keyless.heard.heard && keyless.heard.carried === "carried_not_authentic");
});

test("a bug of ours is not taken for a bad answer", async () => {
  const bug = new TypeError("a bug");
  const broken = (): never => {
    throw bug;
  };
  const ask = (answer: (challenge: Uint8Array) => Uint8Array, key: VerifyKey): Promise<Heard> =>
    hearPhone({
      address: ADDRESS,
      presentation: 1,
      reader: { exchange: async (_, challenge) => answer(challenge) },
      random: { bytes: randomBytes },
      time: KNOWN,
      grantKey: () => key,
    });
  const sound = verifyKey(GRANT_KEY.publicKey);
  const brokenAnswer = Object.defineProperty(new Uint8Array(9), "length", { get: broken });
  const brokenKey: VerifyKey = Object.defineProperty({ ...sound }, "handle", { get: broken });
  for (const heard of [ask(() => brokenAnswer, sound), ask(says(carried()), brokenKey)])
    await heard.then(
      () => assert.unreachable(),
      (error: unknown) => assert.is(error, bug),
    );
});

test.run();
