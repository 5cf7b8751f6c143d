/** Commands, answers and sessions as they are signed: what fits, what does not, and what no signature passes off. */
import {
  ACTION_DOMAIN,
  ACTIONS,
  ARMED_MS_MAX,
  ARTEFACT_ID_BYTES,
  COMMAND_DOMAINS,
  COMMAND_LIFE_MS_MAX,
  type Command,
  type CommandResult,
  decodeCbor,
  encodeGone,
  openCommand,
  openResult,
  openSession,
  parseGone,
  parseSign1,
  REFUSED_MAX,
  RESULT_STATUSES,
  randomBytes,
  requestHashOf,
  type SessionAnnouncement,
  sha256,
  signCommand,
  signingKey,
  signResult,
  signSession,
  tenantId,
  toHex,
  vehicleId,
  verifyKey,
} from "@kerbside/protocol";
import { test } from "uvu";
import * as assert from "uvu/assert";

const KEY = signingKey(randomBytes(32));
const VERIFY = verifyKey(KEY.publicKey);
const ADDRESS = { tenant: tenantId("demo"), vehicle: vehicleId("car-1") };
const is =
  (code: string) =>
  (error: { code?: string }): boolean =>
    error.code === code;

const COMMAND: Command = {
  id: new Uint8Array(16).fill(1),
  ...ADDRESS,
  domain: "body",
  action: "lock",
  epoch: new Uint8Array(16).fill(2),
  counter: 3,
  expiresAtMs: 4,
};
const RESULT: CommandResult = {
  ...ADDRESS,
  id: COMMAND.id,
  requestHash: new Uint8Array(32).fill(5),
  status: "executed",
  replayed: false,
  unmet: [],
  durable: true,
  mayHaveSucceeded: true,
  sessionMs: 6,
};
const SESSION: SessionAnnouncement = {
  ...ADDRESS,
  epoch: COMMAND.epoch,
  sessionMs: 7,
  reason: "start",
  announcement: 1,
  timeNonce: new Uint8Array(16).fill(8),
  agentVersion: "1",
  profile: "p/1",
};

test("the names and the bounds are those that the protocol has", () => {
  assert.equal([COMMAND_LIFE_MS_MAX, ARMED_MS_MAX], [30_000, 43_200_000]);
  assert.equal(ACTION_DOMAIN, {
    lock: "body",
    unlock: "body",
    trunk: "body",
    find: "body",
    immobilise: "immobiliser",
    release: "immobiliser",
    unlock_and_release: "rental",
    lock_and_immobilise: "rental",
    end_rental: "rental",
    cancel: "immobiliser",
    terminate: "rental",
  });
  assert.equal(Object.keys(ACTION_DOMAIN).toSorted(), [...ACTIONS].toSorted());
  assert.equal([...COMMAND_DOMAINS], ["body", "immobiliser", "rental"]);
  assert.equal(
    [...RESULT_STATUSES],
    ["received", "executed", "refused", "expired", "stale_session", "unknown", "armed"],
  );
});

test("a command is what was signed, with and without what it may leave out", () => {
  const target = new Uint8Array(16).fill(9);
  for (const command of [
    COMMAND,
    { ...COMMAND, booking: "b-1", waitMs: ARMED_MS_MAX, target },
    ...ACTIONS.map((action) => ({ ...COMMAND, action, domain: ACTION_DOMAIN[action] })),
  ]) {
    const envelope = signCommand(KEY, command);
    assert.equal(openCommand(VERIFY, envelope), command);
    assert.is(toHex(requestHashOf(envelope)), toHex(sha256(envelope)));
  }
  const { payload } = parseSign1(signCommand(KEY, { ...COMMAND, target }));
  const fields = decodeCbor(payload);
  assert.equal(
    fields instanceof Map && fields.get(10),
    target,
    "in the field that it has for good",
  );
  assert.throws(() => signCommand(KEY, { ...COMMAND, waitMs: ARMED_MS_MAX + 1 }), is("malformed"));
  assert.throws(() => signCommand(KEY, { ...COMMAND, counter: -1 }), is("malformed"));
  assert.throws(() => signCommand(KEY, { ...COMMAND, counter: 0.5 }), is("malformed"));
});

