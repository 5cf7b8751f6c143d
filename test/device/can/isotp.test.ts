import {
  type CanFrame,
  createIsoTpLink,
  IsoTpError,
  type IsoTpLink,
  type IsoTpOptions,
  parseFrame,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock } from "../../support/runtime.ts";
import { seeded } from "../../support/seeded.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

/** Two links at the ends of a wire under a simulated clock. */
class Wire {
  readonly clock: ManualClock = manualClock();
  readonly log: string[] = [];
  readonly received: Uint8Array[] = [];
  readonly errors: string[] = [];
  readonly tester: IsoTpLink;
  readonly unit: IsoTpLink;
  /** Spoils what passes: the frames to hand on instead. */
  tamper: (frame: CanFrame) => CanFrame[] = (frame) => [frame];

  constructor(options: Partial<IsoTpOptions> = {}) {
    const link = (txId: number, rxId: number, to: () => IsoTpLink): IsoTpLink =>
      createIsoTpLink({
        txId,
        rxId,
        ext: false,
        clock: this.clock,
        send: ({ id, ext, data, fd = false }) => {
          this.log.push(`${id.toString(16)}#${Buffer.from(data).toString("hex")}`);
          const frame: CanFrame = { timeUs: null, bus: "", id, ext, kind: "data", fd, data };
          for (const passed of this.tamper(frame)) this.clock.after(0, () => to().take(passed));
          return { sent: true };
        },
        onMessage: (message) => this.received.push(message),
        onError: (error) => this.errors.push(error),
        ...options,
      });
    this.tester = link(0x7e0, 0x7e8, () => this.unit);
    this.unit = link(0x7e8, 0x7e0, () => this.tester);
  }

