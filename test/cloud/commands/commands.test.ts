/** Commands end to end: HTTPS → API → signer process → car → signed result → API. */
import { randomUUID } from "node:crypto";
import {
  type CommandResult,
  randomBytes,
  signingKey,
  signResult,
  signSession,
  toHex,
} from "@kerbside/protocol";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../support/wait.ts";
import { book, command } from "./asking.ts";
import { DEMO } from "./car.ts";
import { CAR, openRig, type Reply, type Rig } from "./rig.ts";

const it = suite<{ rig: Rig; token: string; booking: string }>("commands");

const states = (reply: Reply): readonly string[] =>
  reply.body.steps.map((step: { state: string }) => step.state);
const read = (rig: Rig, token: string, id: string, wait = 0): Promise<Reply> =>
  rig.ask({ path: `/v1/tenants/demo/commands/${id}?wait=${wait}`, token });

async function says(rig: Rig, result: CommandResult, key = rig.car.key): Promise<void> {
  await rig.car.says("result", signResult(key, result));
}

function theEnvelope(rig: Rig): Uint8Array {
  const [envelope] = rig.car.envelopes;
  if (envelope === undefined) throw new Error("the car heard nothing");
  return envelope;
}

it.before(async (context) => {
  context.rig = await openRig();
  context.token = await context.rig.issuer.mint();
  await context.rig.car.announce();
  context.booking = await book(context.rig, context.token);
});
it.before.each(({ rig: { car } }) => {
  car.conduct = ["received", "executed"];
  car.received.length = 0;
  car.envelopes.length = 0;
});
it.after(({ rig }) => rig.close());

it("unlocks for a booking, which is open then, and shows every step with its time", async ({
  rig,
  token,
}) => {
  const booking = await book(rig, token);
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.is(reply.status, 200, reply.text);
  assert.equal(states(reply), ["accepted", "signed", "sent", "received", "executed"]);
  assert.is(reply.body.result.sensed.locked, "yes");
  assert.is(reply.body.error, undefined);
  const path = `/v1/tenants/demo/bookings/${booking}`;
  assert.is((await rig.ask({ path, token })).body.state, "open");
  const ended = await rig.ask({ method: "POST", path: `${path}/end`, token });
  assert.is(ended.body.state, "ended", ended.text);
  const locked = await command(rig, token, { action: "lock", booking });
  assert.is(locked.body.state, "executed", "the lock of a rental that just ended");
  const again = await command(rig, token, { action: "unlock", booking });
  assert.is(again.status, 403);
});

it("signs for the car's own epoch, with a rising counter and a life the car accepts", async ({
  rig,
  token,
  booking,
}) => {
  await command(rig, token, { action: "unlock", booking });
  await command(rig, token, { action: "lock", booking });
  const [first, second] = rig.car.received;
  assert.is(toHex(first?.epoch ?? new Uint8Array()), toHex(rig.car.epoch));
  assert.ok((second?.counter ?? 0) > (first?.counter ?? Number.POSITIVE_INFINITY));
  const lifeMs = (first?.expiresAtMs ?? 0) - rig.car.sessionMs;
  assert.ok(lifeMs >= 10_000 && lifeMs < 30_000, `${lifeMs} ms`);
});

it("tells every unmet condition in words", async ({ rig, token, booking }) => {
  rig.car.conduct = ["received", "refused"];
  rig.car.unmet = [
    { condition: "standstill", words: "the car moves" },
    { condition: "doors", words: "the driver's door is open" },
  ];
  const reply = await command(rig, token, { action: "lock", booking });
  assert.is(reply.body.state, "refused", reply.text);
  assert.equal(reply.body.result.unmet, rig.car.unmet);
  assert.equal(
    [reply.body.error.code, reply.body.error.mayHaveSucceeded, reply.body.error.temporary],
    ["refused", false, true],
  );
});

it("does once what is asked twice with one key, and refuses the key for anything else", async ({
  rig,
  token,
  booking,
}) => {
  const key = randomUUID();
  const asked = { action: "unlock", booking };
  const both = await Promise.all([
    command(rig, token, asked, { key }),
    command(rig, token, asked, { key }),
  ]);
  assert.is(both[0].body.id, both[1].body.id);
  const third = await command(rig, token, asked, { key });
  assert.is(third.body.id, both[0].body.id);
  assert.is(rig.car.received.length, 1);
  const other = await command(rig, token, { action: "lock", booking }, { key });
  assert.is(other.status, 409);
  assert.is(other.body.code, "conflict");
  assert.is(rig.car.received.length, 1);
});

