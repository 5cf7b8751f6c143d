/** Which commands are handed on: a table over the pure check, then the whole way over a real broker. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  COMMAND_LIFE_MS_MAX,
  type Command,
  type CommandResult,
  openResult,
  openSession,
  randomBytes,
  requestHashOf,
  signCommand,
  signingKey,
  type Transport,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { type CommandAnswer, type CommandVerdict, verifyCommand } from "@kerbside/uplink";
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import { ADDRESS } from "../../support/car-cloud.ts";
import { InstantLock, lockRig } from "../../support/lock-rig.ts";
import { realClock } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";
import { type Line, line } from "./harness.ts";

const key = signingKey(randomBytes(32));
const EPOCH = randomBytes(16);
const NOW = 100_000;
const context = {
  address: ADDRESS,
  commandKey: verifyKey(key.publicKey),
  epoch: EPOCH,
  sessionMs: NOW,
};

function command(change: Partial<Command> = {}): Command {
  return {
    id: randomBytes(16),
    ...ADDRESS,
    domain: "body",
    action: "unlock",
    epoch: EPOCH,
    counter: 1,
    expiresAtMs: NOW + 10_000,
    ...change,
  };
}

type Row = { readonly why: string; readonly change: Partial<Command>; readonly is: string };
const ROWS: readonly Row[] = [
  { why: "all in order", change: {}, is: "run" },
  { why: "another tenant", change: { tenant: tenantId("other") }, is: "dropped other_tenant" },
  { why: "another vehicle", change: { vehicle: vehicleId("car-2") }, is: "dropped other_vehicle" },
  {
    why: "domain of another action",
    change: { domain: "immobiliser" },
    is: "refused domain_matches",
  },
  { why: "another epoch", change: { epoch: randomBytes(16) }, is: "stale_session" },
  { why: "one millisecond before its end", change: { expiresAtMs: NOW + 1 }, is: "run" },
  { why: "at its end", change: { expiresAtMs: NOW }, is: "expired" },
  { why: "past its end", change: { expiresAtMs: NOW - 1 }, is: "expired" },
  { why: "as far ahead as may be", change: { expiresAtMs: NOW + COMMAND_LIFE_MS_MAX }, is: "run" },
  {
    why: "a millisecond further",
    change: { expiresAtMs: NOW + COMMAND_LIFE_MS_MAX + 1 },
    is: "refused life_bounded",
  },
  {
    why: "another tenant, and also stale: it is not answered",
    change: { tenant: tenantId("other"), epoch: randomBytes(16) },
    is: "dropped other_tenant",
  },
];

function summary(verdict: CommandVerdict): string {
  if (verdict.kind === "dropped") return `dropped ${verdict.reason}`;
  if (verdict.kind === "refused") return `refused ${verdict.unmet.condition}`;
  return verdict.kind;
}

for (const { why, change, is } of ROWS) {
  test(`a command is judged: ${why}`, () => {
    assert.is(summary(verifyCommand(context, signCommand(key, command(change)))), is);
  });
}

test("what is not authentic is dropped: every bit flipped, another key, noise", () => {
  const envelope = signCommand(key, command());
  for (let bit = 0; bit < envelope.length * 8; bit += 1) {
    const bent = Uint8Array.from(envelope);
    const at = bit >> 3;
    bent[at] = (bent[at] ?? 0) ^ (1 << (bit & 7));
    assert.is(verifyCommand(context, bent).kind, "dropped", `bit ${bit}`);
  }
  const other = signCommand(signingKey(randomBytes(32)), command());
  assert.is(summary(verifyCommand(context, other)), "dropped unauthenticated");
  assert.is(summary(verifyCommand(context, new Uint8Array())), "dropped malformed");
});

const whole = suite("over a broker");
let l: Line;
let ran: Command[] = [];
whole.before.each(async () => {
  l = await line();
  ran = [];
});
whole.after.each(() => l.close());

function results(): CommandResult[] {
  const carKey = verifyKey(l.identity.signingKey.publicKey);
  return l.received
    .filter(({ topic }) => topic.channel === "result")
    .map(({ payload }) => openResult(carKey, payload));
}

function executed({ id }: Command, requestHash: Uint8Array): CommandAnswer {
  const sensed = { locked: "no", immobilised: "no", doorsClosed: "yes" } as const;
  const verdict = { status: "executed", unmet: [], sensed, mayHaveSucceeded: true } as const;
  return { id, requestHash, verdict, replayed: false, durable: true };
}

function fresh(change: Partial<Command> = {}): Command {
  const { session } = l;
  return command({ epoch: session.epoch(), expiresAtMs: session.sessionMs() + 10_000, ...change });
}

/** `bolts` resolves when they have moved. */
async function startCar(
  bolts: () => Promise<unknown> = () => delay(5),
): Promise<ReturnType<Line["start"]>> {
  const commands = {
    execute: async (asked: Command, requestHash: Uint8Array) => {
      ran.push(asked);
      await bolts();
      return executed(asked, requestHash);
    },
  };
  const uplink = l.start(await l.openBuffer(), { commands });
  await until("online", () => uplink.status().state === "online");
  return uplink;
}

whole("is received, run and answered, bound to its request", async () => {
  await startCar();
  const envelope = signCommand(l.commandKey, fresh());
  await l.broker.downlink.send(ADDRESS, "command", envelope);
  await until("two results", () => results().length === 2);
  assert.equal(
    results().map(({ status }) => status),
    ["received", "executed"],
  );
  for (const { requestHash } of results())
    assert.is(toHex(requestHash), toHex(requestHashOf(envelope)));
  assert.is(ran.length, 1);
});

