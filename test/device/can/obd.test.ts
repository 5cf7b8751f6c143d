import {
  ADDRESSES,
  answerTo,
  busFiltersOf,
  type CanFrame,
  createDiagnosisClient,
  createObdEcu,
  createSignalStore,
  type EcuState,
  type ObdPoller,
  type ObdRule,
  type OutgoingFrame,
  readShippedProfile,
  type SignalStore,
  startObdPoller,
  troubleBytes,
  troubleCode,
} from "@kerbside/can";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CarFrames } from "../../support/car-frames.ts";
import { type ManualClock, manualClock } from "../../support/runtime.ts";

const CAR: EcuState = {
  speedKmh: 57,
  engineRpm: 2100.25,
  fuelPercent: 60,
  odometerM: 123_456_700,
  coolantC: 88,
  vin: "WVWZZZ1KZAW000042",
  codes: ["P0420", "U0100", "C1234"],
};

/** A car whose engine's control unit answers, and an agent that asks, under a simulated clock. */
class Lab {
  readonly clock: ManualClock = manualClock();
  readonly store: SignalStore;
  readonly poller: ObdPoller;
  readonly asked: { readonly atMs: number; readonly data: string }[] = [];
  car: EcuState = CAR;
  answers = true;
  state: "up" | "silent" | "busOff" = "up";
  readonly profile;

  constructor(rule: Partial<ObdRule> = {}, profile = "obd") {
    this.profile = readShippedProfile(profile);
    this.store = createSignalStore({ profile: this.profile, clock: this.clock });
    const addresses = ADDRESSES[rule.addressing ?? "11bit"];
    const ecu = createObdEcu({
      addresses,
      state: () => this.car,
      clock: this.clock,
      send: (frame) =>
        this.#carry(frame, (f) => this.poller.take([{ ...f, bootMs: this.clock.bootMs() }])),
    });
    this.poller = startObdPoller({
      rule: {
        addressing: "11bit",
        gapMs: 250,
        quietAfterIgnitionMs: 5000,
        ask: ["vin", "speed", "rpm", "fuel", "odometer", "coolant", "dtc"],
        ...rule,
      },
      bus: {
        state: () => this.state,
        send: (frame) => {
          const data = Buffer.from(frame.data).toString("hex");
          if (!data.startsWith("3")) this.asked.push({ atMs: this.clock.bootMs(), data });
          return this.#carry(frame, (f) => this.answers && ecu.take(f));
        },
      },
      store: this.store,
      clock: this.clock,
    });
  }

