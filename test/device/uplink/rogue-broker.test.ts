/**
 * A broker that lies: whatever it says, says again, holds back or swaps, a car with the real uplink, executor and
 * journal moves its bolts for what the tenant signed for it, in its epoch, once, and for nothing else.
 */
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Action,
  type Channel,
  type Command,
  commandCodec,
  encode,
  KEY_PURPOSES,
  openResult,
  openSession,
  type Random,
  randomBytes,
  type SessionAnnouncement,
  sign1,
  signCommand,
  signingKey,
  systemRandom,
  type Transport,
  type TransportEvents,
  tenantId,
  topicOf,
  VEHICLE_DOMAINS,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import {
  createSession,
  type SegmentStore,
  type Session,
  startUplink,
  type Uplink,
} from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { commandOf, InstantLock, type LockRig, lockRig } from "../../support/lock-rig.ts";
import { type ManualClock, manualClock, silentLog } from "../../support/runtime.ts";

const COMMAND_KEY = signingKey(randomBytes(32));
const CAR_KEY = signingKey(randomBytes(32));
const ADDRESS = { tenant: tenantId("t"), vehicle: vehicleId("v") };
const TEN_YEARS_MS = 10 * 365 * 86_400_000;
const LIFE_MS = 10_000;
const ACTIONS: readonly Action[] = ["lock", "unlock", "trunk", "find", "release"];

