/** Commands in and results out in memory: what is answered to what, by whom it is signed, and what is only logged. */
import {
  type Command,
  type CommandResult,
  cryptoReady,
  openResult,
  randomBytes,
  requestHashOf,
  signCommand,
  signingKey,
  tenantId,
  type VerifyKey,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type CommandAnswer, createIntake, createSession, verifyCommand } from "@kerbside/uplink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { manualClock, silentLog } from "../../support/runtime.ts";

await cryptoReady();
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const COMMAND_KEY = signingKey(randomBytes(32));
const CAR_KEY = signingKey(randomBytes(32));

class Car {
  readonly clock = manualClock();
  readonly session = createSession(this.clock, { bytes: randomBytes, fraction: () => 0 });
  readonly sent: CommandResult[] = [];
  readonly logged: string[] = [];
  readonly ran: Command[] = [];
  /** What the other side took over. */
  readonly taken: CommandAnswer[] = [];
  /** What the record says of a command that may not be run any more. */
  recorded: CommandAnswer | undefined;
  /** How long a command takes, in turns of the event loop. */
  turns = 0;
  readonly intake = createIntake({
    address: ADDRESS,
    signingKey: CAR_KEY,
    commandKey: () => verifyKey(COMMAND_KEY.publicKey),
    session: this.session,
    commands: this.#executor(),
    log: {
      ...silentLog,
      warn: (event, fields) => this.logged.push(`${event} ${JSON.stringify(fields)}`),
    },
    send: (result, taken) => {
      this.sent.push(openResult(verifyKey(CAR_KEY.publicKey), result));
      taken();
    },
  });

  #executor() {
    return {
      execute: async (command: Command, requestHash: Uint8Array): Promise<CommandAnswer> => {
        this.ran.push(command);
        for (let turns = this.turns; turns > 0; turns -= 1)
          await new Promise((resolve) => setImmediate(resolve));
        return this.answer(command, requestHash);
      },
      recorded: () => this.recorded,
      taken: (answer: CommandAnswer) => void this.taken.push(answer),
    };
  }

  answer({ id }: Pick<Command, "id">, requestHash: Uint8Array): CommandAnswer {
    const sensed = { locked: "yes", immobilised: "no", doorsClosed: "yes" } as const;
    const verdict = { status: "executed", unmet: [], sensed, mayHaveSucceeded: true } as const;
    return { id, requestHash, verdict, replayed: true, durable: true };
  }

  command(change: Partial<Command> = {}): Command {
    return {
      id: new Uint8Array(16).fill(4),
      ...ADDRESS,
      domain: "body",
      action: "lock",
      epoch: this.session.epoch(),
      counter: 1,
      expiresAtMs: this.session.sessionMs() + 10_000,
      ...change,
    };
  }

  async take(change: Partial<Command> = {}, key = COMMAND_KEY): Promise<Uint8Array> {
    const envelope = signCommand(key, this.command(change));
    await this.intake.take(envelope);
    return Uint8Array.from(requestHashOf(envelope));
  }
}

test("a good command is received, run and answered, each signed by the car and bound to the request", async () => {
  const car = new Car();
  car.turns = 2;
  car.clock.pass(1234);
  const requestHash = await car.take();
  assert.is(car.ran.length, 1);
  const plain = { ...ADDRESS, id: new Uint8Array(16).fill(4), requestHash, unmet: [] };
  assert.equal(car.sent, [
    {
      ...plain,
      status: "received",
      replayed: false,
      durable: false,
      mayHaveSucceeded: false,
      sessionMs: 1234,
    },
    {
      ...plain,
      status: "executed",
      replayed: true,
      sensed: { locked: "yes", immobilised: "no", doorsClosed: "yes" },
      durable: true,
      mayHaveSucceeded: true,
      sessionMs: 1234,
    },
  ]);
  assert.equal(car.logged, []);
});