it("answers vehicle_offline at once, records it, and queues nothing", async ({
  rig,
  token,
  booking,
}) => {
  await rig.car.says("gone", rig.car.epoch);
  const began = performance.now();
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.ok(performance.now() - began < 2000);
  assert.is(reply.status, 409);
  assert.is(reply.body.code, "vehicle_offline");
  assert.equal([reply.body.mayHaveSucceeded, reply.body.temporary], [false, true]);
  const recorded = await read(rig, token, reply.body.command);
  assert.is(recorded.body.state, "failed");
  await rig.car.announce({ reason: "reconnect" });
  assert.is(rig.car.received.length, 0, "nothing was kept for later");
  rig.car.connected = false;
  const cut = await command(rig, token, { action: "unlock", booking });
  assert.is(cut.body.code, "vehicle_offline", "the broker knows before the cloud does");
  await rig.car.announce({ reason: "reconnect" });
});

it("`gone` of another epoch changes nothing", async ({ rig, token }) => {
  await rig.car.says("gone", randomBytes(16));
  const car = await rig.ask({ path: "/v1/tenants/demo/vehicles/car-1", token });
  assert.is(car.body.online, true);
});

it("a silent car leaves `unknown`, and a signed answer resolves it however late", async ({
  rig,
  token,
  booking,
}) => {
  rig.car.conduct = [];
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.is(reply.status, 200, reply.text);
  assert.is(reply.body.state, "unknown");
  assert.is(reply.body.error.mayHaveSucceeded, true);
  await says(rig, rig.car.result(theEnvelope(rig)));
  const late = await read(rig, token, reply.body.id);
  assert.is(late.body.state, "executed");
  assert.is(late.body.error, undefined);
});

type Forgery = {
  readonly why: string;
  readonly forge: (rig: Rig, result: CommandResult) => Promise<void>;
};
const FORGERIES: readonly Forgery[] = [
  {
    why: "signed by another key",
    forge: (rig, result) => says(rig, result, signingKey(randomBytes(32))),
  },
  {
    why: "for another request",
    forge: (rig, result) => says(rig, { ...result, requestHash: randomBytes(32) }),
  },
  {
    why: "for a command that never was",
    forge: (rig, result) => says(rig, { ...result, id: randomBytes(16) }),
  },
  {
    why: "of another tenant's car",
    forge: async (rig, result) => {
      const payload = signResult(rig.car.key, { ...result, tenant: "other" as typeof DEMO });
      await rig.car.says("result", payload);
    },
  },
  {
    why: "not even CBOR",
    forge: (rig) => rig.car.says("result", new Uint8Array([0xff, 0, 1])),
  },
  {
    why: "a session where a result belongs",
    forge: (rig) => rig.car.says("result", signSession(rig.car.key, rig.car.session())),
  },
];
for (const { why, forge } of FORGERIES) {
  it(`a result ${why} is put aside and changes nothing`, async ({ rig, token, booking }) => {
    rig.car.conduct = ["received"];
    const asked = await command(rig, token, { action: "unlock", booking }, { wait: 0 });
    await forge(rig, rig.car.result(theEnvelope(rig)));
    const shown = await read(rig, token, asked.body.id);
    assert.is(shown.body.final, false, shown.text);
    await says(rig, rig.car.result(theEnvelope(rig)));
    assert.is((await read(rig, token, asked.body.id)).body.state, "executed");
    const aside = (await rig.store()).quarantined(0, 100);
    assert.ok(aside.length > 0);
  });
}

it("the car's answer twice adds no step", async ({ rig, token, booking }) => {
  const reply = await command(rig, token, { action: "lock", booking });
  for (const { channel, payload } of rig.car.sent.filter((m) => m.channel === "result")) {
    await rig.fromCar({ topic: { tenant: DEMO, vehicle: CAR, channel }, payload });
  }
  assert.equal(states(await read(rig, token, reply.body.id)), states(reply));
});

it("signs once more where the car had begun a new session, within the same request", async ({
  rig,
  token,
  booking,
}) => {
  const usual = rig.car.answer;
  rig.car.answer = async (envelope) => {
    rig.car.answer = usual;
    rig.car.beginEpoch();
    await rig.car.announce({ reason: "resume" });
    await usual(envelope);
  };
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.is(reply.body.state, "executed", reply.text);
  assert.equal(states(reply), [
    "accepted",
    "signed",
    "sent",
    "signed",
    "sent",
    "received",
    "executed",
  ]);
  const [first, second] = rig.car.received;
  assert.not.equal(first?.epoch, second?.epoch);
  await says(rig, rig.car.result(theEnvelope(rig), { status: "refused" }));
  assert.is((await read(rig, token, reply.body.id)).body.state, "executed");
});

