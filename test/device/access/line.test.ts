/** The reader link on a real tty: a card's challenge through noise, a cut, a slow line, and a line that holds it back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AccessDesk,
  type AccessOrder,
  GrantStore,
  openAccessRecord,
  ReaderDriver,
} from "@kerbside/access";
import { openTwoCopyFile, serialLink } from "@kerbside/immobiliser";
import {
  cardIdOf,
  cryptoReady,
  type LineConnection,
  type LineState,
  randomBytes,
  sealGrantList,
  signGrantList,
  signingKey,
  tenantId,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type CardTap, type Reader, serveReader } from "@kerbside/sim";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { needs } from "../../support/debian.ts";
import { type PtyPair, ptyPair } from "../../support/pty-pair.ts";
import { realClock, realRandom, silentLog } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";
import { until } from "../../support/wait.ts";

await cryptoReady();
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const NOW = Date.UTC(2026, 10, 1);
const GRANT_KEY = signingKey(randomBytes(32));
const CAR_SEED = randomBytes(32);
const CARD_ID_KEY = randomBytes(32);
const CARD: CardTap = {
  kind: "card",
  uid: Uint8Array.of(4, 1, 2, 3, 4, 5, 6),
  key: randomBytes(16),
};
const THIEF: CardTap = { ...CARD, key: randomBytes(16) };

type Spoil = (bytes: Uint8Array, towards: "module" | "reader") => Uint8Array;
const TRUE: Spoil = (bytes) => bytes;

/** The simulated reader's end of a tty, which a test may spoil; it opens the tty anew when that was cut. */
class TtyEnd {
  spoil: Spoil = TRUE;
  #connection: LineConnection | undefined;
  #received: (bytes: Uint8Array) => void = () => undefined;
  #hungUp: () => void = () => undefined;

  readonly line: Extract<Parameters<typeof serveReader>[0]["path"], (...args: never) => unknown> =
    async (connected) => {
      const events = connected({
        write: (bytes) => {
          const said = this.spoil(bytes, "module");
          if (said.length > 0) this.#connection?.write(said);
        },
        waitingBytes: () => 0,
        hangUp: () => this.#connection?.close(),
      });
      this.#received = events.data;
      this.#hungUp = events.closed;
      return { close: async () => this.#connection?.close() };
    };

  async open(path: string): Promise<void> {
    this.#connection?.close();
    this.#connection = await serialLink(
      path,
      115_200,
    )({
      data: (bytes) => {
        const heard = this.spoil(bytes, "reader");
        if (heard.length > 0) this.#received(heard);
      },
      closed: () => undefined,
    });
  }

  close(): void {
    this.#connection?.close();
    this.#hungUp();
  }
}

type Bench = {
  readonly pty: PtyPair;
  readonly end: TtyEnd;
  readonly reader: Reader;
  readonly orders: readonly AccessOrder[];
  readonly states: readonly LineState[];
  /** Holds a card there until it was answered by the car, or the line said nothing. */
  readonly tap: (card: CardTap) => Promise<string>;
};

async function keptFiles(dir: string) {
  const grantFile = await openTwoCopyFile(join(dir, "grants"));
  const recordFile = await openTwoCopyFile(join(dir, "record"));
  const grants = new GrantStore({
    address: ADDRESS,
    seed: CAR_SEED,
    grantKey: () => verifyKey(GRANT_KEY.publicKey),
    file: grantFile,
    log: silentLog,
  });
  const card = { proof: "keyed", uidRule: "never" } as const;
  const grant = {
    id: randomBytes(16),
    booking: "b-1",
    actions: ["unlock" as const],
    fromMs: NOW - 3_600_000,
    toMs: NOW + 3_600_000,
    card: { ...card, cardId: cardIdOf(CARD_ID_KEY, CARD.uid), key: CARD.key ?? new Uint8Array() },
  };
  const plain = {
    ...ADDRESS,
    version: 1,
    issuedAtMs: NOW,
    cardIdKey: CARD_ID_KEY,
    grants: [grant],
  };
  const sealed = sealGrantList(signingKey(CAR_SEED).publicKey, signGrantList(GRANT_KEY, plain));
  assert.is((await grants.apply(sealed)).kind, "applied");
  const close = async (): Promise<void> => {
    await grantFile.close();
    await recordFile.close();
  };
  return { grants, record: openAccessRecord(recordFile), close };
}