whole("answered at once, it need not be told to be received", async () => {
  await startCar(() => Promise.resolve());
  await l.broker.downlink.send(ADDRESS, "command", signCommand(l.commandKey, fresh()));
  await until("the answer", () => results().length > 0);
  assert.is(results()[0]?.status, "executed");
});

whole("of an epoch that is over is answered as stale, and not run", async () => {
  const uplink = await startCar();
  const envelope = signCommand(l.commandKey, fresh());
  const before = toHex(l.session.epoch());
  uplink.resumed();
  assert.is.not(toHex(l.session.epoch()), before);
  await until("back", () => uplink.status().state === "online" && uplink.status().connections > 1);
  await l.broker.downlink.send(ADDRESS, "command", envelope);
  await until("an answer", () => results().length > 0);
  assert.is(results()[0]?.status, "stale_session");
  assert.equal(ran, []);
});

const EARLY = [
  { why: "before its first connection begins", at: "ready" },
  { why: "while its first connection is made", at: "connect" },
] as const;
for (const { why, at } of EARLY)
  whole(`a car that slept ${why} announces the epoch after that sleep, and no other`, async () => {
    const started = Promise.withResolvers<ReturnType<Line["start"]>>();
    const before = toHex(l.session.epoch());
    let slept = false;
    const sleep = async (): Promise<void> => {
      if (slept) return;
      slept = true;
      (await started.promise).resumed();
    };
    const through = (transport: Transport): Transport => ({
      ...transport,
      ready: async (signal) => {
        await transport.ready?.(signal);
        if (at === "ready") await sleep();
      },
      connect: async (...to) => {
        const connection = await transport.connect(...to);
        if (at === "connect") await sleep();
        return connection;
      },
    });
    const commands = {
      execute: (asked: Command, requestHash: Uint8Array) =>
        Promise.resolve(executed(asked, requestHash)),
    };
    const uplink = l.start(await l.openBuffer(), { through, commands });
    started.resolve(uplink);
    const of = (channel: string) => l.received.filter(({ topic }) => topic.channel === channel);
    await until("it is announced", () => of("session").length > 0);
    assert.is.not(toHex(l.session.epoch()), before);
    await l.broker.downlink.send(ADDRESS, "command", signCommand(l.commandKey, fresh()));
    await until("the answer", () => results().length > 0);
    assert.is(results().at(-1)?.status, "executed");
    const carKey = verifyKey(l.identity.signingKey.publicKey);
    const told = of("session").map(({ payload }) => openSession(carKey, payload));
    assert.equal(
      told.map(({ epoch, reason, announcement }) => [toHex(epoch), reason, announcement]),
      [[toHex(l.session.epoch()), "resume", 1]],
    );
    // A connection whose will names the epoch before is given up, and says of that epoch that it is over.
    const over = () => of("gone").map(({ payload }) => toHex(payload.subarray(0, 16)));
    if (at === "connect") await until("the end of the first", () => over().length > 0);
    assert.equal([...new Set(over())], at === "connect" ? [before] : []);
  });

whole("signed by another key is neither run nor answered", async () => {
  await startCar();
  await l.broker.downlink.send(
    ADDRESS,
    "command",
    signCommand(signingKey(randomBytes(32)), fresh()),
  );
  await l.broker.downlink.send(ADDRESS, "command", signCommand(l.commandKey, fresh()));
  await until("the good one's answers", () => results().length === 2);
  assert.is(ran.length, 1);
});

whole("a result that a restart kept from being sent is sent at the next start, once", async () => {
  const dir = await mkdtemp(join(tmpdir(), "kerbside-untaken-"));
  const asked = { ...fresh(), epoch: new Uint8Array(16) };
  const hash = requestHashOf(signCommand(l.commandKey, asked));
  const before = await lockRig(dir, new InstantLock(), realClock);
  assert.is((await before.executor.execute(asked, hash)).verdict.status, "executed");
  await before.stop();
  const buffer = await l.openBuffer();
  const rig = await lockRig(dir, new InstantLock(), realClock);
  const uplink = l.start(buffer, {
    commands: {
      execute: rig.executor.execute.bind(rig.executor),
      taken: ({ id, verdict }) => void rig.journal.recordTaken(id, verdict.status),
    },
  });
  for (const answer of rig.executor.untaken()) uplink.report(answer);
  await until("the result", () => results().length === 1);
  const [told] = results();
  assert.equal([told?.status, told?.replayed, told?.durable], ["executed", true, true]);
  assert.is(toHex(told?.requestHash ?? new Uint8Array()), toHex(hash));
  await until("that it was taken is on the disk", () => rig.journal.owed().length === 0);
  await rig.stop();
  const after = await lockRig(dir, new InstantLock(), realClock);
  assert.equal(after.executor.untaken(), []);
  await after.stop();
});

whole("the answer outlives the connection it was asked on", async () => {
  const uplink = await startCar();
  l.proxy.silence(true);
  const asked = fresh();
  const answer = executed(asked, requestHashOf(signCommand(l.commandKey, asked)));
  uplink.report(answer);
  l.proxy.cut();
  l.proxy.silence(false);
  await until("the answer", () => results().some(({ status }) => status === "executed"));
});

test.run();
whole.run();