it("stale_session where the car has not announced its new session", async ({
  rig,
  token,
  booking,
}) => {
  rig.car.beginEpoch();
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.is(reply.status, 409, reply.text);
  assert.equal([reply.body.code, reply.body.temporary], ["stale_session", true]);
  await rig.car.announce({ reason: "start" });
  assert.is((await command(rig, token, { action: "unlock", booking })).body.state, "executed");
});

it("a car that did it, could write nothing down and began anew leaves `unknown`, and is not asked again", async ({
  rig,
  token,
  booking,
}) => {
  const usual = rig.car.answer;
  rig.car.answer = async (envelope) => {
    rig.car.answer = usual;
    rig.car.conduct = ["received"];
    await usual(envelope);
    rig.car.conduct = ["executed"];
    rig.car.beginEpoch();
    await rig.car.announce({ reason: "start" });
  };
  const asked = { key: randomUUID() };
  const lost = await command(rig, token, { action: "unlock", booking }, asked);
  assert.equal([lost.status, lost.body.state], [200, "unknown"], lost.text);
  const { mayHaveSucceeded } = lost.body.error;
  assert.equal([mayHaveSucceeded, lost.body.result], [true, undefined]);
  assert.equal(states(lost), ["accepted", "signed", "sent", "received", "unknown"]);
  const again = await command(rig, token, { action: "unlock", booking }, asked);
  assert.equal([again.body.id, again.body.state], [lost.body.id, "unknown"]);
  assert.is(rig.car.received.length, 1, "nothing is sent twice");
  const anew = await command(rig, token, { action: "unlock", booking });
  assert.is(anew.body.state, "executed", "whoever decides to ask anew is answered");
  assert.is((await read(rig, token, lost.body.id)).body.state, "unknown");
});

it("a crash of the API loses no command: answers and deadlines still count", async ({
  rig,
  token,
  booking,
}) => {
  rig.car.conduct = ["received"];
  const asked = await command(rig, token, { action: "unlock", booking }, { wait: 0 });
  const silent = await command(rig, token, { action: "lock", booking }, { wait: 0 });
  assert.is(asked.status, 202, asked.text);
  await rig.restartNode();
  await says(rig, rig.car.result(theEnvelope(rig)));
  assert.is((await read(rig, token, asked.body.id)).body.state, "executed");
  // By the deadline that was taken up again, with nobody asking.
  const store = await rig.store();
  await until("it is unknown", async () => {
    return (await store.command(silent.body.id))?.state === "unknown";
  });
});

it("a result that another process took wakes who waits here", async ({ rig, token, booking }) => {
  const other = await rig.anotherNode();
  rig.car.answer = async (envelope) => {
    const payload = signResult(rig.car.key, rig.car.result(envelope));
    await other.fromCar({ topic: { tenant: DEMO, vehicle: CAR, channel: "result" }, payload });
  };
  const reply = await command(rig, token, { action: "lock", booking });
  assert.is(reply.body.state, "executed", reply.text);
  rig.car.answer = (envelope) => rig.car.usual(envelope);
  await other.close();
});

it("without the signer nothing is sent, and it goes on when the signer is back", async ({
  rig,
  token,
  booking,
}) => {
  await rig.stopSigner();
  const reply = await command(rig, token, { action: "unlock", booking });
  assert.is(reply.status, 503, reply.text);
  assert.equal([reply.body.code, reply.body.mayHaveSucceeded], ["unavailable", false]);
  assert.is(rig.car.received.length, 0);
  await rig.startSigner();
  assert.is((await command(rig, token, { action: "unlock", booking })).body.state, "executed");
});

it("P-51 each command and its result stand in the audit, with who, what and the outcome", async ({
  rig,
  token,
  booking,
}) => {
  const reply = await command(rig, token, { action: "lock", booking });
  const store = await rig.store();
  const all = [];
  for (let after = 0; ; ) {
    const page = await store.auditTrail(after, 1000);
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  const trail = all.filter((entry) => entry.subject === `command:${reply.body.id}`);
  assert.equal(
    trail.map((entry) => [entry.actor, entry.action, entry.outcome]),
    [
      ["backend", "command.request", "asked"],
      ["backend", "signer.sign_command", "done"],
      ["kerbside", "command.sent", "asked"],
      ["vehicle:car-1", "command.received", "asked"],
      ["vehicle:car-1", "command.executed", "done"],
    ],
  );
  assert.is(trail[0]?.from, "127.0.0.1");
});

it.run();
