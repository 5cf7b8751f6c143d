/** The reader driver over a line in memory, with the reader's own session at the other end and a clock that is told. */
import { type Presentation, ReaderDriver } from "@kerbside/access";
import {
  type LineEvents,
  type LineState,
  READER_PART_BYTES_MAX,
  ReaderLinkSession,
  type ReaderMessage,
  type ReaderMessageOf,
  randomBytes,
  sealPin,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

const KEY = randomBytes(32);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
type Received = Exclude<ReaderMessage, { type: "readerReport" }>;

class Bench {
  readonly clock: ManualClock = manualClock();
  readonly presented: Presentation[] = [];
  readonly gone: number[] = [];
  readonly states: LineState[] = [];
  readonly tampers: boolean[] = [];
  /** What the reader was told, but for acknowledgements. */
  readonly received: Received[] = [];
  closed = 0;
  carries = true;
  #events: LineEvents | undefined;
  readonly #reader: ReaderLinkSession = new ReaderLinkSession({
    role: "controller",
    pairingKey: KEY,
    id: new Uint8Array(8),
    random: { bytes: randomBytes },
    firmware: { major: 1, minor: 0, patch: 0 },
  });
  readonly driver: ReaderDriver = new ReaderDriver({
    line: async (events) => {
      this.#events = events;
      return {
        write: (bytes) => {
          if (this.carries) this.#carry(bytes);
          return this.carries;
        },
        close: () => {
          this.closed += 1;
        },
      };
    },
    pairingKey: KEY,
    moduleId: new Uint8Array(8).fill(1),
    clock: this.clock,
    random: { bytes: randomBytes, fraction: () => 0 },
    log: silentLog,
    events: {
      presented: (one) => this.presented.push(one),
      gone: (one) => this.gone.push(one),
      link: (state) => this.states.push(state),
      tamper: (opened) => this.tampers.push(opened),
    },
  });

  #carry(bytes: Uint8Array): void {
    const { messages, bytesOut } = this.#reader.receive(bytes, this.clock.bootMs());
    if (bytesOut.length > 0) queueMicrotask(() => this.#events?.data(bytesOut));
    for (const message of messages)
      if (message.type !== "ack" && message.type !== "nak" && message.type !== "readerReport")
        this.received.push(message);
  }

  /** Started, greeted and asked how it is. */
  static async up(): Promise<Bench> {
    const bench = new Bench();
    bench.driver.start();
    await bench.pass(1000);
    assert.equal(bench.states, ["up"]);
    return bench;
  }

  /** The reader says something. */
  say(message: ReaderMessage): void {
    const sent = this.#reader.send(message, this.clock.bootMs());
    assert.ok(sent.sent);
    this.#events?.data(sent.bytesOut);
  }

  hold(presentation: number, kind: "card" | "phone" = "card"): void {
    const uid = Uint8Array.of(4, 5, 6, 7, 0, 0, 0, 0, 0, 0);
    const isCard = kind === "card";
    const own = isCard ? { uidBytes: 4, uid } : { uidBytes: 0, uid: new Uint8Array(10) };
    this.say({ type: "presented", presentation, kind, keyed: isCard, ...own });
  }

  answer(change: Partial<ReaderMessageOf<"exchanged">> = {}): void {
    const exchange = this.exchanges.at(-1)?.exchange ?? -1;
    const rest = { part: 0, last: true, outcome: "ok", data: Uint8Array.of(9, 9) } as const;
    this.say({ type: "exchanged", presentation: 7, exchange, ...rest, ...change });
  }

  get exchanges(): readonly ReaderMessageOf<"exchange">[] {
    return this.received.flatMap((one) => (one.type === "exchange" ? [one] : []));
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 250) {
      this.clock.pass(250);
      const out = this.#reader.tick(this.clock.bootMs()).bytesOut;
      if (out.length > 0 && this.carries) this.#events?.data(out);
      await turn();
    }
  }
}

/** What a promise has come to by now: `undefined` is an answer, "waits" is none. */
async function now<T>(promise: Promise<T>): Promise<T | "waits"> {
  for (let i = 0; i < 5; i += 1) await turn();
  return Promise.race([promise, Promise.resolve("waits" as const)]);
}

test("with a session up the reader is asked how it is; opened and closed are told as they change", async () => {
  const bench = await Bench.up();
  assert.equal(bench.received, [{ type: "readerStatusRequest" }]);
  const report = { type: "readerReport", keypad: true, resetCount: 0 } as const;
  for (const tamper of ["intact", "unknown", "opened", "opened", "unknown", "intact"] as const)
    bench.say({ ...report, tamper });
  assert.equal(bench.tampers, [true, false]);
  bench.say({ ...report, tamper: "opened" });
  bench.say({ ...report, tamper: "unknown" });
  assert.equal(bench.tampers, [true, false, true], "a contact that says nothing changes nothing");
  bench.driver.stop();
});

