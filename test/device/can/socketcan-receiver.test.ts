/**
 * The receiver's core against an interface and a channel that do what real ones cannot be made to do: stall, end in the
 * middle, refuse. What real ones do is tested in the guest (socketcan.test.ts, socketcan-recovery.test.ts).
 */
import { once } from "node:events";
import { Duplex, PassThrough } from "node:stream";
import {
  type CanFilter,
  deliveredIn,
  encodeFrameRecord,
  filtersFor,
  GREETING,
  type Message,
  Receiver,
  WireDecoder,
  type WireRecord,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";

/** A car's interface and the module on it, and the agent's end of the pipe. */
class World {
  index = 3;
  up = true;
  there = true;
  delivered = 0;
  nowUs = 1e9;
  takes = true;
  ended = 0;
  opened = 0;
  readonly sent: { id: number; fd: boolean }[] = [];
  readonly records: WireRecord[] = [];
  readonly receiver: Receiver;
  heard: { onMessage: (message: Message) => void; onStopped: () => void } | undefined;
  readonly #fromAgent = new PassThrough();
  readonly #toAgent = new PassThrough();
  readonly #decoder = new WireDecoder("can0");

  /** The agent reads no further for a while. */
  stall(): void {
    this.#toAgent.pause();
  }

  goOn(): void {
    this.#toAgent.resume();
  }

  constructor(filters: readonly CanFilter[] = []) {
    this.#toAgent.on("data", (chunk) => this.records.push(...this.#decoder.push(chunk)));
    this.receiver = new Receiver({
      name: "can0",
      filters,
      agent: Duplex.from({ readable: this.#fromAgent, writable: this.#toAgent }),
      interfaces: {
        look: () => (this.there ? { index: this.index, up: this.up } : undefined),
        delivered: () => this.delivered,
      },
      open: async (_name, _filters, heard) => {
        this.opened += 1;
        this.heard = heard;
        return {
          send: ({ id }, fd) => {
            if (this.takes) this.sent.push({ id, fd });
            return this.takes;
          },
        };
      },
      monotonicUs: () => this.nowUs,
      onEnd: () => {
        this.ended += 1;
      },
    });
    this.#fromAgent.write(GREETING);
  }

  hear(message: Partial<Message>): void {
    this.heard?.onMessage({ id: 1, data: Buffer.alloc(0), ...message });
  }

  async watch(passMs = 200): Promise<void> {
    this.nowUs += passMs * 1000;
    await this.receiver.watch();
  }

  /** From the agent, handed over so long ago. */
  async send(id: number, agoMs = 0): Promise<void> {
    const timeUs = this.nowUs - agoMs * 1000;
    const frame = { timeUs, id, ext: false, kind: "data", fd: false, data: new Uint8Array(1) };
    this.#fromAgent.write(encodeFrameRecord({ ...frame, kind: "data" }, 0));
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** All that was said, once so many records are there. */
  async said(count: number): Promise<string[]> {
    while (this.records.length < count) await once(this.#toAgent, "data");
    await new Promise((resolve) => setImmediate(resolve));
    return this.records.map((record) =>
      record.type === "frame"
        ? `frame ${record.frame.id} ${record.frame.kind}`
        : record.type === "state"
          ? `${record.state}: ${record.reason}`
          : `not sent: ${record.reason}`,
    );
  }
}

test("an interface that comes late, goes down and up, is another, is deleted", async () => {
  const world = new World();
  world.there = false;
  await world.watch();
  world.there = true;
  world.up = false;
  await world.watch();
  assert.is(world.opened, 0);
  world.up = true;
  await world.watch();
  world.up = false;
  await world.watch();
  world.up = true;
  await world.watch();
  world.index = 4;
  await world.watch();
  await world.watch();
  assert.equal(await world.said(5), [
    "down: there is no such interface",
    "up: listening",
    "down: the interface is down",
    "up: the interface is up again",
    "down: the interface was made anew",
  ]);
  assert.equal([world.opened, world.ended], [1, 1], "opened once, ended once");
  const other = new World();
  await other.watch();
  other.there = false;
  await other.watch();
  assert.equal((await other.said(2)).at(-1), "down: the interface was deleted");
});

const STALLS: { why: string; hears: boolean; perWatch: number; stalls: boolean }[] = [
  {
    why: "the kernel delivers and the channel says nothing",
    hears: false,
    perWatch: 50,
    stalls: true,
  },
  { why: "frames are heard", hears: true, perWatch: 50, stalls: false },
  { why: "a car that sleeps", hears: false, perWatch: 0, stalls: false },
  { why: "a few frames that others asked for too", hears: false, perWatch: 1, stalls: false },
];
for (const { why, hears, perWatch, stalls } of STALLS) {
  test(`the stall watchdog: ${why}`, async () => {
    const world = new World();
    await world.watch();
    for (let i = 0; i < 60 && world.ended === 0; i++) {
      world.delivered += perWatch;
      if (hears) world.hear({});
      await world.watch();
    }
    assert.is(world.ended, stalls ? 1 : 0);
    if (stalls) assert.is((await world.said(2)).at(-1), "down: the channel has stalled");
  });
}

test("error frames tell of the controller; a frame after bus-off says that it is back", async () => {
  const world = new World();
  await world.watch();
  const error = (id: number, detail: number): void =>
    world.hear({ id, err: true, data: Buffer.from([0, detail, 0, 0, 0, 0, 0, 0]) });
  error(0x4, 0x20);
  await world.send(5);
  error(0x4, 0x40);
  error(0x40, 0);
  await world.send(6);
  world.hear({ id: 9, data: Buffer.of(1) });
  await world.send(7);
  const said = await world.said(10);
  assert.equal(
    said.filter((text) => !text.startsWith("frame")),
    [
      "up: listening",
      "passive: error-passive",
      "up: error-active",
      "busOff: bus-off",
      "not sent: the bus is busOff",
      "up: frames came again",
    ],
  );
  assert.equal(
    world.sent.map(({ id }) => id),
    [5, 7],
  );
});

test("a frame that is late, or that the interface does not take, is not sent, and said to be", async () => {
  const world = new World();
  await world.send(1);
  await world.watch();
  await world.send(2, 99);
  await world.send(3, 101);
  world.takes = false;
  await world.send(4);
  assert.equal(
    (await world.said(4)).filter((text) => text.startsWith("not sent")),
    [
      "not sent: the bus is down",
      "not sent: 101 ms late",
      "not sent: the interface did not take it",
    ],
  );
  assert.equal(world.sent, [{ id: 2, fd: false }]);
});

test("a channel that stops ends the receiver once, and what was heard before is handed over first", async () => {
  const world = new World();
  await world.watch();
  world.hear({ id: 8 });
  world.heard?.onStopped();
  world.heard?.onStopped();
  assert.equal(await world.said(3), ["up: listening", "frame 8 data", "down: the channel stopped"]);
  assert.is(world.ended, 1);
});

test("a batch that is full does not wait; nothing is lost or doubled", async () => {
  const world = new World();
  await world.watch();
  for (let i = 0; i < 3000; i++) world.hear({ id: i % 2048, data: Buffer.alloc(8, i) });
  await world.said(3001);
  const numbers = world.records.flatMap((r) => (r.type === "frame" ? [r.sequence] : []));
  assert.equal(
    numbers,
    Array.from({ length: 3000 }, (_, i) => i),
  );
});

test("an agent that stalls costs no memory without end: what it did not read is dropped, and its number says so", async () => {
  const world = new World();
  await world.watch();
  await world.said(1);
  world.stall();
  const all = 60_000;
  for (let i = 0; i < all; i++) {
    world.hear({ id: 7, data: Buffer.alloc(8) });
    // Of such a stall the event loop of the receiver knows nothing: it goes on.
    if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  world.goOn();
  await world.said(2);
  const kept = world.records.length;
  assert.ok(kept < all / 2, `${kept} of ${all} frames waited`);
  world.hear({ id: 8, data: Buffer.alloc(8) });
  await world.said(kept + 1);
  const last = world.records.findLast((record) => record.type === "frame");
  assert.is(last?.type === "frame" && last.frame.id, 8);
  assert.is(last?.type === "frame" && last.sequence, all, "every frame has its number");
});

/** As kernel 6.1 prints them. */
const LISTS = [
  `
receive list 'rx_all':
  (any: no entry)
  device   can_id   can_mask      function          userdata       matches  ident
   vcan0     000    00000000  0000000019e127f2  00000000509e91c4        70  raw
  (vcan1: no entry)
`,
  `
receive list 'rx_eff':
  device   can_id   can_mask      function          userdata       matches  ident
   vcan0   98DAF110  dfffffff  0000000019e127f2  00000000509e91c4         9  raw
   vcan0   98DAF111  dfffffff  0000000019e127f2  00000000509e91c4       100  raw
   vcan1   98DAF110  dfffffff  0000000019e127f2  00000000509e91c4      1000  raw
   vcan0   98DAF110  dfffffff  0000000019e127f2  00000000509e91c4     10000  j1939
`,
  `
receive list 'rx_sff':
  device   can_id   can_mask      function          userdata       matches  ident
   vcan0     100    c00007ff  0000000019e127f2  00000000509e91c4         5  raw
`,
];

test("what passed the filters is read from the kernel's lists", () => {
  const wanted = filtersFor([
    { id: 0x18daf110, ext: true },
    { id: 0x100, ext: false },
  ]);
  assert.is(deliveredIn(LISTS, "vcan0", wanted), 14);
  assert.is(deliveredIn(LISTS, "vcan0", []), 70, "without filters, of the one that passes all");
  assert.is(deliveredIn(LISTS, "vcan9", []), 0);
});

test.run();