test("an answer is what was signed; its lists and words are bounded", () => {
  const unmet = { condition: "c".repeat(64), words: "w".repeat(200) };
  const sensed = { locked: "yes", immobilised: "no", doorsClosed: "unknown" } as const;
  const full: CommandResult = {
    ...RESULT,
    unmet: Array(32).fill(unmet),
    sensed,
    reason: "r".repeat(64),
  };
  for (const result of [RESULT, full, ...RESULT_STATUSES.map((status) => ({ ...RESULT, status }))])
    assert.equal(openResult(VERIFY, signResult(KEY, result)), result);
  for (const change of [
    { unmet: Array(33).fill(unmet) },
    { unmet: [{ ...unmet, condition: "c".repeat(65) }] },
    { unmet: [{ ...unmet, words: "w".repeat(201) }] },
    { reason: "r".repeat(65) },
  ])
    assert.throws(() => signResult(KEY, { ...RESULT, ...change }), is("malformed"));
});

test("a session is what was signed, for every reason there is", () => {
  const id = new Uint8Array(ARTEFACT_ID_BYTES).fill(1);
  const whole: SessionAnnouncement = {
    ...SESSION,
    agentVersion: "v".repeat(32),
    profile: "p".repeat(64),
    epochNumber: 1,
    grantsVersion: 2,
    keyVersions: { authority: 1, command: 2, grant: 3, ingest: 4, time: 5, artefact: 6 },
    power: "driving",
    artefacts: [id],
    artefactsRefused: Array(REFUSED_MAX).fill({ artefact: id, reason: "r".repeat(64) }),
  };
  const said = decodeCbor(parseSign1(signSession(KEY, whole)).payload);
  assert.ok(said instanceof Map);
  const keysOf = (map: unknown): unknown => (map instanceof Map ? [...map.keys()] : map);
  assert.equal(keysOf(said), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], "for good");
  assert.equal(keysOf(said.get(11)), [0, 1, 2, 3, 4, 5]);
  const refused = said.get(14);
  assert.equal(Array.isArray(refused) && keysOf(refused[0]), [0, 1]);
  assert.is(REFUSED_MAX, 8);
  for (const session of [
    SESSION,
    whole,
    ...(["resume", "reconnect", "change"] as const).map((reason) => ({ ...SESSION, reason })),
  ])
    assert.equal(openSession(VERIFY, signSession(KEY, session)), session);
  const one = { artefact: id, reason: "" };
  for (const change of [
    { agentVersion: "v".repeat(33) },
    { profile: "p".repeat(65) },
    { artefactsRefused: Array(REFUSED_MAX + 1).fill(one) },
    { artefactsRefused: [{ ...one, reason: "r".repeat(65) }] },
  ])
    assert.throws(() => signSession(KEY, { ...SESSION, ...change }), is("malformed"));
});

test("none passes for another: command, answer and session each have their domain", () => {
  const envelopes = {
    command: signCommand(KEY, COMMAND),
    result: signResult(KEY, RESULT),
    session: signSession(KEY, SESSION),
  };
  const openers = { command: openCommand, result: openResult, session: openSession };
  for (const [kind, envelope] of Object.entries(envelopes))
    for (const [as, open] of Object.entries(openers))
      if (kind !== as)
        assert.throws(() => open(VERIFY, envelope), is("unauthenticated"), `${kind} as ${as}`);
});

test("gone names the epoch, and may say that the car sleeps", () => {
  const epoch = new Uint8Array(16).fill(3);
  assert.is(toHex(encodeGone(epoch, false)), "03".repeat(16));
  assert.is(toHex(encodeGone(epoch, true)), `${"03".repeat(16)}01`);
  for (const asleep of [true, false]) {
    const read = parseGone(encodeGone(epoch, asleep));
    assert.is(toHex(read.epoch), toHex(epoch));
    assert.is(read.asleep, asleep);
  }
  for (const bad of ["", "03".repeat(15), `${"03".repeat(16)}02`, `${"03".repeat(16)}0101`])
    assert.throws(() => parseGone(Uint8Array.from(Buffer.from(bad, "hex"))), is("malformed"));
});

test.run();
