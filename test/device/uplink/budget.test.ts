/** Byte budgets by lane: what is spent stays spent, over restarts and whatever clocks do, and `critical` never waits. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Lane } from "@kerbside/protocol";
import { type Budget, type BudgetSettings, openBudget } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ManualClock, manualClock, realClock, silentLog } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { line } from "./harness.ts";

const HOUR_MS = 3_600_000;
let dir: string;
let clock: ManualClock;
test.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), "kerbside-budget-"));
  clock = manualClock();
});
test.after.each(() => rmSync(dir, { recursive: true, force: true }));

const opened = (settings: BudgetSettings, trustedMs = () => clock.wallMs()): Budget =>
  openBudget({ settings, file: join(dir, "budget.json"), clock, trustedMs, log: silentLog });

/** Sends messages of a lane while it is open, at most `most`. Returns the bytes. */
function spendAll(budget: Budget, lane: Lane, bytes: number, most = 10_000): number {
  const before = budget.spent()[lane];
  for (let i = 0; i < most && budget.open().includes(lane); i += 1) budget.spend(lane, bytes);
  return budget.spent()[lane] - before;
}

test("a day's budget is spent once, each lane by itself, and the next day brings another", () => {
  const budget = opened({ state: { dailyBytes: 50_000 }, track: { dailyBytes: 100_000 } });
  const spent = spendAll(budget, "track", 880);
  assert.is(spent, 100_000, "with the frames that messages travel in");
  assert.equal(budget.open(), ["critical", "state"]);
  assert.is(spendAll(budget, "state", 880), 50_000);
  assert.equal(budget.open(), ["critical"]);
  assert.is(spendAll(budget, "critical", 1_000_000, 100), 100 * 1_000_120);
  assert.equal(budget.open(), ["critical"]);
  assert.is(budget.nextMs(), 24 * HOUR_MS);
  clock.pass(24 * HOUR_MS - 1);
  assert.equal(budget.open(), ["critical"]);
  clock.pass(1);
  assert.equal(budget.open(), ["critical", "state", "track"]);
  assert.equal(budget.spent(), { critical: 0, state: 0, track: 0 });
});

test("so many bytes a second, one message at a time", () => {
  const budget = opened({ track: { bytesPerS: 1000 } });
  budget.spend("track", 880);
  assert.equal(budget.open(), ["critical", "state"]);
  assert.is(budget.nextMs(), 1000);
  clock.pass(999);
  assert.equal(budget.open(), ["critical", "state"]);
  clock.pass(1);
  assert.equal(budget.open(), ["critical", "state", "track"]);
  clock.pass(HOUR_MS);
  let sent = 0;
  for (let ms = 0; ms < 60_000; ms += 10) {
    sent += spendAll(budget, "track", 380, 1);
    clock.pass(10);
  }
  assert.is(sent, 60_000, "an idle hour is not made up for");
});

const RESTARTS: readonly { why: string; crash: boolean; trusted: () => number; open: boolean }[] = [
  { why: "in order", crash: false, trusted: () => clock.wallMs(), open: false },
  { why: "by a crash", crash: true, trusted: () => clock.wallMs(), open: false },
  { why: "with the time unknown", crash: true, trusted: () => 0, open: false },
  { why: "with the clock ten years back", crash: true, trusted: () => 1e12, open: false },
  {
    why: "after a day away",
    crash: true,
    trusted: () => clock.wallMs() + 24 * HOUR_MS,
    open: true,
  },
];
for (const { why, crash, trusted, open } of RESTARTS) {
  test(`what is spent stays spent over a restart: ${why}`, () => {
    const settings = { track: { dailyBytes: 100_000 } };
    const first = opened(settings);
    assert.is(spendAll(first, "track", 380), 100_000);
    if (!crash) first.close();
    clock = manualClock(clock.wallMs());
    const second = opened(settings, trusted);
    assert.is(second.open().includes("track"), open);
    if (!open) assert.ok(second.spent().track >= 100_000);
    const most = spendAll(second, "track", 380);
    assert.ok(most <= (open ? 100_000 : 0), `${most} more bytes`);
  });
}

test("each restart in the middle of a day costs at most a small part of it", () => {
  let sent = 0;
  for (let restart = 0; restart < 10; restart += 1)
    sent += spendAll(opened({ track: { dailyBytes: 100_000 } }), "track", 380, 10);
  assert.is(sent, 50_000);
  const rest = spendAll(opened({ track: { dailyBytes: 100_000 } }), "track", 380);
  assert.ok(rest <= 50_000 && rest >= 25_000, `${rest} of the other 50,000 bytes`);
});

test("a file that cannot be read is a new day", () => {
  for (const text of ["", "{}", '{"elapsedMs":-1,"atMs":0,"spent":{}}', "[1]"]) {
    writeFileSync(join(dir, "budget.json"), text);
    assert.equal(opened({ track: { dailyBytes: 100_000 } }).spent(), {
      critical: 0,
      state: 0,
      track: 0,
    });
  }
});

test("without a daily budget nothing is written", () => {
  const budget = opened({ track: { bytesPerS: 1000 } });
  budget.spend("track", 1000);
  budget.close();
  assert.throws(() => readFileSync(join(dir, "budget.json")), /ENOENT/);
});

test("a lane that is out of budget stays in the buffer while the others go on", async () => {
  const l = await line();
  try {
    const settings = { track: { dailyBytes: 10 }, state: { bytesPerS: 1e6 } };
    const file = join(dir, "budget.json");
    const trustedMs = (): number => Date.now();
    const budget = openBudget({ settings, file, clock: realClock, trustedMs, log: silentLog });
    const buffer = await l.openBuffer();
    const uplink = l.start(buffer, { budget });
    const append = (lane: Lane) =>
      buffer.append({ kind: "diagnostic.note", data: { note: lane } }, lane);
    const lanes = (): readonly unknown[] =>
      l.received.flatMap(({ topic }) => (topic.channel === "up" ? [topic.lane] : []));
    await append("track");
    await until("one beyond the budget", () => lanes().includes("track"));
    await append("track");
    await until("it is ready to be sent", () => buffer.status().segments.track > 0);
    await append("state");
    await append("critical");
    await until("the others", () => lanes().includes("critical") && lanes().includes("state"));
    assert.is(lanes().filter((lane) => lane === "track").length, 1);
    assert.is(buffer.status().segments.track, 1);
    assert.ok(uplink.status().spent.track > 10);
  } finally {
    await l.close();
  }
});

test.run();
