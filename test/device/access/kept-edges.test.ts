/** What the car keeps of tries, byte for byte, and whom it takes to be there once the reader's line has begun anew. */
import { openAccessRecord, ReaderDriver } from "@kerbside/access";
import {
  fromHex,
  type LineEvents,
  ReaderLinkSession,
  randomBytes,
  toHex,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../../support/runtime.ts";

test("the time of the last failure is read by the next version: golden bytes", async () => {
  const golden = "a300800181a200637569640103021906a5";
  let written = "";
  const record = openAccessRecord({
    content: undefined,
    damaged: false,
    write: async (bytes) => {
      written = toHex(bytes);
    },
  });
  await record.keepTries(new Map([["uid", 3]]), 1701);
  assert.is(written, golden);
  const read = openAccessRecord({
    content: fromHex(golden),
    damaged: false,
    write: async () => undefined,
  });
  assert.is(read.triedAtMs(), 1701);
});

/** A reader's own end of the line, which is at once there again where it is closed. */
async function connected(work: (bench: ReturnType<typeof readerBench>) => Promise<void>) {
  const bench = readerBench();
  bench.driver.start();
  await bench.pass(1000);
  try {
    await work(bench);
  } finally {
    bench.driver.stop();
  }
}

function readerBench() {
  const clock = manualClock();
  const [pairingKey, random] = [randomBytes(32), { bytes: randomBytes }];
  const said: string[] = [];
  let events: LineEvents | undefined;
  const reader = new ReaderLinkSession({
    ...{ role: "controller", pairingKey, random, id: new Uint8Array(8) },
    firmware: { major: 1, minor: 0, patch: 0 },
  });
  const driver = new ReaderDriver({
    line: async (own) => {
      events = own;
      return {
        write: (bytes) => {
          const { bytesOut } = reader.receive(bytes, clock.bootMs());
          if (bytesOut.length > 0) queueMicrotask(() => events?.data(bytesOut));
          return true;
        },
        close: () => undefined,
      };
    },
    ...{ pairingKey, clock, log: silentLog, moduleId: new Uint8Array(8).fill(1) },
    random: { ...random, fraction: () => 0 },
    events: {
      presented: ({ id }) => said.push(`presented ${id}`),
      gone: (id) => said.push(`gone ${id}`),
      link: (state) => said.push(state),
      tamper: () => undefined,
    },
  });
  const hold = (presentation: number): void => {
    const phone = { kind: "phone", keyed: false, uidBytes: 0, uid: new Uint8Array(10) } as const;
    const sent = reader.send({ type: "presented", presentation, ...phone }, clock.bootMs());
    assert.ok(sent.sent);
    events?.data(sent.bytesOut);
  };
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 250) {
      clock.pass(250);
      const { bytesOut } = reader.tick(clock.bootMs());
      if (bytesOut.length > 0) events?.data(bytesOut);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { driver, said, hold, pass };
}

test("whoever was there as the line began anew is gone until presented again, and nobody else", () =>
  connected(async ({ driver, said, hold, pass }) => {
    driver.wake();
    await pass(1000);
    assert.equal(said, ["up", "up"], "nobody was there");
    hold(7);
    driver.wake();
    await pass(1000);
    hold(7);
    assert.equal(said.slice(2), ["presented 7", "gone 7", "up", "presented 7"]);
  }));

test.run();