  /** Lets time pass in small steps, so that promises settle in between. */
  async pass(ms: number): Promise<void> {
    for (let t = 0; t < ms; t += 10) {
      this.clock.pass(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const counted = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);
const outcome = (sent: Promise<void>): Promise<string> =>
  sent.then(
    () => "sent",
    (error: unknown) => (error instanceof IsoTpError ? error.reason : String(error)),
  );

test("frames are those of the standard, byte for byte", async () => {
  const wire = new Wire({ offer: { blockSize: 2, separationMs: 20 } });
  const sent = wire.tester.send(counted(30));
  await wire.pass(200);
  await sent;
  assert.equal(wire.log, [
    "7e0#101e000102030405",
    "7e8#300214cccccccccc",
    "7e0#21060708090a0b0c",
    "7e0#220d0e0f10111213",
    "7e8#300214cccccccccc",
    "7e0#231415161718191a",
    "7e0#241b1c1dcccccccc",
  ]);
  assert.equal(wire.received, [counted(30)]);
});

test("messages of every length arrive whole, with 8 and with 64 bytes a frame", async () => {
  for (const fd of [false, true]) {
    for (const length of [1, 6, 7, 8, 62, 63, 64, 65, 111, 300, 4095]) {
      for (const blockSize of [0, 1, 8]) {
        const wire = new Wire({ fd, offer: { blockSize, separationMs: 0 } });
        const sent = outcome(wire.tester.send(counted(length)));
        wire.clock.pass(10_000);
        assert.is(await sent, "sent", `${length} ${blockSize}`);
        assert.equal(wire.received, [counted(length)], `fd ${fd}, ${length} bytes`);
      }
    }
  }
});

test("the separation that is asked for is kept", async () => {
  const wire = new Wire({ offer: { blockSize: 0, separationMs: 50 } });
  const sent = outcome(wire.tester.send(counted(6 + 7 * 10)));
  wire.clock.pass(400);
  assert.is(wire.received.length, 0, "nine pauses of 50 ms are not over");
  wire.clock.pass(100);
  assert.is(wire.received.length, 1);
  assert.is(await sent, "sent");
});

test("whoever waits in vain gives up in time, says why, and is ready again", async () => {
  const rows: readonly [why: string, tamper: Wire["tamper"], sender: string, receiver: string[]][] =
    [
      ["nobody answers", (f) => (f.id === 0x7e8 ? [] : [f]), "N_TIMEOUT_Bs", ["N_TIMEOUT_Cr"]],
      ["a frame is lost", (f) => (f.data[0] === 0x23 ? [] : [f]), "sent", ["N_WRONG_SN"]],
      ["a frame comes twice", (f) => (f.data[0] === 0x23 ? [f, f] : [f]), "sent", ["N_WRONG_SN"]],
      [
        "the rest is lost",
        (f) => ((f.data[0] ?? 0) >> 4 === 2 ? [] : [f]),
        "sent",
        ["N_TIMEOUT_Cr"],
      ],
      [
        "there is no room",
        (f) => (f.id === 0x7e8 ? [{ ...f, data: hex("320000") }] : [f]),
        "N_BUFFER_OVFLW",
        ["N_TIMEOUT_Cr"],
      ],
    ];
  for (const [why, tamper, sender, receiver] of rows) {
    const wire = new Wire();
    wire.tamper = tamper;
    const sent = outcome(wire.tester.send(counted(100)));
    wire.clock.pass(5000);
    assert.is(await sent, sender, why);
    assert.equal(wire.errors, receiver, why);
    assert.equal(wire.received, [], why);
    wire.tamper = (frame) => [frame];
    const again = outcome(wire.tester.send(counted(20)));
    wire.clock.pass(100);
    assert.is(await again, "sent", why);
    assert.equal(wire.received, [counted(20)], why);
  }
});

test("waiting is granted ten times, and no more", async () => {
  const wire = new Wire();
  wire.tamper = (frame) => (frame.id === 0x7e8 ? [] : [frame]);
  const sent = outcome(wire.tester.send(counted(100)));
  const flow: CanFrame = {
    timeUs: null,
    bus: "",
    id: 0x7e8,
    ext: false,
    kind: "data",
    fd: false,
    data: hex("310000"),
  };
  for (let i = 0; i < 11; i++) {
    wire.clock.pass(900);
    wire.tester.take(flow);
  }
  assert.is(await sent, "N_WFT_OVRN");
});

test("a bus that does not take a frame, a second message, a wrong length, a closed link", async () => {
  const wire = new Wire({ send: () => ({ sent: false, reason: "the bus is down" }) });
  assert.is(await outcome(wire.tester.send(counted(5))), "bus");
  assert.is(await outcome(wire.tester.send(counted(0))), "length");
  assert.is(await outcome(wire.tester.send(counted(4096))), "length");
  const busy = new Wire();
  const first = outcome(busy.tester.send(counted(100)));
  assert.is(await outcome(busy.tester.send(counted(100))), "busy");
  busy.tester.close();
  assert.is(await first, "closed");
  assert.is(await outcome(busy.tester.send(counted(1))), "closed");
});

test("a message longer than the bound is refused by flow control, and costs no memory", () => {
  const wire = new Wire();
  const frame = (data: Uint8Array): CanFrame => ({
    timeUs: null,
    bus: "",
    id: 0x7e8,
    ext: false,
    kind: "data",
    fd: false,
    data,
  });
  wire.tester.take(frame(hex("1000 7fffffff 0102")));
  assert.equal(wire.log, ["7e0#320000cccccccccc"]);
});

test("any frames at all never throw, and leave the link able to receive", () => {
  const seed = Date.now() % 1e6;
  const random = seeded(seed);
  const wire = new Wire();
  for (let i = 0; i < 20_000; i++) {
    const data = Uint8Array.from({ length: Math.floor(random() * 9) }, () =>
      Math.floor(random() * 256),
    );
    // Mostly types that mean something.
    if (data.length > 0 && random() < 0.9)
      data[0] = ((data[0] ?? 0) & 0x0f) | (Math.floor(random() * 4) << 4);
    wire.unit.take({ timeUs: null, bus: "", id: 0x7e0, ext: false, kind: "data", fd: false, data });
    parseFrame(data);
    if (random() < 0.01) wire.clock.pass(100);
  }
  wire.received.length = 0;
  wire.tester.send(counted(50)).catch(() => undefined);
  wire.clock.pass(2000);
  assert.equal(wire.received.at(-1), counted(50), `seed ${seed}`);
});

test.run();
