/** A disk that was put back and a copied one, told apart by who goes on talking. */
import { ProtocolError } from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CarLog } from "../../conformance/car-log.ts";
import { type TestRegistry, testRegistry } from "../../support/tenant-engine.ts";

const test = suite<{ files: TestRegistry }>("rivals");
test.before.each(async (context) => {
  context.files = await testRegistry();
  await context.files.create("demo");
});
test.after.each(({ files }) => files.close());

const ROWS: readonly { why: string; says: string; alarms: readonly string[] }[] = [
  { why: "boots in order", says: "0 0 1 1 2 2", alarms: [] },
  { why: "a backlog of the log before", says: "0 1 0 1 0 1", alarms: [] },
  { why: "a disk put back: the first is silent", says: "0 1 1 B B B", alarms: ["successors"] },
  { why: "the last of the first was under way", says: "0 1 B 1 B B", alarms: ["successors"] },
  { why: "both keep talking", says: "0 1 B 1 B 1", alarms: ["successors", "clone"] },
  { why: "and do for long", says: "0 1 B 1 B 1 B 1 B 1", alarms: ["successors", "clone"] },
  { why: "one goes on in a later boot", says: "0 1 B 1 B 2 B 2", alarms: ["successors", "clone"] },
];
for (const { why, says, alarms } of ROWS) {
  test(why, async ({ files }) => {
    const store = (await files.registry.tenant("demo"))?.store;
    if (store === undefined) throw new ProtocolError("not_found", "demo");
    // 0, 1 and 2 follow each other; B follows 0 as well.
    const logs = { 0: new CarLog(), 1: new CarLog(), 2: new CarLog(), B: new CarLog() };
    const openings = {
      0: logs[0].opening(),
      1: logs[1].opening(logs[0]),
      2: logs[2].opening(logs[1]),
      B: logs.B.opening(logs[0]),
    };
    for (const [i, name] of says.split(" ").entries()) {
      if (name !== "0" && name !== "1" && name !== "2" && name !== "B") continue;
      await store.putOpening(openings[name]);
      await store.commitSegments([logs[name].next("state", [logs[name].note(i, "x")])]);
    }
    assert.equal(
      store.alarms(0, 10).map(({ kind }) => kind),
      alarms,
    );
  });
}

test("however many logs of a car follow one, it is told of once, and of a few only", async ({
  files,
}) => {
  const store = (await files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  let last = new CarLog();
  // Three followers each, of one log behind the other.
  for (let i = 0; i < 30; i += 1) {
    const next = new CarLog();
    for (const log of [next, new CarLog(), new CarLog()]) await store.putOpening(log.opening(last));
    last = next;
  }
  await store.commitSegments([last.next("state", [last.note(0, "x")])]);
  assert.equal(
    store.alarms(0, 100).map(({ kind }) => kind),
    Array.from({ length: 8 }, () => "successors"),
  );
});

test("a car that opens one log after the other is held up, and a person is told once", async () => {
  let nowMs = 1_790_000_000_000;
  const files = await testRegistry(() => nowMs);
  await files.create("demo");
  const store = (await files.registry.tenant("demo"))?.store;
  if (store === undefined) throw new ProtocolError("not_found", "demo");
  const open = (): Promise<string> =>
    store.putOpening(new CarLog().opening()).then(
      () => "opened",
      (error: unknown) => (error instanceof ProtocolError ? error.code : String(error)),
    );
  for (let i = 0; i < 500; i += 1) assert.is(await open(), "opened");
  for (let i = 0; i < 3; i += 1) assert.is(await open(), "limit_reached");
  assert.equal(
    store.alarms(0, 10).map(({ kind }) => kind),
    ["logs"],
  );
  nowMs += 3_600_001;
  assert.is(await open(), "opened");
  await files.close();
});

test.run();
