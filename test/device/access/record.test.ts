/** What the car remembers of access, and what a technician may see of it. */
import {
  HOLDERS_MAX,
  type Holder,
  type KeptFile,
  listAccess,
  openAccessRecord,
} from "@kerbside/access";
import {
  cardIdOf,
  cryptoReady,
  encode,
  GRANT_DOMAINS,
  type Grant,
  type GrantList,
  grantListCodec,
  pinHash,
  randomBytes,
  sha256,
  sign1,
  signGrantList,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

await cryptoReady();
const FROM = Date.UTC(2026, 10, 1, 10);
const bytesOf = (byte: number, length = 16): Uint8Array => new Uint8Array(length).fill(byte);
const grant = (id: number, booking: string): Grant => ({
  id: bytesOf(id),
  booking,
  actions: ["unlock", "lock"],
  fromMs: FROM,
  toMs: FROM + 3_600_000,
  phone: { publicKey: bytesOf(id, 32) },
});
const holder = (id: number, booking = "b-1"): Holder => ({ grant: grant(id, booking) });

type Memory = KeptFile & { content: Uint8Array | undefined; fails: boolean; writes: number };
function memory(content?: Uint8Array, damaged = false): Memory {
  const file: Memory = {
    content,
    damaged,
    fails: false,
    writes: 0,
    write: async (next) => {
      file.writes += 1;
      if (file.fails) throw new Error("EIO");
      file.content = next;
    },
  };
  return file;
}

test("it begins empty and sound; holders and tries outlive a restart", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  assert.is(record.damaged, false);
  assert.equal(record.holders(), []);
  assert.is(record.tries().size, 0);
  const card: Holder = { grant: grant(2, "b-1"), cardIdKey: bytesOf(7, 32) };
  assert.is(await record.hold(holder(1)), true);
  assert.is(await record.hold(card), true);
  assert.is(await record.keepTries(new Map([["uid", 3]])), true);
  const again = openAccessRecord(file);
  assert.is(again.damaged, false);
  assert.equal(again.holders(), [holder(1), card]);
  assert.equal([...again.tries()], [["uid", 3]]);
});

test("who is held again is held once, as of the last time, and last", async () => {
  const record = openAccessRecord(memory());
  await record.hold(holder(1));
  await record.hold(holder(2));
  const later: Holder = { grant: { ...grant(1, "b-1"), toMs: FROM + 9 } };
  await record.hold(later);
  assert.equal(record.holders(), [holder(2), later]);
});

test("no more are held than fit; those that are there may still be renewed", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  for (let id = 1; id <= HOLDERS_MAX; id += 1) assert.is(await record.hold(holder(id)), true);
  assert.is(HOLDERS_MAX, 4);
  const { writes } = file;
  assert.is(await record.hold(holder(9)), false);
  assert.is(file.writes, writes, "nothing was written");
  assert.is(await record.hold(holder(2)), true);
  assert.is(record.holders().length, HOLDERS_MAX);
});

test("a booking's end lets go of all others, and writes only if there is something to say", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  await record.hold(holder(1, "b-1"));
  await record.hold(holder(2, "b-2"));
  const { writes } = file;
  assert.is(await record.release("b-2"), true);
  assert.equal(record.holders(), [holder(2, "b-2")]);
  assert.is(file.writes, writes + 1);
  assert.is(await record.release("b-2"), true);
  assert.is(file.writes, writes + 1);
  assert.is(await record.release(undefined), true);
  assert.equal(record.holders(), []);
  assert.equal(openAccessRecord(file).holders(), []);
});

test("where the disk fails it says so, and what it was told counts until the power goes", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  file.fails = true;
  assert.is(await record.hold(holder(1)), false);
  assert.is(await record.keepTries(new Map([["uid", 1]])), false);
  assert.equal(record.holders(), [holder(1)]);
  assert.is(record.tries().get("uid"), 1);
  assert.is(await record.release(undefined), false);
  assert.equal(openAccessRecord(file).holders(), []);
});

test("beyond the bound what was tried longest ago is forgotten", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  const tries = new Map(Array.from({ length: 1025 }, (_, i) => [`pin:${i}`, 1] as const));
  assert.is(await record.keepTries(tries), true);
  const again = openAccessRecord(file).tries();
  assert.is(again.size, 1024);
  assert.not.ok(again.has("pin:0"));
  assert.ok(again.has("pin:1") && again.has("pin:1024"));
});

test("damage is told, whether the file or what is in it cannot be read", () => {
  assert.is(openAccessRecord(memory(undefined, true)).damaged, true);
  const record = openAccessRecord(memory(bytesOf(255)));
  assert.is(record.damaged, true);
  assert.equal(record.holders(), []);
});

const SALT = bytesOf(9);
const CARD: Grant = {
  id: bytesOf(0xab),
  booking: "b-2",
  actions: ["unlock"],
  fromMs: FROM,
  toMs: FROM + 60_000,
  card: {
    cardId: cardIdOf(bytesOf(5, 32), bytesOf(4, 7)),
    proof: "uid",
    uidRule: "with_pin",
    pin: { salt: SALT, hash: pinHash("4711", SALT) },
  },
};