async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-reader-line-"));
  const pty = await ptyPair(dir);
  const pairingKey = randomBytes(32);
  const end = new TtyEnd();
  const reader = await serveReader({
    path: end.line,
    pairingKey,
    clock: realClock,
    random: realRandom,
    tapMsMax: 4000,
  });
  await end.open(pty.controller);
  const kept = await keptFiles(dir);
  const orders: AccessOrder[] = [];
  const states: LineState[] = [];
  const driver = new ReaderDriver({
    line: serialLink(pty.module, 115_200),
    pairingKey,
    moduleId: new Uint8Array(8),
    clock: realClock,
    random: realRandom,
    log: silentLog,
    events: {
      presented: (one) => desk.present(one),
      gone: (one) => desk.gone(one),
      link: (state) => states.push(state),
      tamper: () => undefined,
    },
  });
  let ms = 0;
  const desk: AccessDesk = new AccessDesk({
    ...{ address: ADDRESS, reader: driver, grants: kept.grants, record: kept.record },
    grantKey: () => verifyKey(GRANT_KEY.publicKey),
    time: () => ({ value: "known", wallMs: NOW, doubtMs: 100 }),
    rental: () => ({ value: "none" }),
    bolts: () => ({ driver: "yes", all: "yes" }),
    perform: async (order) => {
      orders.push(order);
      return { status: "executed", unmet: [] };
    },
    emit: () => undefined,
    // What is slowed by failed tries is for other tests: here an hour passes between two.
    clock: { bootMs: () => (ms += 3_600_000) },
    random: realRandom,
    log: silentLog,
  });
  driver.start();
  await until("a session", () => states.at(-1) === "up" && reader.state() === "ready");
  const tap = async (card: CardTap): Promise<string> => {
    const shown = await reader.tap(card);
    await desk.settled();
    return shown;
  };
  try {
    await work({ pty, end, reader, orders, states, tap });
  } finally {
    driver.stop();
    end.close();
    await reader.close();
    await pty.cut();
    await kept.close();
    rmSync(dir, { recursive: true });
  }
}
const onPty = needs("socat");

onPty("a tty: a card opens, one with another key does not", () =>
  withBench(async ({ tap, orders }) => {
    assert.is(await tap(CARD), "granted");
    assert.is(await tap(THIEF), "refused");
    assert.is(orders.length, 1);
  }),
);

onPty(
  "a line that spoils one byte in five hundred: only the true card opens, and in the end it does",
  () =>
    withBench(async ({ tap, orders, end }) => {
      const seed = Math.trunc(Math.random() * 2 ** 31);
      process.stdout.write(`# seed ${seed}\n`);
      const chance = seeded(seed);
      end.spoil = (bytes) =>
        bytes.map((byte) => (chance() < 0.002 ? byte ^ (1 << Math.trunc(chance() * 8)) : byte));
      assert.is.not(await tap(THIEF), "granted");
      assert.is(orders.length, 0);
      let tries = 0;
      for (let shown = ""; shown !== "granted"; tries += 1) {
        assert.ok(tries < 20, "it never got through");
        const before = orders.length;
        shown = await tap(CARD);
        // Its answer may be lost after it was let do something; never is it shown what was not done.
        if (shown === "granted") assert.is(orders.length, before + 1);
      }
    }),
);

onPty(
  "a line cut with a card at it, and joined again: nothing was done, and the next tap is served",
  () =>
    withBench(async ({ tap, orders, end, pty, states, reader }) => {
      // The module asks, and its question is lost with the line.
      end.spoil = (bytes, towards) => (towards === "reader" ? new Uint8Array() : bytes);
      const held = reader.tap(CARD);
      await pty.cut();
      await until("the module knows", () => states.at(-1) === "silent");
      assert.equal(orders, []);
      end.spoil = TRUE;
      await pty.join();
      await end.open(pty.controller);
      await until("a new session", () => states.at(-1) === "up");
      assert.is(await held, "granted", "the card is still there, and is presented anew");
      assert.is(orders.length, 1);
      assert.is(await tap(CARD), "granted");
      assert.equal(states, ["up", "silent", "up"]);
    }),
);

onPty("a line that holds back what the card answered: it comes too late for anything", () =>
  withBench(async ({ tap, orders, end, states }) => {
    const held: Uint8Array[] = [];
    end.spoil = (bytes, towards) => {
      if (towards === "reader") return bytes;
      held.push(Uint8Array.from(bytes));
      return new Uint8Array();
    };
    const first = tap(CARD);
    await until("the session is over", () => states.at(-1) === "silent");
    assert.equal(orders, []);
    end.spoil = (bytes, towards) =>
      towards === "reader" ? bytes : Buffer.concat([...held.splice(0), bytes]);
    await until("a new session", () => states.at(-1) === "up");
    assert.is(await first, "granted", "by a challenge of the new session");
    assert.is(orders.length, 1);
  }),
);

onPty("a slow line: bytes one by one still make frames, and an answer in time", () =>
  withBench(async ({ tap, orders, end }) => {
    let queue: number[] = [];
    end.spoil = (bytes, towards) => {
      if (towards === "reader") return bytes;
      queue.push(...bytes);
      const now = queue.slice(0, Math.max(1, queue.length - 1));
      queue = queue.slice(now.length);
      return Uint8Array.from(now);
    };
    assert.is(await tap(CARD), "granted");
    assert.is(orders.length, 1);
  }),
);

test.run();
