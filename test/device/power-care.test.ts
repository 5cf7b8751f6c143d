/** 12 V care in the agent: what feeds the power machine, what follows from it, and what a modem may wake. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Entered,
  MODEM_WAKES_AN_HOUR_MAX,
  PowerCare,
  platformFile,
  powerLimits,
  SleepingTransport,
  WakeLine,
} from "@kerbside/device";
import { POWER_LIMITS, POWER_TABLE } from "@kerbside/immobiliser";
import type { LineEvents, Log, NewEvent, Transport } from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../support/runtime.ts";

const HOUR = 3_600_000;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function care(limits: Partial<typeof POWER_LIMITS> = {}) {
  const clock = manualClock();
  const did: string[] = [];
  const entered: Entered[] = [];
  const events: NewEvent[] = [];
  let booking: number | undefined;
  let suspended = 0;
  const power = new PowerCare({
    clock,
    emit: (event) => events.push(event),
    limits: { ...POWER_LIMITS, ...limits },
    nextBookingMs: () => booking,
    suspendedMs: () => suspended,
    onEnter: (one) => {
      entered.push(one);
      did.push(one.state);
    },
    onResumed: () => did.push("resumed"),
    onSuspended: () => did.push("suspended"),
  });
  return {
    ...{ clock, did, entered, events, power },
    book: (atMs: number | undefined): void => {
      booking = atMs;
    },
    suspend: (ms: number): void => {
      suspended += ms;
    },
  };
}

test("a booking that comes near wakes a sleeping car, which resumes before it enters its state", () => {
  const { clock, did, entered, power, book } = care();
  book(10 * HOUR);
  power.look();
  clock.pass(3 * HOUR);
  assert.equal(did, ["deep_sleep"]);
  assert.is(entered[0]?.wakeAtMs, 10 * HOUR - POWER_LIMITS.rentalSoonMs);
  clock.pass(6.5 * HOUR);
  assert.equal(did, ["deep_sleep", "resumed", "rental_soon"]);
  book(undefined);
  power.look();
  assert.is(power.state(), "parked");
  power.stop();
});

test("a processor that was suspended is noticed: asleep it wakes up, awake its lines begin anew", () => {
  const { clock, did, events, power, suspend } = care();
  suspend(60_000);
  clock.pass(1000);
  assert.equal(did, ["suspended", "resumed"]);
  clock.pass(3 * HOUR);
  did.length = 0;
  suspend(400);
  clock.pass(1000);
  assert.equal(did, [], "less than that is a timer that came late");
  suspend(60_000);
  clock.pass(1000);
  assert.equal(did, ["suspended", "resumed", "parked"]);
  const last = events.at(-1);
  assert.equal(last, { kind: "power.changed", data: { state: "parked", reason: "wake_platform" } });
  power.stop();
});

test("what the car shows: ignition, voltage, doors, motion", () => {
  const { clock, did, power } = care();
  power.seen({ type: "ignition", on: true });
  power.seen({ type: "signals" });
  power.seen({ type: "ignition", on: false });
  assert.equal(did, ["driving", "parked"]);
  clock.pass(HOUR);
  power.seen({ type: "moved" });
  power.seen({ type: "voltage", volts: 11.9 });
  assert.is(power.state(), "parked", "somebody is moving it");
  clock.pass(2 * 60_000);
  assert.is(power.state(), "deep_sleep");
  power.seen({ type: "door_opened" });
  assert.is(power.state(), "parked");
  assert.is(power.row().modem, "connected");
  power.stop();
});

test("limits: the tenant's before the profile's, those before the shipped ones", () => {
  assert.equal(powerLimits(undefined, {}), POWER_LIMITS);
  assert.is(powerLimits(undefined, { batteryLowV: 11.8 }).lowV, 11.8);
  const own = powerLimits(
    { parkedS: 60, wokenS: 30, rentalSoonS: 20, lowV: 12.2, criticalV: 11 },
    { batteryLowV: 11.8 },
  );
  assert.equal(own, {
    rentalSoonMs: 20_000,
    parkedMsMax: 60_000,
    wokenMs: 30_000,
    lowV: 12.2,
    criticalV: 11,
  });
});

test("the platform is told by a file that is whole at any moment; one that cannot be written is logged", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-power-"));
  const path = join(dir, "power.json");
  const logged: string[] = [];
  const log: Log = { ...silentLog, error: (event) => logged.push(event) };
  const asleep: Entered = { state: "deep_sleep", row: POWER_TABLE.deep_sleep, wakeAtMs: 5000 };
  const clock = manualClock();
  clock.pass(2000);
  const tell = platformFile(path, clock, log);
  await tell(asleep);
  const told: unknown = JSON.parse(readFileSync(path, "utf8"));
  assert.equal(told, { state: "deep_sleep", ...POWER_TABLE.deep_sleep, wakeInMs: 3000 });
  const awake: Entered = { state: "parked", row: POWER_TABLE.parked };
  await tell(awake);
  assert.equal(JSON.parse(readFileSync(path, "utf8")), { state: "parked", ...POWER_TABLE.parked });
  await platformFile(undefined, clock, log)(asleep);
  assert.equal(logged, []);
  rmSync(dir, { recursive: true });
  await tell(asleep);
  assert.equal(logged, ["power.not_told"]);
});

test("a farewell that takes its time puts no car to sleep that was woken meanwhile", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-power-"));
  const path = join(dir, "power.json");
  const told = (): unknown => JSON.parse(readFileSync(path, "utf8")).state;
  const tell = platformFile(path, manualClock(), silentLog);
  const said = Promise.withResolvers<void>();
  const asleep = tell({ state: "deep_sleep", row: POWER_TABLE.deep_sleep }, said.promise);
  await tell({ state: "parked", row: POWER_TABLE.parked }, Promise.resolve());
  assert.is(told(), "parked");
  said.resolve();
  await asleep;
  assert.is(told(), "parked", "the word of the sleep before came too late");
  await tell({ state: "deep_sleep", row: POWER_TABLE.deep_sleep }, Promise.resolve());
  assert.is(told(), "deep_sleep");
  rmSync(dir, { recursive: true });
});

test("the transport sleeps with the module: farewell said, nothing tried, opened at once by a wake", async () => {
  const closed: unknown[] = [];
  let connects = 0;
  const make = (): Transport => ({
    connect: async () => {
      connects += 1;
      return {
        publish: async () => undefined,
        close: async (farewell) => {
          closed.push(farewell?.topic);
        },
      };
    },
  });
  const events = { message: () => undefined, closed: () => undefined };
  const will = { topic: "will", payload: new Uint8Array() };
  const asleep = () => ({ topic: "asleep", payload: new Uint8Array() });
  const transport = new SleepingTransport({ row: POWER_TABLE.parked, make, asleep });
  const stop = new AbortController();
  await transport.ready(stop.signal);
  await transport.connect(events, will, stop.signal);
  await transport.enter(POWER_TABLE.driving);
  assert.equal(closed, []);
  await transport.enter(POWER_TABLE.deep_sleep);
  assert.equal(closed, ["asleep"]);
  let isReady = false;
  const ready = transport.ready(stop.signal).then(() => {
    isReady = true;
  });
  await turn();
  assert.not(isReady);
  await transport.connect(events, will, stop.signal);
  assert.equal(closed, ["asleep", "asleep"], "what was connected on the way to sleep is ended too");
  await transport.enter(POWER_TABLE.rental_soon);
  await ready;
  assert.is(connects, 2);
  await transport.enter(POWER_TABLE.deep_sleep);
  const cut = transport.ready(stop.signal).then(
    () => "ready",
    () => "cut",
  );
  stop.abort();
  assert.is(await cut, "cut");
});

test("the modem's words that wake, however they are cut; all others do not", async () => {
  const clock = manualClock();
  let woken = 0;
  let opened = 0;
  let refuses = true;
  const warned: string[] = [];
  let events: LineEvents | undefined;
  const line = new WakeLine({
    clock,
    log: { ...silentLog, warn: (event) => warned.push(event) },
    onWake: () => {
      woken += 1;
    },
    line: async (given) => {
      if (refuses) throw new Error("no such port");
      opened += 1;
      events = given;
      return { write: () => true, close: () => given.closed("closed") };
    },
  });
  line.start();
  await turn();
  assert.equal(warned, ["modem.open_failed"]);
  refuses = false;
  clock.pass(1000);
  await turn();
  assert.is(opened, 1);
  const hear = (text: string): void => events?.data(Buffer.from(text, "latin1"));
  for (const text of ['\r\n+CMTI: "SM",1\r\n', "\r\nRING\r\n", "+CRI", "NG: VOICE\r\n"]) hear(text);
  assert.is(woken, 3);
  for (const text of [
    "OK\r\n",
    "unlock\r\n",
    "x+CMTI: 1\r\n",
    "+CMTI: ".padEnd(9),
    "\u00ff\u0000\r\n",
  ])
    hear(text);
  hear("x".repeat(1000));
  hear('+CMTI: "SM",1\r\n');
  assert.is(woken, 4, "one that was begun and ended by rubbish counts; a line too long is skipped");
  for (let i = 0; i < 100; i += 1) hear("\r\nRING\r\n");
  assert.is(woken, MODEM_WAKES_AN_HOUR_MAX);
  clock.pass(HOUR);
  hear("\r\nRING\r\n");
  assert.is(woken, MODEM_WAKES_AN_HOUR_MAX + 1);
  events?.closed("hung up");
  clock.pass(1000);
  await turn();
  assert.is(opened, 2);
  line.stop();
  clock.pass(HOUR);
  await turn();
  assert.is(opened, 2);
});

test.run();