test("what is over leaves no clock behind: taken away, or a PIN that came", async () => {
  const bench = await Bench.up();
  bench.say({ type: "gone", presentation: 6 });
  bench.hold(7);
  const first = bench.driver.exchange(7, Uint8Array.of(1));
  bench.say({ type: "gone", presentation: 7 });
  assert.equal(bench.gone, [6, 7]);
  assert.is(await now(first), undefined);
  await bench.pass(2000);
  bench.hold(8);
  const pin = bench.driver.askPin(8);
  await bench.pass(2000);
  assert.is(await now(pin), "waits", "the first one's 3 s are not the PIN's");
  const asked = bench.received.find((one) => one.type === "askPin");
  assert.ok(asked !== undefined);
  bench.say({ type: "pinEntered", presentation: 8, sealed: sealPin(KEY, asked.nonce, "4711") });
  assert.is(await now(pin), "4711");
  await bench.pass(17_000);
  const last = bench.driver.exchange(8, Uint8Array.of(1));
  await bench.pass(2000);
  assert.is(await now(last), "waits", "the PIN's 20 s are not the next one's");
  bench.driver.stop();
  assert.is(await now(last), undefined);
});

test("what is held there is told once for each presentation, a card with its number, a phone with none", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  bench.hold(7);
  bench.hold(8, "phone");
  assert.equal(bench.presented, [
    { id: 7, kind: "card", keyed: true, uid: Uint8Array.of(4, 5, 6, 7) },
    { id: 8, kind: "phone" },
  ]);
  bench.driver.stop();
});

test("bytes go there in parts and come back whole, each exchange under a number of its own", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  const data = randomBytes(READER_PART_BYTES_MAX + 10);
  const first = bench.driver.exchange(7, data);
  assert.equal(
    bench.exchanges.map(({ presentation, exchange, part, last }) => [
      presentation,
      exchange,
      part,
      last,
    ]),
    [
      [7, 1, 0, false],
      [7, 1, 1, true],
    ],
  );
  bench.answer({ last: false, data: Uint8Array.of(1) });
  assert.is(await now(first), "waits");
  bench.answer({ part: 1, data: Uint8Array.of(2) });
  assert.equal(await now(first), Uint8Array.of(1, 2));
  const second = bench.driver.exchange(7, Uint8Array.of(3));
  assert.is(bench.exchanges.at(-1)?.exchange, 2);
  bench.answer();
  assert.equal(await now(second), Uint8Array.of(9, 9));
  bench.driver.stop();
});

test("the numbers of exchanges go round", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  for (let i = 1; i <= 257; i += 1) {
    const asked = bench.driver.exchange(7, Uint8Array.of(i & 0xff));
    assert.is(bench.exchanges.at(-1)?.exchange, i % 256);
    bench.answer();
    assert.ok((await now(asked)) instanceof Uint8Array);
  }
  bench.driver.stop();
});

test("an answer to another exchange or from another presentation is none", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  const asked = bench.driver.exchange(7, Uint8Array.of(1));
  bench.answer({ exchange: 2 });
  bench.answer({ presentation: 8 });
  bench.say({ type: "pinEntered", presentation: 7, sealed: new Uint8Array(9) });
  bench.say({ type: "gone", presentation: 8 });
  assert.is(await now(asked), "waits");
  bench.answer();
  assert.equal(await now(asked), Uint8Array.of(9, 9));
  bench.answer({ data: Uint8Array.of(1) });
  bench.driver.stop();
});

const ENDINGS: readonly { readonly why: string; readonly end: (bench: Bench) => unknown }[] = [
  { why: "taken away", end: (bench) => bench.say({ type: "gone", presentation: 7 }) },
  { why: "something else is held there", end: (bench) => bench.hold(8) },
  { why: "it did not answer", end: (bench) => bench.answer({ outcome: "removed" }) },
  { why: "it failed", end: (bench) => bench.answer({ outcome: "failed" }) },
  { why: "the driver is stopped", end: (bench) => bench.driver.stop() },
  {
    why: "the session falls silent",
    end: (bench) => {
      bench.carries = false;
      return bench.pass(2500);
    },
  },
];
for (const { why, end } of ENDINGS)
  test(`an exchange ends with nothing: ${why}`, async () => {
    const bench = await Bench.up();
    bench.hold(7);
    const asked = bench.driver.exchange(7, Uint8Array.of(1));
    await end(bench);
    assert.is(await now(asked), undefined);
    bench.carries = true;
    await bench.pass(6000);
    if (why !== "the driver is stopped") {
      bench.hold(9);
      const next = bench.driver.exchange(9, Uint8Array.of(1));
      bench.answer({ presentation: 9 });
      assert.ok((await now(next)) instanceof Uint8Array, "the next one is served");
    }
    bench.driver.stop();
  });