  #carry({ id, ext, data }: OutgoingFrame, to: (frame: CanFrame) => void): { sent: true } {
    const frame: CanFrame = { timeUs: null, bus: "", id, ext, kind: "data", fd: false, data };
    this.clock.after(1, () => to(frame));
    return { sent: true };
  }

  async pass(ms: number): Promise<void> {
    for (let t = 0; t < ms; t += 10) {
      this.clock.pass(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test("a car without a description tells what OBD offers, exactly, over both addressings", async () => {
  for (const addressing of ["11bit", "29bit"] as const) {
    const lab = new Lab({ addressing });
    await lab.pass(12_000);
    const { store } = lab;
    assert.is(store.good("Vehicle.Speed"), 57);
    assert.is(store.good("Vehicle.Powertrain.CombustionEngine.Speed"), 2100.25);
    assert.is(store.good("Vehicle.Powertrain.FuelSystem.RelativeLevel"), 60);
    assert.is(store.good("Vehicle.TraveledDistance"), 123_456_700);
    assert.is(store.good("Vehicle.Powertrain.CombustionEngine.ECT"), 88);
    assert.is(store.good("Vehicle.VehicleIdentification.VIN"), CAR.vin);
    assert.equal(store.good("Vehicle.Diagnostics.DTCList"), CAR.codes);
    assert.is(store.good("Vehicle.LowVoltageSystemState"), "ON", "it answers");
    lab.poller.stop();
  }
});

test("nothing is asked in the first seconds, then never sooner than the gap", async () => {
  const lab = new Lab();
  await lab.pass(4900);
  assert.equal(lab.asked, []);
  await lab.pass(20_000);
  assert.ok(lab.asked.length > 20);
  for (const [i, { atMs }] of lab.asked.entries()) {
    assert.ok(i === 0 || atMs - (lab.asked[i - 1]?.atMs ?? 0) >= 250, `question ${i}`);
  }
});

test("a car that needs minutes of quiet after the ignition is given them", async () => {
  const lab = new Lab({ quietAfterIgnitionMs: 120_000 });
  await lab.pass(119_000);
  assert.equal(lab.asked, []);
  await lab.pass(10_000);
  assert.ok(lab.asked.length > 0);
  lab.poller.stop();
});

test("what the bus tells by itself is not asked for, and nothing at all while the ignition is off", async () => {
  const lab = new Lab({}, "kerbside-sim");
  const frames = new CarFrames(lab.profile, lab.clock);
  const drive = async (terminal: string, ms: number): Promise<number> => {
    const before = lab.asked.length;
    for (let t = 0; t < ms; t += 50) {
      frames.send(lab.store, { IGNITION: { Terminal: terminal } });
      await lab.pass(50);
    }
    return lab.asked.length - before;
  };
  assert.is(await drive("OFF", 10_000), 0);
  assert.is(await drive("ON", 4900), 0, "quiet after the ignition");
  assert.ok((await drive("ON", 20_000)) > 0);
  assert.equal(
    [...new Set(lab.asked.map(({ data }) => data.slice(0, 4)))],
    ["0103"],
    "only the codes",
  );
  await drive("OFF", 3000);
  assert.is(await drive("OFF", 20_000), 0);
});

test("a car that sleeps is asked once a minute, a bus in trouble never", async () => {
  const lab = new Lab();
  lab.answers = false;
  await lab.pass(10_000);
  const before = lab.asked.length;
  await lab.pass(180_000);
  assert.ok(lab.asked.length - before <= 4, `${lab.asked.length - before} in three minutes`);
  assert.is(lab.store.read("Vehicle.LowVoltageSystemState").value, "OFF");
  lab.answers = true;
  await lab.pass(70_000);
  assert.is(lab.store.good("Vehicle.Speed"), 57, "and is back when it answers");
  lab.state = "busOff";
  await lab.pass(3000);
  const then = lab.asked.length;
  await lab.pass(60_000);
  assert.is(lab.asked.length, then);
});

test("another tester on the bus has precedence", async () => {
  const lab = new Lab();
  await lab.pass(8000);
  const tester: CanFrame = {
    timeUs: null,
    bus: "",
    id: 0x7df,
    ext: false,
    kind: "data",
    fd: false,
    data: Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 0),
  };
  lab.poller.take([{ ...tester, bootMs: lab.clock.bootMs() }]);
  const before = lab.asked.length;
  await lab.pass(29_000);
  assert.is(lab.asked.length, before);
  await lab.pass(5000);
  assert.ok(lab.asked.length > before);
});

test("what the car says no to is asked by UDS where that may help, and else no more", async () => {
  const lab = new Lab();
  lab.car = { speedKmh: 0 };
  await lab.pass(60_000);
  const questions = lab.asked.map(({ data }) => data.slice(2, 8));
  const count = (start: string): number => questions.filter((q) => q.startsWith(start)).length;
  assert.is(count("012f"), 2, "fuel: twice");
  assert.ok(lab.asked.length > 50);
  assert.is(lab.store.good("Vehicle.Speed"), 0);
  assert.is(lab.store.read("Vehicle.VehicleIdentification.VIN").value, undefined);
});

test("answers are matched to their question, and nonsense is none", () => {
  const rows: readonly [why: string, request: number[], message: number[], kind: string][] = [
    ["the answer", [1, 13], [0x41, 13, 5], "positive"],
    ["to another PID", [1, 13], [0x41, 12, 5], "other"],
    ["to another service", [1, 13], [0x43, 0], "other"],
    ["no", [1, 13], [0x7f, 1, 0x12], "negative"],
    ["no, to another", [1, 13], [0x7f, 3, 0x12], "other"],
    ["wait", [1, 13], [0x7f, 1, 0x78], "pending"],
    ["cut short", [1, 13], [0x7f, 1], "other"],
    ["nothing", [1, 13], [], "other"],
    ["by identifier", [0x22, 0xf1, 0x90], [0x62, 0xf1, 0x90, 1], "positive"],
    ["by another identifier", [0x22, 0xf1, 0x90], [0x62, 0xf1, 0x91, 1], "other"],
  ];
  for (const [why, request, message, kind] of rows) {
    assert.is(answerTo(Uint8Array.from(request), Uint8Array.from(message)).kind, kind, why);
  }
});

test("codes are written as the standard does, both ways", () => {
  const rows: readonly [code: string, high: number, low: number][] = [
    ["P0420", 0x04, 0x20],
    ["P3FFF", 0x3f, 0xff],
    ["C1234", 0x52, 0x34],
    ["B0001", 0x80, 0x01],
    ["U0100", 0xc1, 0x00],
  ];
  for (const [code, high, low] of rows) {
    assert.is(troubleCode(high, low), code);
    assert.equal(troubleBytes(code), [high, low]);
  }
  for (const code of ["", "X0420", "P4420", "P042", "P04200"]) {
    assert.throws(() => troubleBytes(code), RangeError);
  }
});

test("a client waits longer for a unit that asks it to, and hears silence in time", async () => {
  const clock = manualClock();
  const client = createDiagnosisClient({
    addresses: ADDRESSES["11bit"],
    send: () => ({ sent: true }),
    clock,
  });
  const answer = (...data: number[]): void =>
    client.take({
      timeUs: null,
      bus: "",
      id: 0x7e8,
      ext: false,
      kind: "data",
      fd: false,
      data: Uint8Array.of(data.length, ...data),
    });
  const slow = client.ask(Uint8Array.of(1, 13));
  answer(0x7f, 1, 0x78);
  clock.pass(4000);
  answer(0x41, 13, 9);
  assert.equal(await slow, { kind: "positive", data: Uint8Array.of(9) });
  const none = client.ask(Uint8Array.of(1, 13));
  clock.pass(100);
  assert.is((await none).kind, "silence");
  const stopped = client.ask(Uint8Array.of(1, 13));
  client.close();
  assert.is((await stopped).kind, "silence");
});

test("the kernel lets through what diagnosis goes by: answers, and the questions of another tester", () => {
  const EXT = 0x8000_0000;
  const filters = busFiltersOf(readShippedProfile("obd"));
  const passes = (id: number): boolean =>
    filters.some(({ id: wanted, mask }) => (id & mask) >>> 0 === (wanted & mask) >>> 0);
  const rows: readonly [why: string, id: number, expected: boolean][] = [
    ["an answer of the engine", 0x7e8, true],
    ["of any unit", 0x7ef, true],
    ["an answer of 29 bits", 0x18daf110 + EXT, true],
    ["a question to all", 0x7df, true],
    ["a question to one unit", 0x7e3, true],
    ["a question of 29 bits", 0x18da10f1 + EXT, true],
    ["a question of 29 bits to all", 0x18db33f1 + EXT, true],
    ["the rest of the bus", 0x123, false],
    ["and of 29 bits", 0x18fef100 + EXT, false],
    ["the same number of 29 bits", 0x7e8 + EXT, false],
  ];
  for (const [why, id, expected] of rows) assert.is(passes(id), expected, why);
});

test.run();