function listed(grants: readonly Grant[]): Uint8Array {
  const list: GrantList = {
    tenant: tenantId("demo"),
    vehicle: vehicleId("car-1"),
    version: 7,
    issuedAtMs: FROM,
    cardIdKey: bytesOf(5, 32),
    grants,
  };
  return signGrantList(signingKey(randomBytes(32)), list);
}

test("a technician sees each grant, who is in the rental and how often somebody failed", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  await record.hold(holder(1));
  await record.hold(holder(3, "b-3"));
  await record.keepTries(new Map(Object.entries({ uid: 2, "pin:x": 3 })));
  const phone = toHex(sha256(bytesOf(1, 32))).slice(0, 12);
  const seen = listAccess(listed([grant(1, "b-1"), CARD]), file.content);
  assert.equal(seen.list, { version: 7, issuedAt: "2026-11-01T10:00:00.000Z", grants: 2 });
  assert.is(seen.failedTries, 5);
  assert.equal(seen.grants, [
    {
      grant: "010101010101",
      booking: "b-1",
      credential: `phone ${phone}`,
      proof: "signature",
      actions: "unlock lock",
      from: "2026-11-01T10:00:00.000Z",
      to: "2026-11-01T11:00:00.000Z",
      inRental: true,
    },
    {
      grant: "abababababab",
      booking: "b-2",
      credential: `card ${toHex(cardIdOf(bytesOf(5, 32), bytesOf(4, 7))).slice(0, 12)}`,
      proof: "uid, uid with_pin",
      actions: "unlock",
      from: "2026-11-01T10:00:00.000Z",
      to: "2026-11-01T10:01:00.000Z",
      inRental: false,
    },
    {
      grant: "030303030303",
      booking: "b-3",
      credential: `phone ${toHex(sha256(bytesOf(3, 32))).slice(0, 12)}`,
      proof: "signature",
      actions: "unlock lock",
      from: "2026-11-01T10:00:00.000Z",
      to: "2026-11-01T11:00:00.000Z",
      inRental: true,
    },
  ]);
});

test("what is on the disk is read by the next version: golden bytes", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  const short = { ...grant(1, "b"), actions: ["unlock"], fromMs: 1, toMs: 2 } as const;
  await record.hold({ grant: short, cardIdKey: bytesOf(2, 32) });
  await record.keepTries(new Map([["uid", 3]]));
  const grantHex = `a6005001010101010101010101010101010101016162${"02a1005820"}${"01".repeat(32)}0481000501${"0602"}`;
  assert.is(
    toHex(file.content ?? new Uint8Array()),
    `a20081a200${grantHex}015820${"02".repeat(32)}0181a200637569640103`,
  );
});

test("when the last failure can have been at the latest outlives a restart, where the time was known", async () => {
  const file = memory();
  const record = openAccessRecord(file);
  assert.is(record.triedAtMs(), undefined);
  await record.keepTries(new Map([["uid", 3]]), 1700.2);
  await record.hold(holder(1));
  assert.is(openAccessRecord(file).triedAtMs(), 1701, "rounded up: never too early");
  await record.keepTries(new Map([["uid", 4]]));
  assert.is(openAccessRecord(file).triedAtMs(), undefined, "a failure at an unknown time");
});

test("a name of tries fits into 64 characters, and no more", async () => {
  const record = openAccessRecord(memory());
  assert.is(await record.keepTries(new Map([["x".repeat(64), 1]])), true);
  await record.keepTries(new Map([["x".repeat(65), 1]])).then(
    () => assert.unreachable(),
    () => undefined,
  );
});

test("a bug of ours is not taken for damage", () => {
  const bug = new TypeError("a bug");
  const broken = Object.defineProperty(bytesOf(0), "length", {
    get: () => {
      throw bug;
    },
  });
  assert.throws(
    () => openAccessRecord(memory(broken)),
    (error: unknown) => error === bug,
  );
});

test("a grant that is for nobody is listed as that", () => {
  const { card: _card, ...nobody } = CARD;
  const list = {
    tenant: tenantId("demo"),
    vehicle: vehicleId("car-1"),
    version: 7,
    issuedAtMs: FROM,
    cardIdKey: bytesOf(5, 32),
    grants: [nobody],
  };
  const key = signingKey(randomBytes(32));
  const envelope = sign1(key, GRANT_DOMAINS.list, encode(grantListCodec, list));
  const [row] = listAccess(envelope, undefined).grants;
  assert.equal([row?.credential, row?.proof], ["card abababababab", "none"]);
});

test("a technician is told where there is no list, and where it cannot be read", () => {
  assert.equal(listAccess(undefined, undefined), { list: "none", grants: [], failedTries: 0 });
  assert.equal(listAccess(bytesOf(255), bytesOf(255)), {
    list: "damaged",
    grants: [],
    failedTries: 0,
  });
});

test.run();
