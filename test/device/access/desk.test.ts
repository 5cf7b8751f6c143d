/** The whole way at the reader: simulated reader, real socket and link, real two-copy store, desk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AccessDesk,
  type AccessFacts,
  type AccessOrder,
  GrantStore,
  openAccessRecord,
  PIN_FAILURES_MAX,
  ReaderDriver,
} from "@kerbside/access";
import { openTwoCopyFile, serialLink } from "@kerbside/immobiliser";
import {
  cardIdOf,
  cryptoReady,
  type Grant,
  type NewEvent,
  pinHash,
  randomBytes,
  sealGrantList,
  signCarriedGrant,
  signGrantList,
  signingKey,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import {
  type CardTap,
  type PhoneTap,
  type Reader,
  serveReader,
  type TapOutcome,
} from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, realClock, realRandom, silentLog } from "../../support/runtime.ts";

await cryptoReady();
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const NOW = Date.UTC(2026, 10, 1);
const GRANT_KEY = signingKey(randomBytes(32));
const SEED = randomBytes(32);
const CARD_ID_KEY = randomBytes(32);
const UID = Uint8Array.of(4, 1, 2, 3, 4, 5, 6);
const CARD_KEY = randomBytes(16);
const PHONE_SEED = randomBytes(32);
const grant = (change: Partial<Grant>): Grant => ({
  id: randomBytes(16),
  booking: "b-1",
  actions: ["unlock_and_release", "unlock", "lock"],
  fromMs: NOW - 3_600_000,
  toMs: NOW + 3_600_000,
  ...change,
});
const cardId = cardIdOf(CARD_ID_KEY, UID);
const KEYED = grant({ card: { cardId, proof: "keyed", key: CARD_KEY, uidRule: "never" } });
const PHONE = grant({ phone: { publicKey: signingKey(PHONE_SEED).publicKey } });
const salt = randomBytes(16);
const PIN = { salt, hash: pinHash("4711", salt) };
const WITH_PIN = grant({ card: { cardId, proof: "uid", uidRule: "with_pin", pin: PIN } });

type Rig = {
  readonly tap: (what: CardTap | PhoneTap) => Promise<TapOutcome>;
  readonly apply: (grants: readonly Grant[]) => Promise<void>;
  readonly orders: AccessOrder[];
  readonly events: NewEvent[];
  readonly reasons: () => readonly string[];
  readonly facts: {
    time: AccessFacts["time"];
    rental: AccessFacts["rental"];
    locked: "yes" | "no";
  };
  /** What tries are measured by. */
  readonly clock: ReturnType<typeof manualClock>;
  readonly desk: AccessDesk;
};