/** Nothing to send, and acknowledgements that are never believed: other tests are about those. */
const EMPTY: SegmentStore = {
  next: () => undefined,
  acknowledge: () => ({ kind: "ignored", reason: "nothing was sent" }),
  online: () => undefined,
  watch: () => () => undefined,
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Car {
  readonly clock: ManualClock;
  readonly lock: InstantLock;
  /** What the broker got, in order. */
  readonly heard: { readonly topic: string; readonly payload: Uint8Array }[] = [];
  readonly rig: LockRig;
  readonly session: Session;
  readonly uplink: Uplink;
  #events: TransportEvents | undefined;
  readonly #running = new Set<Promise<unknown>>();

  private constructor(rig: LockRig, lock: InstantLock, clock: ManualClock) {
    const random: Random = systemRandom;
    this.rig = rig;
    this.lock = lock;
    this.clock = clock;
    this.session = createSession(this.clock, random);
    const transport: Transport = {
      connect: async (events) => {
        this.#events = events;
        return {
          publish: async (topic, payload) => {
            this.heard.push({ topic, payload });
          },
          close: async () => events.closed("closed"),
        };
      },
    };
    this.uplink = startUplink({
      ...{ address: ADDRESS, transport, buffer: EMPTY, session: this.session, random },
      signingKey: CAR_KEY,
      commandKey: () => verifyKey(COMMAND_KEY.publicKey),
      commands: {
        execute: (command, hash) => {
          this.rig.sessionMs = this.session.sessionMs();
          this.rig.epoch = this.session.epoch();
          const done = this.rig.executor.execute(command, hash);
          this.#running.add(done);
          return done;
        },
        recorded: (command, hash) => this.rig.executor.recorded(command, hash),
      },
      clock: this.clock,
      log: silentLog,
      agentVersion: "test",
      profile: "test/1",
    });
  }

  static async start(dir: string = mkdtempSync(join(tmpdir(), "kerbside-rogue-"))): Promise<Car> {
    const lock = new InstantLock();
    const clock = manualClock();
    const rig = await lockRig(dir, lock, clock);
    const car = new Car(rig, lock, clock);
    await turn();
    await turn();
    return car;
  }

  /** The broker says it, as if it came from the cloud. */
  async say(payload: Uint8Array, channel: Channel = "command"): Promise<void> {
    this.#events?.message(channel, payload);
    await turn();
    // The journal writes to a real disk.
    await Promise.all(this.#running);
    await turn();
  }

  command(action: Action, change: Partial<Command> = {}): Command {
    return commandOf(action, {
      ...ADDRESS,
      epoch: this.session.epoch(),
      expiresAtMs: this.session.sessionMs() + LIFE_MS,
      ...change,
    });
  }

  signed(action: Action, change: Partial<Command> = {}): Uint8Array {
    return signCommand(COMMAND_KEY, this.command(action, change));
  }

  /** Of the results that the broker got, all but `received`. */
  results(): readonly string[] {
    return this.heard
      .filter(({ topic }) => topic === topicOf(ADDRESS, "result"))
      .map(({ payload }) => openResult(verifyKey(CAR_KEY.publicKey), payload))
      .filter(({ status }) => status !== "received")
      .map(({ status, replayed }) => (replayed ? `replayed ${status}` : status));
  }

  sessions(): readonly SessionAnnouncement[] {
    return this.heard
      .filter(({ topic }) => topic === topicOf(ADDRESS, "session"))
      .map(({ payload }) => openSession(verifyKey(CAR_KEY.publicKey), payload));
  }

  async stop(): Promise<void> {
    await this.uplink.close();
    await this.rig.stop();
  }
}

const again = (count: number, payload: Uint8Array): readonly Uint8Array[] =>
  Array.from({ length: count }, () => payload);

type Lie = {
  readonly why: string;
  readonly says: (car: Car) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  readonly on?: Channel;
  /** What comes of it; nothing where nobody is answered. */
  readonly gives: readonly string[];
  readonly pulses: number;
};
const NOTHING = { gives: [], pulses: 0 } as const;
const LIES: readonly Lie[] = [
  { why: "noise", says: () => [randomBytes(1), randomBytes(200), new Uint8Array()], ...NOTHING },
  {
    why: "a command by a key of its own",
    says: (car) => [signCommand(signingKey(randomBytes(32)), car.command("unlock"))],
    ...NOTHING,
  },
  ...Object.values(KEY_PURPOSES)
    .filter(({ domain }) => domain !== KEY_PURPOSES.command.domain)
    .map(({ domain }) => ({
      why: `a command that the tenant signed as ${domain}`,
      says: (car: Car) => [sign1(COMMAND_KEY, domain, encode(commandCodec, car.command("unlock")))],
      ...NOTHING,
    })),
  {
    why: "what the car itself said, echoed",
    says: (car) => car.heard.map(({ payload }) => payload),
    ...NOTHING,
  },
  {
    why: "a command signed by the car's own key",
    says: (car) => [
      sign1(CAR_KEY, VEHICLE_DOMAINS.result, encode(commandCodec, car.command("unlock"))),
    ],
    ...NOTHING,
  },
  {
    why: "another car's command",
    says: (car) => [car.signed("unlock", { vehicle: vehicleId("w") })],
    ...NOTHING,
  },
  {
    why: "another tenant's",
    says: (car) => [car.signed("unlock", { tenant: tenantId("u") })],
    ...NOTHING,
  },
  {
    why: "a command that is cut",
    says: (car) => {
      const whole = car.signed("unlock");
      return Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
    },
    ...NOTHING,
  },
  {
    why: "a command with something behind it",
    says: (car) => [Uint8Array.from([...car.signed("unlock"), 0])],
    ...NOTHING,
  },
  ...(["ack", "time", "artefact"] as const).map((on) => ({
    why: `a true command on the channel ${on}`,
    says: (car: Car) => [car.signed("unlock")],
    on,
    ...NOTHING,
  })),
  {
    why: "a true command, a hundred times",
    says: (car) => again(100, car.signed("unlock")),
    gives: ["executed", ...Array.from({ length: 99 }, () => "replayed executed")],
    pulses: 1,
  },
  {
    why: "five that were held back, the last first",
    says: (car) => ACTIONS.map((action) => car.signed(action)).toReversed(),
    gives: ["executed", "refused", "refused", "refused", "refused"],
    pulses: 1,
  },
  {
    why: "a counter below, as from a database that was rolled back",
    says: (car) => {
      const early = car.signed("unlock");
      const late = car.signed("lock");
      return [late, early];
    },
    gives: ["executed", "refused"],
    pulses: 1,
  },
  {
    why: "one of the epoch before",
    says: (car) => {
      const before = car.signed("unlock");
      car.session.renew();
      return [before];
    },
    gives: ["stale_session"],
    pulses: 0,
  },
  {
    why: "one held back to its end",
    says: (car) => {
      const held = car.signed("unlock");
      car.clock.pass(LIFE_MS);
      return [held];
    },
    gives: ["expired"],
    pulses: 0,
  },
  {
    why: "one that would live for longer than any may",
    says: (car) => [car.signed("unlock", { expiresAtMs: car.session.sessionMs() + 30_001 })],
    gives: ["refused"],
    pulses: 0,
  },
  {
    why: "an action under another domain",
    says: (car) => [car.signed("unlock", { domain: "rental" })],
    gives: ["refused"],
    pulses: 0,
  },
];

for (const { why, says, on, gives, pulses } of LIES) {
  test(`a rogue broker: ${why}`, async () => {
    const car = await Car.start();
    for (const payload of await says(car)) await car.say(payload, on);
    assert.equal(car.results(), gives);
    assert.is(car.lock.pulses.length, pulses);
    const before = car.lock.pulses.length;
    await car.say(car.signed("lock"));
    assert.is(car.lock.pulses.length, before + 1, "what is true still counts");
    await car.stop();
  });
}

const CLOCKS: readonly {
  readonly why: string;
  readonly turn: (clock: ManualClock) => void;
  readonly is: string;
}[] = [
  { why: "the wall clock in 1970", turn: (clock) => clock.setWall(0), is: "executed" },
  {
    why: "the wall clock ten years back",
    turn: (clock) => clock.setWall(clock.wallMs() - TEN_YEARS_MS),
    is: "executed",
  },
  {
    why: "the wall clock ten years ahead",
    turn: (clock) => clock.setWall(clock.wallMs() + TEN_YEARS_MS),
    is: "executed",
  },
  { why: "a suspend longer than its life", turn: (clock) => clock.pass(LIFE_MS), is: "expired" },
  { why: "a moment before its end", turn: (clock) => clock.pass(LIFE_MS - 1), is: "executed" },
];
for (const { why, turn, is } of CLOCKS) {
  test(`a command's life is read on the session's clock: ${why}`, async () => {
    const car = await Car.start();
    const held = car.signed("unlock");
    turn(car.clock);
    await car.say(held);
    assert.equal(car.results(), [is]);
    await car.stop();
  });
}

test("a clock that stands still stretches a life, and lets nothing be done twice or out of turn", async () => {
  const car = await Car.start();
  const [first, second] = [car.signed("unlock"), car.signed("lock")];
  // Real time passes, the session's clock does not: nothing of it is called.
  await car.say(second);
  for (let i = 0; i < 50; i += 1) await car.say(i % 2 === 0 ? first : second);
  assert.is(car.lock.pulses.length, 1);
  assert.equal(new Set(car.results()), new Set(["executed", "refused", "replayed executed"]));
  await car.stop();
});

test("two agents with one identity and one disk: a command is for the epoch of one of them", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kerbside-rogue-"));
  const car = await Car.start(dir);
  await car.say(car.signed("lock"));
  const copy = mkdtempSync(join(tmpdir(), "kerbside-rogue-"));
  cpSync(dir, copy, { recursive: true });
  const twin = await Car.start(copy);
  const [mine, its] = [car.sessions()[0]?.epoch, twin.sessions()[0]?.epoch];
  assert.not.equal(mine, its);
  const command = car.signed("unlock");
  await twin.say(command);
  await car.say(command);
  assert.equal(twin.results(), ["stale_session"]);
  assert.equal(car.results(), ["executed", "executed"]);
  assert.is(car.lock.pulses.length + twin.lock.pulses.length, 2);
  await car.stop();
  await twin.stop();
});

test.run();