const REFUSED = [
  { why: "its life is over", change: { expiresAtMs: 0 }, status: "expired", unmet: [] },
  {
    why: "of another epoch",
    change: { epoch: new Uint8Array(16) },
    status: "stale_session",
    unmet: [],
  },
  {
    why: "it would live too long",
    change: { expiresAtMs: 1e9 },
    status: "refused",
    unmet: [{ condition: "life_bounded", words: "The command lives longer than a command may." }],
  },
  {
    why: "in another domain",
    change: { domain: "rental" },
    status: "refused",
    unmet: [
      {
        condition: "domain_matches",
        words: "The action does not belong to the command's domain.",
      },
    ],
  },
] as const;
for (const { why, change, status, unmet } of REFUSED)
  test(`what may not be run is answered, and not run: ${why}`, async () => {
    const car = new Car();
    const requestHash = await car.take(change);
    assert.equal(car.sent, [
      {
        ...ADDRESS,
        id: new Uint8Array(16).fill(4),
        requestHash,
        status,
        unmet: [...unmet],
        replayed: false,
        durable: false,
        mayHaveSucceeded: false,
        sessionMs: 0,
      },
    ]);
    assert.equal(car.ran, []);
  });

test("a command lives from its arrival to its end, and no longer than a command may", async () => {
  for (const [expiresAtMs, status] of [
    [1000, "expired"],
    [1001, "executed"],
    [31_000, "executed"],
    [31_001, "refused"],
  ] as const) {
    const car = new Car();
    car.clock.pass(1000);
    await car.take({ expiresAtMs });
    assert.is(car.sent.at(-1)?.status, status, `${expiresAtMs}`);
  }
});

test("what is answered at once is not said to be received before, nor after", async () => {
  const car = new Car();
  await car.take();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(
    car.sent.map(({ status }) => status),
    ["executed"],
  );
});

test("what may not be run any more is answered from the record, where there is one", async () => {
  const car = new Car();
  const asked = car.command({ expiresAtMs: 0 });
  car.recorded = car.answer(asked, requestHashOf(signCommand(COMMAND_KEY, asked)));
  await car.take({ expiresAtMs: 0 });
  assert.equal(
    car.sent.map(({ status, replayed }) => [status, replayed]),
    [["executed", true]],
  );
});

test("an executor that keeps no record is asked for none", async () => {
  const car = new Car();
  const sent: CommandResult[] = [];
  const intake = createIntake({
    address: ADDRESS,
    signingKey: CAR_KEY,
    commandKey: () => verifyKey(COMMAND_KEY.publicKey),
    session: car.session,
    commands: { execute: () => Promise.reject(new Error("not to be run")) },
    log: silentLog,
    send: (result) => sent.push(openResult(verifyKey(CAR_KEY.publicKey), result)),
  });
  await intake.take(signCommand(COMMAND_KEY, car.command({ expiresAtMs: 0 })));
  assert.is(sent[0]?.status, "expired");
});

test("what is not authentic or not for this car is answered by nobody, and logged", async () => {
  const car = new Car();
  await car.take({}, signingKey(randomBytes(32)));
  await car.take({ tenant: tenantId("other") });
  await car.take({ vehicle: vehicleId("car-2") });
  await car.intake.take(randomBytes(30));
  assert.equal(car.sent, []);
  assert.equal(car.ran, []);
  assert.equal(
    car.logged,
    ["unauthenticated", "other_tenant", "other_vehicle", "malformed"].map(
      (reason) => `command.dropped {"reason":"${reason}"}`,
    ),
  );
});

test("an answer that no message asked for is signed and sent as it is", () => {
  const car = new Car();
  car.intake.report(car.answer({ id: new Uint8Array(16) }, new Uint8Array(32)));
  assert.equal(
    car.sent.map(({ status }) => status),
    ["executed"],
  );
});

test("a bug of ours is not taken for a forged command", () => {
  const bug = new TypeError("a bug");
  const key: VerifyKey = Object.defineProperty({ ...verifyKey(COMMAND_KEY.publicKey) }, "handle", {
    get: () => {
      throw bug;
    },
  });
  const car = new Car();
  const context = { address: ADDRESS, commandKey: key, epoch: car.session.epoch(), sessionMs: 0 };
  assert.throws(
    () => verifyCommand(context, signCommand(COMMAND_KEY, car.command())),
    (error: unknown) => error === bug,
  );
});

test("an answer that was taken over is said to be, whether asked for or not; that it was received is none", async () => {
  const car = new Car();
  car.turns = 2;
  await car.take();
  assert.equal(
    car.sent.map(({ status }) => status),
    ["received", "executed"],
  );
  const late = car.answer({ id: new Uint8Array(16).fill(5) }, new Uint8Array(32));
  car.intake.report(late);
  assert.equal(
    car.taken.map(({ id }) => id[0]),
    [4, 5],
  );
});

test.run();