function tapper(reader: Reader, desk: AccessDesk): Rig["tap"] {
  return async (what) => {
    for (;;) {
      const shown = await reader.tap(what);
      await desk.settled();
      if (shown !== "no_car" && shown !== "wait") return shown;
      // Held to it again, as a person does until it shows something.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
}

function applier(grants: GrantStore, desk: AccessDesk): Rig["apply"] {
  let version = grants.version();
  return async (list) => {
    version += 1;
    const plain = { ...ADDRESS, version, issuedAtMs: NOW, cardIdKey: CARD_ID_KEY, grants: list };
    const bytes = sealGrantList(signingKey(SEED).publicKey, signGrantList(GRANT_KEY, plain));
    assert.is((await grants.apply(bytes)).kind, "applied");
    await desk.listApplied();
  };
}

async function withRig(folder: string, work: (rig: Rig) => Promise<void>): Promise<void> {
  const pairingKey = randomBytes(32);
  const path = join(folder, "reader.sock");
  const reader: Reader = await serveReader({
    path,
    pairingKey,
    clock: realClock,
    random: realRandom,
  });
  const grantFile = await openTwoCopyFile(join(folder, "grants"));
  const recordFile = await openTwoCopyFile(join(folder, "record"));
  const grantKey = () => verifyKey(GRANT_KEY.publicKey);
  const grants = new GrantStore({
    address: ADDRESS,
    seed: SEED,
    grantKey,
    file: grantFile,
    log: silentLog,
  });
  const facts: Rig["facts"] = {
    time: { value: "known", wallMs: NOW, doubtMs: 100 },
    rental: { value: "none" },
    locked: "yes",
  };
  const [orders, events]: [AccessOrder[], NewEvent[]] = [[], []];
  const clock = manualClock();
  const driver = new ReaderDriver({
    line: serialLink(path, 115_200),
    pairingKey,
    moduleId: new Uint8Array(8),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    events: {
      presented: (one) => desk.present(one),
      gone: (one) => desk.gone(one),
      link: () => undefined,
      tamper: () => undefined,
    },
  });
  const desk: AccessDesk = new AccessDesk({
    address: ADDRESS,
    reader: driver,
    grants,
    record: openAccessRecord(recordFile),
    grantKey,
    time: () => facts.time,
    rental: () => facts.rental,
    bolts: () => ({ driver: facts.locked, all: facts.locked }),
    perform: async (order) => {
      orders.push(order);
      if (order.action === "unlock_and_release")
        facts.rental = { value: "open", booking: order.booking };
      facts.locked = order.action === "lock" ? "yes" : "no";
      return { status: "executed", unmet: [] };
    },
    emit: (event) => events.push(event),
    clock,
    random: realRandom,
    log: silentLog,
  });
  driver.start();
  const tap = tapper(reader, desk);
  const apply = applier(grants, desk);
  const reasons = (): readonly string[] => {
    const last = events.at(-1);
    return last?.kind === "access.refused" ? last.data.reasons : [];
  };
  try {
    await work({ tap, apply, orders, events, reasons, facts, clock, desk });
  } finally {
    driver.stop();
    await reader.close();
    await grantFile.close();
    await recordFile.close();
  }
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kerbside-desk-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const CARD: CardTap = { kind: "card", uid: UID, key: CARD_KEY };
const BARE: CardTap = { kind: "card", uid: UID };
const phone = (action: PhoneTap["action"]): PhoneTap => ({
  kind: "phone",
  seed: PHONE_SEED,
  action,
});

test("P-20 a card opens, locks and unlocks within its rental; its number is in no event", () =>
  inFolder((folder) =>
    withRig(folder, async ({ tap, apply, orders, events }) => {
      assert.is(await tap(CARD), "refused", "before any list");
      await apply([KEYED, PHONE]);
      assert.is(await tap(BARE), "refused", "a copy of its number");
      assert.is(await tap({ ...CARD, key: randomBytes(16) }), "refused", "another key");
      assert.is(await tap(CARD), "granted");
      assert.is(await tap(CARD), "granted");
      assert.is(await tap(CARD), "granted");
      assert.equal(
        orders.map(({ action }) => action),
        ["unlock_and_release", "lock", "unlock"],
      );
      assert.is(events.length, 6, "every use and every refusal");
      const text = JSON.stringify(events, (_, value) =>
        value instanceof Uint8Array ? toHex(value) : value,
      );
      assert.not.ok(text.includes(toHex(UID)));
    }),
  ));

test("who is in a rental stays in it: revoked, with unknown time, after a restart; until it ends", () =>
  inFolder(async (folder) => {
    await withRig(folder, async ({ tap, apply }) => {
      await apply([KEYED, PHONE]);
      assert.is(await tap(phone("unlock_and_release")), "granted");
      assert.is(await tap(CARD), "granted");
      await apply([]);
    });
    await withRig(folder, async ({ tap, facts, desk, reasons }) => {
      facts.time = { value: "unknown" };
      facts.rental = { value: "open", booking: "b-1" };
      assert.is(await tap(phone("lock")), "granted");
      assert.is(await tap(CARD), "granted");
      facts.rental = { value: "none" };
      await desk.rentalChanged();
      assert.is(await tap(phone("unlock")), "refused");
      assert.equal(reasons(), ["not_listed"]);
      assert.is(await tap(CARD), "refused");
    });
  }));

test("wrong PINs are slowed, are remembered over a restart, and end with the PIN being blocked", () =>
  inFolder(async (folder) => {
    const wrong: CardTap = { ...BARE, pin: "0000" };
    const right: CardTap = { ...BARE, pin: "4711" };
    await withRig(folder, async ({ tap, apply, reasons }) => {
      await apply([WITH_PIN]);
      assert.is(await tap(BARE), "refused");
      assert.equal(reasons(), ["pin_wanted"]);
      for (let time = 0; time < 3; time += 1) {
        assert.is(await tap(wrong), "refused");
        assert.equal(reasons(), ["pin_wrong"]);
      }
      assert.is(await tap(right), "refused");
      assert.equal(reasons(), ["try_later"]);
    });
    await withRig(folder, async ({ tap, apply, clock, reasons }) => {
      assert.is(await tap(right), "refused");
      assert.equal(reasons(), ["try_later"], "pulling the fuse wins no try");
      for (let failures = 3; failures < PIN_FAILURES_MAX; failures += 1) {
        clock.pass(900_000);
        await tap(wrong);
      }
      clock.pass(900_000);
      assert.is(await tap(right), "refused");
      assert.equal(reasons(), ["pin_blocked"]);
      await apply([{ ...WITH_PIN, id: randomBytes(16) }]);
      assert.is(await tap(right), "granted", "a new grant, a new PIN");
    });
  }));

test("a grant that a phone brings counts if it is newer than the list, this car's, this phone's and genuine", () =>
  inFolder((folder) =>
    withRig(folder, async ({ tap, apply, facts, reasons }) => {
      await apply([]);
      await apply([]);
      const bring = (listVersion: number, change: object = {}, key = GRANT_KEY): PhoneTap => {
        const plain = { ...ADDRESS, listVersion, issuedAtMs: NOW, grant: PHONE, ...change };
        return { ...phone("unlock_and_release"), carried: signCarriedGrant(key, plain) };
      };
      const stranger = grant({ phone: { publicKey: signingKey(randomBytes(32)).publicKey } });
      const rows = [
        { why: "made after an older list", what: bring(1), reason: "carried_superseded" },
        {
          why: "another car's",
          what: bring(2, { vehicle: vehicleId("car-2") }),
          reason: "carried_other_car",
        },
        {
          why: "another phone's",
          what: bring(2, { grant: stranger }),
          reason: "carried_other_car",
        },
        {
          why: "another key signed it",
          what: bring(2, {}, signingKey(randomBytes(32))),
          reason: "carried_not_authentic",
        },
      ];
      for (const { why, what, reason } of rows) {
        assert.is(await tap(what), "refused", why);
        assert.equal(reasons(), [reason], why);
      }
      facts.time = { value: "unknown" };
      assert.is(await tap(bring(2)), "refused");
      assert.equal(reasons(), ["time_unknown"]);
      facts.time = { value: "known", wallMs: NOW, doubtMs: 100 };
      assert.is(await tap(bring(2)), "granted");
    }),
  ));

test("strangers' numbers slow each other, and nobody with a key", () =>
  inFolder((folder) =>
    withRig(folder, async ({ tap, apply, reasons }) => {
      await apply([KEYED]);
      for (let time = 0; time < 4; time += 1)
        await tap({ kind: "card", uid: Uint8Array.of(8, time, 1, 1) });
      assert.equal(reasons(), ["not_listed", "try_later"]);
      assert.is(await tap(CARD), "granted");
    }),
  ));

test.run();
