/** What goes wrong beside an append: a spoilt segment that must give way, an upkeep that fails. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Appended } from "@kerbside/buffer";
import { type EventTime, randomBytes } from "@kerbside/protocol";
import Database from "better-sqlite3";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Bench, bench, drain, note } from "./harness.ts";

const LIMITS = {
  bytesMax: 200_000,
  criticalReserveBytes: 40_000,
  segmentEventsMax: 10,
  segmentBytesMax: 20_000,
};
const it = suite<{ b: Bench }>("buffer beside damage");
it.before.each(async (f) => {
  f.b = await bench();
});
it.after.each(({ b }) => b.remove());

const long = (): string => randomBytes(900).toString();

for (const acknowledged of [false, true]) {
  const beside = acknowledged ? "with an acknowledgement under way" : "offline";
  it(`a spoilt header that has to give way costs no event that is appended: ${beside}`, async ({
    b,
  }) => {
    const buffer = await b.open({ limits: LIMITS });
    const append = async (lane: "track" | "critical"): Promise<void> => {
      const appended = buffer.append(note(long()), lane);
      b.clock.pass(5000);
      await appended;
    };
    const started = performance.now();
    for (let n = 0; n < 60; n += 1) await append("track");
    const file = new Database(join(b.dir, "agent.sqlite"));
    const row = file
      .prepare<[], { place: number; header: Uint8Array }>(
        "SELECT place, header FROM segments ORDER BY place DESC LIMIT 1 OFFSET 2",
      )
      .get();
    assert.ok(row !== undefined, "segments are held");
    const header = row?.header ?? new Uint8Array();
    const at = header.length >> 1;
    header[at] = (header[at] ?? 0) ^ 1;
    file.prepare("UPDATE segments SET header = ? WHERE place = ?").run(header, row?.place);
    file.close();
    if (acknowledged) {
      const segment = buffer.next({ skip: new Set(), newestStateFirst: false });
      if (segment === undefined) throw new Error("nothing to send");
      b.cloud.take(segment.message);
      for (const log of b.cloud.logs()) {
        assert.is(buffer.acknowledge(b.cloud.ackOf(log)).kind, "taken");
      }
    }
    for (let n = 0; n < 150; n += 1) await append(n % 3 === 0 ? "critical" : "track");
    assert.is(buffer.status().state, "working");
    const aside = readdirSync(b.dir).filter((name) => name.startsWith("set-aside"));
    assert.is(aside.length, 1, "what is spoilt is kept whole, and nothing of it is signed anew");
    assert.ok(
      performance.now() - started < 4000,
      "nobody waited for a lock that nobody gives back",
    );
    await buffer.close();
  });
}

it("an upkeep that fails takes back nothing that was confirmed, and counts nothing as lost", async ({
  b,
}) => {
  let calls: number | undefined;
  const time = (): EventTime => {
    if (calls !== undefined) calls += 1;
    // The first is the append's own.
    if (calls === 2) throw new Database.SqliteError("disk I/O error", "SQLITE_IOERR_READ");
    return { bootMs: b.clock.bootMs(), wallOffsetMs: 0, doubtMs: 0 };
  };
  const buffer = await b.open({ time });
  const append = async (text: string): Promise<Appended> => {
    const appended = buffer.append(note(text), "state");
    b.clock.pass(200);
    return await appended;
  };
  const first = await append("first");
  // The next is committed at the minute at which ages are judged.
  b.clock.pass(59_800 - b.clock.bootMs());
  calls = 0;
  const second = await append("second");
  assert.ok(calls >= 2, "the upkeep failed");
  assert.equal([second.log, second.seq], [first.log, first.seq + 1]);
  const third = await append("third");
  assert.is.not(third.log, first.log, "another log, as the disk is not to be trusted");
  assert.equal([buffer.status().state, buffer.status().lost], ["working", 0]);
  await buffer.close();
  const again = await b.open();
  drain(again, b.cloud);
  await again.close();
  b.cloud.checkChains();
  const found = b.cloud
    .logs()
    .flatMap((log) => [...b.cloud.lane(log, "state").values()])
    .flatMap(({ events }) => events)
    .flatMap((event) => (event.kind === "diagnostic.note" ? [event.data.note] : []));
  assert.equal(found.sort(), ["first", "second", "third"]);
});

it.run();