test("who is silent is waited for 3 s, for a PIN 20 s, and no longer", async () => {
  for (const [ms, ask] of [
    [3000, (bench: Bench) => bench.driver.exchange(7, Uint8Array.of(1))],
    [20_000, (bench: Bench) => bench.driver.askPin(7)],
  ] as const) {
    const bench = await Bench.up();
    bench.hold(7);
    const asked: Promise<unknown> = ask(bench);
    await bench.pass(ms - 250);
    assert.is(await now(asked), "waits");
    await bench.pass(250);
    assert.is(await now(asked), undefined);
    bench.driver.stop();
  }
});

test("an answer in time leaves no clock behind that would end the next one early", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  const first = bench.driver.exchange(7, Uint8Array.of(1));
  await bench.pass(2000);
  bench.answer();
  assert.ok((await now(first)) instanceof Uint8Array);
  const pin = bench.driver.askPin(7);
  await bench.pass(2000);
  assert.is(await now(pin), "waits");
  bench.say({ type: "gone", presentation: 7 });
  const second = bench.driver.exchange(7, Uint8Array.of(1));
  await bench.pass(2500);
  assert.is(await now(second), "waits");
  bench.driver.stop();
});

test("one thing at a time: while something is asked nothing else is, and nothing is sent of it", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  void bench.driver.exchange(7, Uint8Array.of(1));
  const count = bench.received.length;
  assert.is(await now(bench.driver.exchange(7, Uint8Array.of(2))), undefined);
  assert.is(await now(bench.driver.askPin(7)), undefined);
  assert.is(bench.received.length, count);
  bench.driver.stop();
});

test("with nobody there nothing is asked: it ends at once, and stands in nobody's way", async () => {
  const bench = new Bench();
  assert.is(await now(bench.driver.exchange(7, Uint8Array.of(1))), undefined);
  assert.is(await now(bench.driver.askPin(7)), undefined);
  bench.driver.start();
  await bench.pass(1000);
  bench.hold(7);
  const asked = bench.driver.exchange(7, Uint8Array.of(1));
  bench.answer();
  assert.ok((await now(asked)) instanceof Uint8Array);
  bench.driver.stop();
});

test("a PIN is asked for with a nonce of its own, and comes under that nonce alone", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  const nonces: string[] = [];
  for (const [pin, presentation] of [
    ["4711", 7],
    [undefined, 7],
  ] as const) {
    const asked = bench.driver.askPin(7);
    const ask = bench.received.at(-1);
    assert.ok(ask?.type === "askPin" && ask.presentation === 7 && ask.nonce.length === 16);
    nonces.push(ask.nonce.toString());
    const sealed = sealPin(KEY, ask.nonce, pin);
    bench.say({ type: "pinEntered", presentation: 8, sealed });
    bench.answer({ exchange: 0 });
    assert.is(await now(asked), "waits");
    bench.say({ type: "pinEntered", presentation, sealed });
    assert.is(await now(asked), pin);
  }
  assert.is(new Set(nonces).size, 2);
  bench.say({ type: "pinEntered", presentation: 7, sealed: new Uint8Array(9) });
  bench.driver.stop();
});

test("what is shown goes to the reader as it is", async () => {
  const bench = await Bench.up();
  bench.driver.show(7, "wait");
  assert.equal(bench.received.at(-1), { type: "show", presentation: 7, signal: "wait" });
  bench.driver.stop();
});

test("after a sleep, and after a silence, whoever is still there is presented anew", async () => {
  const bench = await Bench.up();
  bench.hold(7);
  bench.driver.wake();
  assert.is(bench.closed, 1);
  await bench.pass(1000);
  bench.hold(7);
  assert.is(bench.presented.length, 2);
  bench.carries = false;
  await bench.pass(3000);
  bench.carries = true;
  await bench.pass(6000);
  bench.hold(7);
  assert.is(bench.presented.length, 3);
  assert.equal(bench.states, ["up", "up", "silent", "up"]);
  bench.driver.stop();
  await bench.pass(20_000);
  assert.equal(bench.states, ["up", "up", "silent", "up"], "stopped is stopped");
});

test.run();
